package fastgorm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"healthcare/models"
	"healthcare/tests/kit"
)

func TestManyRowsAreStoredAsStockGORMDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for _, m := range tables {
			for n := range 2 {
				p.compare(t, m.name, func(db *gorm.DB) (any, *gorm.DB) { rows := m.rows(200+50*n, 7); return rows, db.Create(rows) })
				p.compare(t, m.name+" in a transaction", func(db *gorm.DB) (any, *gorm.DB) {
					var done *gorm.DB
					rows := m.rows(220+50*n, 5)
					_ = db.Transaction(func(tx *gorm.DB) error { done = tx.Create(rows); return done.Error })
					return rows, done
				})
				p.compare(t, m.name+" in batches", func(db *gorm.DB) (any, *gorm.DB) {
					rows := m.rows(230+50*n, 7)
					return rows, db.CreateInBatches(rows, 3)
				})
			}
		}
		p.compareTables(t, "many rows")
	})
}

// oddEvents are events with what could go wrong in another format than that of parameters.
func oddEvents() []models.Event {
	var rows []models.Event
	for i, text := range []string{"", "\t\n\\N", `\.`, "\"',{}", "NULL", "🌼", "\\x00", "\x01\x1f\x7f\u2028", "{\"a\": [1]}", "12", "null"} {
		rows = append(rows, models.Event{
			At: at(i).In(time.FixedZone("west", -7*3600)).Add(time.Duration(i) * 321), Action: text, Object: text, Changes: models.Changes(text),
			ObjectID: maybe(i, int64(-1)<<62), PatientIDs: []models.IDs{nil, {}, {-1, 1 << 62}}[i%3],
		})
	}
	return rows
}

func TestManyRowsWithOddValuesAreStoredAsTheyAre(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "odd", func(db *gorm.DB) (any, *gorm.DB) {
			rows := oddEvents()
			done := db.Create(&rows)
			return rows, done
		})
		p.compareTables(t, "odd")
	})
}

func TestManyRowsWithTextsThatADatabaseRefusesAreForItToRefuse(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for _, text := range []string{"a\x00b", "\xff"} {
			p.compare(t, "refused", func(db *gorm.DB) (any, *gorm.DB) {
				rows := []models.LoginFailure{{Account: "a", At: clock}, {Account: text, At: clock}}
				return nil, db.Create(&rows)
			})
		}
		p.compareTables(t, "refused")
	})
}

func TestManyRowsRunTheHooks(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		rows := []models.Doctor{*doctorRow(1).(*models.Doctor), *doctorRow(0).(*models.Doctor)}
		rows[0].LicenseNumber = "new"
		require.NoError(t, p.fast.Create(&rows).Error)
		assert.NotEmpty(t, rows[0].NameKey)
		assert.NotEmpty(t, rows[1].NameKey)
	})
}

func TestOfManyRowsNoneIsStoredIfTheDatabaseRefusesOne(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		want := p.compare(t, "refused", func(db *gorm.DB) (any, *gorm.DB) {
			rows := append(oddEvents(), *refusedEvent())
			return nil, db.Create(&rows)
		})
		assert.NotEmpty(t, want.Err)
		p.compareTables(t, "refused")
	})
}

func TestMoreRowsAreStoredThanAStatementHasParametersFor(t *testing.T) {
	kit.NeedSlow(t)
	onBoth(t, func(t *testing.T, p *pair) {
		rows := make([]models.LoginFailure, 30_000)
		for i := range rows {
			rows[i] = models.LoginFailure{Account: fmt.Sprint(i), Network: "many", At: at(i % 100)}
		}
		done := p.fast.Create(&rows)
		require.NoError(t, done.Error)
		assert.EqualValues(t, len(rows), done.RowsAffected)
		for i := range rows {
			var account string
			if i%5000 == 0 {
				require.NoError(t, p.fast.Raw("SELECT account FROM login_failures WHERE id = ?", rows[i].ID).Scan(&account).Error)
				assert.Equal(t, rows[i].Account, account, "each has its own key")
			}
		}
		assert.Error(t, p.stock.Create(&rows).Error, "stock GORM needs CreateInBatches for so many")
	})
}
