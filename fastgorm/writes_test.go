package fastgorm_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/models"
)

// fresh is a row that is not stored yet, with a key that no other has.
func (m table) fresh(n int) any {
	row := m.row(n + 100)
	switch r := row.(type) {
	case *models.Mapping:
		r.DoctorID = id(n/seeded + 5)
	case *models.Patient:
		r.CreatedAt = r.CreatedAt.In(time.FixedZone("east", 5*3600)).Add(789) // with a zone and with nanoseconds
	}
	return row
}

// stored is a row that the database holds, read by its place.
func (m table) stored(db *gorm.DB, n int) any {
	row := m.new()
	db.Session(&gorm.Session{NewDB: true}).Unscoped().Order(m.key).Offset(n % seeded).Take(row)
	return row
}

// writes are chains that change one table.
var writes = []read{
	{"create", func(db *gorm.DB, m table, n int) (any, *gorm.DB) { row := m.fresh(n); return row, db.Create(row) }},
	{"create again", func(db *gorm.DB, m table, n int) (any, *gorm.DB) { row := m.fresh(n); return row, db.Create(row) }},
	{"create a duplicate and do nothing", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.fresh(n)
		return row, db.Clauses(clause.OnConflict{DoNothing: true}).Create(row)
	}},
	{"create with all of a duplicate's columns", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n)
		return row, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(row)
	}},
	{"create an empty row", func(db *gorm.DB, m table, _ int) (any, *gorm.DB) { row := m.new(); return row, db.Create(row) }},
	{"create with a key", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.fresh(n + 20)
		if f := reflect.ValueOf(row).Elem().FieldByName("ID"); f.IsValid() {
			f.SetInt(int64(5000 + n))
		}
		return row, db.Create(row)
	}},
	{"create selected columns", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.fresh(n + 30)
		return row, db.Omit(m.text).Create(row)
	}},
	{"create a slice", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.rows(200+9*n, 3)
		return rows, db.Create(rows)
	}},
	{"create an empty slice", func(db *gorm.DB, m table, _ int) (any, *gorm.DB) { rows := m.slice(); return rows, db.Create(rows) }},
	{"create in batches", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.rows(300+9*n, 5)
		return rows, db.CreateInBatches(rows, 2)
	}},
	{"create a map", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		return nil, db.Model(m.new()).Create(map[string]any{m.text: word(n)})
	}},
	{"save a new row", func(db *gorm.DB, m table, n int) (any, *gorm.DB) { row := m.fresh(n + 50); return row, db.Save(row) }},
	{"save a stored row", func(db *gorm.DB, m table, n int) (any, *gorm.DB) { row := m.stored(db, n); return row, db.Save(row) }},
	{"update all", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n)
		return row, db.Select("*").Updates(row)
	}},
	{"update all but some", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n+1)
		return row, db.Select("*").Omit(m.time, "deleted_at").Updates(row)
	}},
	{"update all but some, by the fields' names", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n+2)
		return row, db.Select("*").Omit("CreatedAt", "DeletedAt", "At").Updates(row)
	}},
	{"update all, unscoped", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n+3)
		return row, db.Unscoped().Select("*").Updates(row)
	}},
	{"update all where", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n)
		return row, db.Where(m.number+" >= ?", n).Where(m.time+" < ?", at(90)).Select("*").Updates(row)
	}},
	{"update all where or", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n)
		return row, db.Where(m.number+" = ?", 7000).Or(m.number+" = ?", 8000+n).Select("*").Omit(m.text).Updates(row)
	}},
	{"update all where there is none", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n)
		return row, db.Where(m.number+" = ?", 9000+n).Select("*").Updates(row)
	}},
	{"update all without a key", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.Select("*").Updates(row)
	}},
	{"update what is not zero", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.edited(db, n+4)
		return row, db.Updates(row)
	}},
	{"update by another struct", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n)
		return row, db.Model(row).Select(m.time).Updates(m.fresh(n + 60))
	}},
	{"update by a map", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n+5)
		return row, db.Model(row).Updates(map[string]any{m.time: at(n + 50), "version": gorm.Expr("version + ?", n+1)})
	}},
	{"update a column", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n)
		return row, db.Model(row).Update(m.time, at(n))
	}},
	{"update a column without hooks", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n)
		return row, db.Model(row).UpdateColumn(m.time, at(n+1))
	}},
	{"update with no condition", func(db *gorm.DB, m table, n int) (any, *gorm.DB) { return nil, db.Model(m.new()).Update(m.time, at(n)) }},
	{"update and return", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.slice()
		return rows, db.Model(rows).Clauses(clause.Returning{}).Where(m.number+" = ?", n+1).Update(m.time, at(n+2))
	}},
	{"update a column that is not there", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		return nil, db.Model(m.new()).Where(m.number+" = ?", n).Update("nowhere", 1)
	}},
	{"delete a row", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n+3)
		return row, db.Delete(row)
	}},
	{"delete where", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		return nil, db.Where(m.number+" = ?", 1+n).Delete(m.new())
	}},
	{"delete by keys", func(db *gorm.DB, m table, n int) (any, *gorm.DB) { return nil, db.Delete(m.new(), []int{n + 1, n + 4}) }},
	{"delete a slice", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.slice()
		db.Session(&gorm.Session{NewDB: true}).Order(m.key).Offset(2).Limit(2).Find(rows)
		return rows, db.Delete(rows)
	}},
	{"delete for good", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n+6)
		return row, db.Unscoped().Delete(row)
	}},
	{"delete with no condition", func(db *gorm.DB, m table, _ int) (any, *gorm.DB) { return nil, db.Delete(m.new()) }},
	{"restore", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.stored(db, n+2)
		return row, db.Unscoped().Model(row).Update("deleted_at", nil)
	}},
}

