package fastgorm_test

import (
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ones read one row, or one value.
var ones = []read{
	{"take by a key", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.Order(m.key).Take(row, n+1)
	}},
	{"take by a text", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.Order(m.key).Where(m.text+" = ?", word(n)).Take(row)
	}},
	{"take what is not there", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.Where(m.number+" = ?", 1000+n).Take(row)
	}},
	{"first", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.First(row, m.number+" > ?", n)
	}},
	{"last", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.Last(row, m.number+" < ?", n+4)
	}},
	{"find one", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.Order(m.key).Offset(n).Limit(1).Find(row)
	}},
	{"find none", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		return row, db.Where(m.number+" = ?", 1000+n).Find(row)
	}},
	{"find by a struct with a key", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.new()
		db.Session(&gorm.Session{}).Order(m.key).Offset(n).Limit(1).Find(row)
		return row, db.Find(row)
	}},
	{"find into a row that holds something, no NULLs", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := m.row(2*n + 1)
		reflect.ValueOf(row).Elem().Field(0).SetZero() // the key
		return row, db.Unscoped().Order(m.key).Offset(5).Take(row)
	}},
	{"find into a slice that holds something", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.rows(n, 4)
		return rows, db.Order(m.key).Limit(n + 3).Find(rows)
	}},
	{"find some columns into a slice that holds something", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.rows(n, 4)
		return rows, db.Select(m.key).Order(m.key).Limit(n + 3).Find(rows)
	}},
	{"find into pointers", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := reflect.New(reflect.SliceOf(reflect.PointerTo(m.typ()))).Interface()
		return rows, db.Order(m.key).Where(m.number+" > ?", n).Find(rows)
	}},
	{"find into an array", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := reflect.New(reflect.ArrayOf(2, m.typ())).Interface()
		return rows, db.Order(m.key).Where(m.number+" > ?", n).Find(rows)
	}},
	{"find into a map", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		row := map[string]any{}
		return row, db.Model(m.new()).Order(m.key).Offset(n).Limit(1).Find(&row)
	}},
	{"find into maps", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		var rows []map[string]any
		return &rows, db.Model(m.new()).Order(m.key).Where(m.number+" > ?", n).Find(&rows)
	}},
	{"find into a smaller struct", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		var rows []struct{ ID int64 }
		return &rows, db.Model(m.new()).Order(m.key).Where(m.number+" > ?", n).Find(&rows)
	}},
	{"pluck", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		var texts []string
		return &texts, db.Model(m.new()).Order(m.key).Where(m.number+" > ?", n).Pluck(m.text, &texts)
	}},
	{"count", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		var count int64
		return &count, db.Model(m.new()).Where(m.number+" > ?", n).Count(&count)
	}},
	{"count distinct", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		var count int64
		return &count, db.Model(m.new()).Where(m.number+" > ?", n).Distinct(m.text).Count(&count)
	}},
	{"raw, found", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.slice()
		return rows, db.Raw("SELECT * FROM "+m.name+" WHERE "+m.number+" > ? ORDER BY "+m.key, n).Find(rows)
	}},
	{"raw, scanned", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.slice()
		return rows, db.Raw("SELECT * FROM "+m.name+" WHERE "+m.number+" > ? ORDER BY "+m.key, n).Scan(rows)
	}},
	{"raw with NULLs of a left join", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.slice()
		return rows, db.Raw("SELECT it.* FROM users LEFT JOIN "+m.name+" AS it ON it."+m.number+" = users.id AND users.id > ? ORDER BY users.id, "+m.text, n).Find(rows)
	}},
	{"scanned rows", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		q := db.Model(m.new()).Order(m.key).Where(m.number+" > ?", n)
		found, err := q.Rows()
		if err != nil {
			return nil, q
		}
		defer func() { _ = found.Close() }()
		rows := m.slice()
		for found.Next() {
			row := m.new()
			_ = q.AddError(db.ScanRows(found, row))
			reflect.ValueOf(rows).Elem().Set(reflect.Append(reflect.ValueOf(rows).Elem(), reflect.ValueOf(row).Elem()))
		}
		return rows, q
	}},
	{"in batches", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows, seen := m.slice(), []int64{}
		return &seen, db.Where(m.number+" > ?", n).FindInBatches(rows, 2, func(tx *gorm.DB, _ int) error { seen = append(seen, tx.RowsAffected); return nil })
	}},
	{"locked", func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.slice()
		return rows, db.Clauses(clause.Locking{Strength: []string{"UPDATE", "SHARE"}[n%2]}).Order(m.key).Where(m.number+" > ?", n).Find(rows)
	}},
}
