package fastgorm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"healthcare/fastgorm"
	"healthcare/models"
)

func TestBulkStoresTheRowsThatStockGORMStores(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for _, m := range tables {
			for n := range 2 {
				p.compare(t, m.name, func(db *gorm.DB) (any, *gorm.DB) { return nil, db.Clauses(fastgorm.Bulk()).Create(m.rows(200+50*n, 7)) })
				p.compare(t, m.name+" in a transaction", func(db *gorm.DB) (any, *gorm.DB) {
					var done *gorm.DB
					err := db.Transaction(func(tx *gorm.DB) error {
						done = tx.Clauses(fastgorm.Bulk()).Create(m.rows(220+50*n, 5))
						return done.Error
					})
					return err != nil, done
				})
				p.compare(t, m.name+", one row", func(db *gorm.DB) (any, *gorm.DB) { return nil, db.Clauses(fastgorm.Bulk()).Create(m.row(240 + 50*n)) })
			}
		}
		p.compareTables(t, "bulk")
	})
}

// oddEvents are events with what could go wrong in another format than that of parameters.
func oddEvents() []models.Event {
	var rows []models.Event
	for i, text := range []string{"", "\t\n\\N", `\.`, "\"',{}", "NULL", "🌼", "\\x00"} {
		rows = append(rows, models.Event{
			At: at(i).In(time.FixedZone("west", -7*3600)).Add(time.Duration(i) * 321), Action: text, Object: text, Changes: models.Changes(text),
			ObjectID: maybe(i, int64(-1)<<62), PatientIDs: []models.IDs{nil, {}, {-1, 1 << 62}}[i%3],
		})
	}
	return rows
}

func TestBulkStoresOddValuesAsTheyAre(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "odd", func(db *gorm.DB) (any, *gorm.DB) {
			rows := oddEvents()
			return nil, db.Clauses(fastgorm.Bulk()).Create(&rows)
		})
		p.compareTables(t, "odd")
	})
}

func TestBulkRunsTheHooks(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		rows := []models.Doctor{*doctorRow(1).(*models.Doctor)}
		rows[0].LicenseNumber = "new"
		require.NoError(t, p.fast.Clauses(fastgorm.Bulk()).Create(&rows).Error)
		assert.NotEmpty(t, rows[0].NameKey)
	})
}

func TestBulkStoresNoneIfTheDatabaseRefusesOne(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for _, db := range []*gorm.DB{p.stock, p.fast} {
			refuseEvents(t, db)
		}
		want := p.compare(t, "refused", func(db *gorm.DB) (any, *gorm.DB) {
			rows := append(oddEvents(), *refusedEvent())
			return nil, db.Clauses(fastgorm.Bulk()).Create(&rows)
		})
		assert.NotEmpty(t, want.Err)
		p.compareTables(t, "refused")
	})
}

func TestBulkStoresMoreRowsThanAStatementHasParametersFor(t *testing.T) {
	t.Parallel()
	p := newPair(t, "postgres", &fastgorm.Plugin{})
	rows := make([]models.LoginFailure, 30_000)
	for i := range rows {
		rows[i] = models.LoginFailure{Account: fmt.Sprint(i), Network: "many", At: at(i % 100)}
	}
	done := p.fast.Clauses(fastgorm.Bulk()).Create(&rows)
	require.NoError(t, done.Error)
	assert.EqualValues(t, len(rows), done.RowsAffected)
	var count int64
	require.NoError(t, p.fast.Raw("SELECT count(DISTINCT account) FROM login_failures WHERE network = 'many'").Scan(&count).Error)
	assert.EqualValues(t, len(rows), count)
	assert.Error(t, p.stock.Create(&rows).Error, "stock GORM needs CreateInBatches for so many: it was COPY that stored them")
}