// edited is a stored row with other values.
func (m table) edited(db *gorm.DB, n int) any {
	row := m.stored(db, n)
	switch r := row.(type) {
	case *models.Patient:
		r.Name, r.DateOfBirth, r.Version = fmt.Sprint("New ", n), models.Date([]string{"2001-02-03", ""}[n%2]), r.Version+1
	case *models.Doctor:
		r.Name, r.YearsOfExperience, r.LicenseNumber = fmt.Sprint("New ", n), maybe(n, 81*(n%4)), "L-1" // a duplicate, and a number out of bounds
	case *models.User:
		r.Username, r.UpdatedAt = fmt.Sprint("New ", n), at(n)
	case *models.Session:
		r.EndedAt, r.Current = maybe(n, at(n)), true
	case *models.LoginFailure:
		r.Account = word(n)
	}
	return row
}

func TestWritesAreThoseOfStockGORM(t *testing.T) {
	onCopies(t, func(t *testing.T, p *pair) {
		for n := range 3 {
			for _, w := range writes {
				for _, m := range tables {
					p.compare(t, fmt.Sprint(m.name, ", ", w.name, " ", n), func(db *gorm.DB) (any, *gorm.DB) { return w.run(db, m, n) })
				}
			}
			p.compareTables(t, "after writes")
		}
	})
}

func TestWritesInATransactionAreThoseOfStockGORM(t *testing.T) {
	onCopies(t, func(t *testing.T, p *pair) {
		for _, w := range writes {
			for _, m := range tables[3:8] {
				p.compare(t, m.name+", "+w.name, func(db *gorm.DB) (rows any, done *gorm.DB) {
					err := db.Transaction(func(tx *gorm.DB) error {
						rows, done = w.run(tx, m, 1)
						return done.Error
					})
					return []any{rows, err != nil}, done
				})
			}
		}
		p.compareTables(t, "after transactions")
	})
}

func TestAWriteThatTheDatabaseRefusesIsTheSameErrorAndStoresNothing(t *testing.T) {
	onCopies(t, func(t *testing.T, p *pair) {
		for name, run := range map[string]chain{
			"a unique index": func(db *gorm.DB) (any, *gorm.DB) { row := userRow(0); return row, db.Create(row) },
			"a check": func(db *gorm.DB) (any, *gorm.DB) {
				row := patientRow(1).(*models.Patient)
				row.Gender = "x"
				return row, db.Create(row)
			},
			"a foreign key": func(db *gorm.DB) (any, *gorm.DB) {
				row := patientRow(1).(*models.Patient)
				row.CreatedBy = 777
				return row, db.Create(row)
			},
			"a check in an update": func(db *gorm.DB) (any, *gorm.DB) {
				row := models.Patient{}
				db.Session(&gorm.Session{}).Take(&row, 1)
				row.Version = 0
				return &row, db.Select("*").Updates(&row)
			},
			"append-only": func(db *gorm.DB) (any, *gorm.DB) {
				row := models.Seal{}
				db.Session(&gorm.Session{}).Take(&row, 1)
				return &row, db.Select("*").Updates(&row)
			},
			"a byte that no text can hold": func(db *gorm.DB) (any, *gorm.DB) {
				row := patientRow(1).(*models.Patient)
				row.Address = "\xff"
				return nil, db.Create(row)
			},
		} {
			for range 2 {
				want := p.compare(t, name, run)
				require.True(t, want.Err != "" || name == "a byte that no text can hold", name)
			}
			p.compareTables(t, name)
		}
	})
}
