package fastgorm_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"healthcare/fastgorm"
	"healthcare/models"
	"healthcare/tests/kit"
)

func TestTheSecondChainOfAShapeUsesTheTextOfTheFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for n := range 5 {
			row := patientRow(n).(*models.Patient)
			require.NoError(t, p.fast.Where("created_by = ?", n).Or("name = ?", word(n)).Order("id").Limit(3).Find(&[]models.Patient{}).Error)
			require.NoError(t, p.fast.Create(row).Error)
			require.NoError(t, p.fast.Where("version > ?", n).Select("*").Omit("created_at").Updates(row).Error)
			kept, refused := p.plugin.Kept()
			require.Equal(t, 3, kept, "a text of each")
			require.Zero(t, refused)
		}
	})
}

func TestTheTextsThatAreKeptAreBoundedAndStayRight(t *testing.T) {
	kit.NeedSlow(t)
	onCopies(t, func(t *testing.T, p *pair) {
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		for n := range fastgorm.TextsLimit + 500 {
			var rows []models.LoginFailure
			if n%50 > 0 { // a text is built and kept, and goes no further
				require.ErrorIs(t, p.fast.WithContext(cancelled).Order("id").Limit(n).Find(&rows).Error, context.Canceled)
				continue
			}
			require.NoError(t, p.fast.Order("id").Limit(n).Find(&rows).Error)
			require.Len(t, rows, min(n, seeded))
			kept, refused := p.plugin.Kept()
			require.LessOrEqual(t, kept+refused, fastgorm.TextsLimit)
		}
		kept, _ := p.plugin.Kept()
		require.Equal(t, fastgorm.TextsLimit, kept)
		for n := range 2 {
			for _, m := range tables[3:5] {
				for _, r := range append(lists, ones...) {
					p.compare(t, m.name+", "+r.name, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, n) })
				}
			}
		}
	})
}

func TestManyGoroutinesShareTheTexts(t *testing.T) {
	kit.NeedSlow(t)
	onCopies(t, func(t *testing.T, p *pair) {
		want := map[string]outcome{}
		for _, m := range tables[4:6] {
			for n := range 3 {
				for _, r := range append(lists, ones...) {
					want[fmt.Sprint(m.name, r.name, n)] = attempt(p.stock, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, n) })
				}
			}
		}
		var all sync.WaitGroup
		for g := range 6 {
			all.Go(func() {
				for i := range 3 {
					m, n := tables[4+(i+g/3)%2], i
					for _, r := range append(lists, ones...) {
						got := attempt(p.fast, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, n) })
						assert.Equal(t, want[fmt.Sprint(m.name, r.name, n)], got, m.name+", "+r.name)
					}
				}
			})
		}
		all.Wait()
	})
}

func TestManyGoroutinesStoreRowsThatDoNotMix(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for i := range 10 {
					row := models.LoginFailure{Account: fmt.Sprint("account ", g, " ", i), Network: fmt.Sprint("network ", g, " ", i), At: at(i)}
					assert.NoError(t, p.fast.Create(&row).Error)
					var back models.LoginFailure
					assert.NoError(t, p.fast.Take(&back, row.ID).Error)
					assert.Equal(t, row, back)
				}
			})
		}
		all.Wait()
	})
}

func TestAPoolIsAnotherWayToBeginTheSameChains(t *testing.T) {
	kit.NeedSlow(t)
	onCopies(t, func(t *testing.T, p *pair) {
		pool := fastgorm.Pool{DB: p.fast}
		onPool := &pair{stock: p.stock, fast: pool.WithContext(t.Context())}
		for _, m := range tables[4:7] {
			for n := range 2 {
				for _, r := range append(lists, ones...) {
					onPool.compare(t, m.name+", "+r.name, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, n) })
					want := attempt(p.stock, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, n) })
					require.NoError(t, pool.OnOneConnection(t.Context(), func(one *gorm.DB) error {
						assert.Equal(t, want, attempt(one, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, n) }), m.name+", on one connection, "+r.name)
						return nil
					}))
				}
				for _, w := range writes {
					onPool.compare(t, m.name+", "+w.name, func(db *gorm.DB) (any, *gorm.DB) { return w.run(db, m, n) })
				}
			}
		}
		p.compareTables(t, "by a pool")
		assert.Zero(t, inUse(t, p.fast), "every connection was given back")
	})
}

func inUse(t *testing.T, db *gorm.DB) int {
	t.Helper()
	pool, err := db.DB()
	require.NoError(t, err)
	return pool.Stats().InUse
}
