package fastgorm_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/models"
	"healthcare/tests/kit"
)

// related are chains that read more than one table, or that look up and store.
var related = map[string]func(db *gorm.DB, n int) (any, *gorm.DB){
	"joined": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows []models.Patient
		return &rows, db.Joins("Creator").Where("patients.created_by > ?", n).Order("patients.id").Find(&rows)
	},
	"joined with a condition": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows []models.Mapping
		return &rows, db.InnerJoins("Patient", db.Where("name <> ?", word(n))).Joins("Doctor").Order("mappings.id").Find(&rows)
	},
	"preloaded": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows []models.Mapping
		return &rows, db.Preload("Patient.Creator").Preload("Doctor", "name <> ?", word(n)).Preload("Owner").Where("id > ?", n).Order("id").Find(&rows)
	},
	"preloaded, unscoped": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var row models.Mapping
		return &row, db.Preload(clause.Associations, func(q *gorm.DB) *gorm.DB { return q.Unscoped() }).Unscoped().Take(&row, n+2)
	},
	"an association": func(db *gorm.DB, n int) (any, *gorm.DB) {
		row, owner := models.Patient{ID: id(n), CreatedBy: id(n)}, models.User{}
		err := db.Model(&row).Association("Creator").Find(&owner)
		return []any{row, owner, err}, db
	},
	"a join of text into a struct of its own": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows []models.AssignedDoctor
		return &rows, db.Model(&models.Mapping{}).Select("doctors.*, mappings.id AS mapping_id, mappings.created_at AS assigned_at").
			Joins("JOIN doctors ON doctors.id = mappings.doctor_id").Where("mappings.owner_id > ?", n).Order("mappings.id").Find(&rows)
	},
	"raw into a struct with embedded structs": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows []models.HistoryEntry
		return &rows, db.Raw("SELECT events.at, action, changes, coalesce(users.id, 0) AS by_id, users.username AS by_username FROM events"+
			" LEFT JOIN users ON users.id = events.user_id WHERE events.id > ? ORDER BY events.id", n).Find(&rows)
	},
	"find or make": func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := models.User{}
		return &row, db.Where(models.User{UserFields: models.UserFields{Username: word(n)}}).Attrs(models.User{IsStaff: true}).FirstOrInit(&row)
	},
	"find or create what is there": func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := models.LoginFailure{}
		return &row, db.Where("account = ?", word(n)).Assign(models.LoginFailure{Network: "new"}).FirstOrCreate(&row)
	},
	"find or create what is not": func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := models.LoginFailure{}
		return &row, db.Where(models.LoginFailure{Account: "nobody", Network: word(n), At: at(n)}).FirstOrCreate(&row)
	},
	"one statement used twice": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows []models.Patient
		var count int64
		q := db.Model(&models.Patient{}).Where("created_by > ?", n)
		err := q.Count(&count).Error
		return []any{&rows, &count, err}, q.Order("id").Limit(3).Find(&rows)
	},
	"a session used twice": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows, more []models.Patient
		q := db.Where("created_by > ?", n).Session(&gorm.Session{})
		err := q.Order("id").Find(&rows).Error
		return []any{&rows, &more, err}, q.Or("name = ?", word(n)).Order("id").Find(&more)
	},
	"cancelled": func(db *gorm.DB, n int) (any, *gorm.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		var rows []models.Patient
		return &rows, db.WithContext(ctx).Where("id = ?", n).Find(&rows)
	},
	"too late": func(db *gorm.DB, n int) (any, *gorm.DB) {
		ctx, cancel := context.WithDeadline(context.Background(), clock.Add(-time.Hour*24*365))
		defer cancel()
		return nil, db.WithContext(ctx).Create(doctorRow(n + 100))
	},
	"after an error": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var rows []models.Patient
		_ = db.AddError(gorm.ErrInvalidField)
		return &rows, db.Where("id = ?", n).Find(&rows)
	},
	"no model": func(db *gorm.DB, n int) (any, *gorm.DB) {
		var row map[string]any
		return row, db.Where("id = ?", n).Take(&row)
	},
	"a nil":         func(db *gorm.DB, _ int) (any, *gorm.DB) { return nil, db.Find(nil) },
	"not a pointer": func(db *gorm.DB, _ int) (any, *gorm.DB) { return nil, db.Order("id").Find(models.Patient{}) },
}

func TestRelationsAndLookUpsAreThoseOfStockGORM(t *testing.T) {
	onCopies(t, func(t *testing.T, p *pair) {
		for n := range 3 {
			for name, run := range related {
				p.compare(t, name, func(db *gorm.DB) (any, *gorm.DB) { return run(db, n) })
			}
			p.compareTables(t, "afterwards")
		}
	})
}

func TestADryRunShowsWhatStockGORMShows(t *testing.T) {
	kit.NeedSlow(t)
	onBoth(t, func(t *testing.T, p *pair) {
		for _, m := range tables {
			for n := range 2 { // once before and once after texts are kept
				for _, r := range append(lists, ones...) {
					p.compareTexts(t, m.name+", "+r.name, func(db *gorm.DB) *gorm.DB { _, done := r.run(db, m, n); return done })
					r.run(p.fast, m, n)
				}
				p.compareTexts(t, m.name+", create", func(db *gorm.DB) *gorm.DB { return db.Create(m.row(n)) })
				p.compareTexts(t, m.name+", update", func(db *gorm.DB) *gorm.DB { return db.Select("*").Where(m.number+" = ?", n).Updates(m.row(n)) })
				p.compareTexts(t, m.name+", delete", func(db *gorm.DB) *gorm.DB { return db.Where(m.number+" = ?", n).Delete(m.new()) })
			}
		}
	})
}

// compareTexts compares the text with its values. A limit is a parameter of stock GORM on PostgreSQL, and a number of the
// plugin's, so that there only the text with its values in it can be compared.
func (p *pair) compareTexts(t *testing.T, title string, run func(db *gorm.DB) *gorm.DB) {
	t.Helper()
	show := func(db *gorm.DB) outcome {
		return attempt(db, func(db *gorm.DB) (any, *gorm.DB) { return db.ToSQL(run), &gorm.DB{} })
	}
	assert.Equal(t, show(p.stock), show(p.fast), title)
	dry := func(db *gorm.DB) outcome {
		return attempt(db, func(db *gorm.DB) (any, *gorm.DB) {
			done := run(db.Session(&gorm.Session{DryRun: true}))
			_, limited := done.Statement.Clauses["LIMIT"]
			if limited && db.Name() == "postgres" {
				return nil, done
			}
			return []any{done.Statement.SQL.String(), done.Statement.Vars}, done
		})
	}
	assert.Equal(t, dry(p.stock), dry(p.fast), title+", dry run")
}

func TestLimitsAreNumbersInTheTextOnBothDatabases(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		dry := p.fast.Session(&gorm.Session{DryRun: true}).Limit(7).Offset(3).Find(&[]models.Doctor{}).Statement
		require.Contains(t, dry.SQL.String(), "LIMIT 7 OFFSET 3")
		assert.Empty(t, dry.Vars)
	})
}
