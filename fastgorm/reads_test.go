package fastgorm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/tests/kit"
)

// read is a chain that reads rows of a table. n makes its values differ from run to run.
type read struct {
	name string
	run  func(db *gorm.DB, m table, n int) (any, *gorm.DB)
}

// list reads into a slice, with some scopes.
func list(scope func(db *gorm.DB, m table, n int) *gorm.DB) func(*gorm.DB, table, int) (any, *gorm.DB) {
	return func(db *gorm.DB, m table, n int) (any, *gorm.DB) {
		rows := m.slice()
		return rows, scope(db, m, n).Order(m.key).Find(rows)
	}
}

// lists differ little from one another, so that a text kept for one would be wrong for the next.
var lists = []read{
	{"all", list(func(db *gorm.DB, _ table, _ int) *gorm.DB { return db })},
	{"unscoped", list(func(db *gorm.DB, _ table, _ int) *gorm.DB { return db.Unscoped() })},
	{"one condition", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(m.number+" = ?", n) })},
	{"one condition, unscoped", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Unscoped().Where(m.number+" = ?", n) })},
	{"the same text, more values", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(m.number+" = ? OR "+m.number+" = ?", n, n+1)
	})},
	{"two conditions", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(m.number+" = ?", n).Where(m.text+" = ?", word(n))
	})},
	{"an or", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(m.number+" = ?", n).Or(m.text+" = ?", word(n))
	})},
	{"an or first", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Or(m.number+" > ?", n+3).Or(m.text+" = ?", word(n))
	})},
	{"an or before a condition", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Or(m.number+" = ?", n).Where(m.text+" <> ?", word(n+1))
	})},
	{"a clause.And", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(clause.And(clause.Eq{Column: m.number, Value: n}, clause.And(clause.Eq{Column: m.text, Value: word(n)}, clause.Eq{Column: m.number, Value: n})))
	})},
	{"a clause.Or", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(clause.And(clause.Eq{Column: m.number, Value: n}, clause.Or(clause.Eq{Column: m.text, Value: word(n)}, clause.Eq{Column: m.number, Value: n})))
	})},
	{"a group", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(db.Where(m.number+" = ?", n).Or(m.text+" = ?", word(n+2))).Where(m.time+" < ?", at(n+3))
	})},
	{"a not", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Not(m.number+" = ?", n) })},
	{"a not of a map", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Not(map[string]any{m.text: word(n)}) })},
	{"a map", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(map[string]any{m.number: n, m.text: word(n)})
	})},
	{"a map with a nil", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(map[string]any{m.number: n, m.text: nil}) })},
	{"a map with a slice", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(map[string]any{m.number: []int{n, n + 1}}) })},
	{"a struct", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(m.row(n)) })},
	{"a column and a value", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(m.text, word(n)) })},
	{"in one", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(m.number+" IN ?", []int64{id(n)}) })},
	{"in three", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(m.number+" IN ?", []int64{id(n), id(n + 1), id(n + 2)})
	})},
	{"in none", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Where(m.number+" IN ?", []int64{}) })},
	{"in parentheses", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(m.number+" IN (?)", []int64{id(n), id(n + 1)})
	})},
	{"a clause.IN", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(clause.IN{Column: m.number, Values: []any{n}})
	})},
	{"a clause.Eq", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(clause.Eq{Column: m.text, Value: word(n)}) })},
	{"a clause.Gt", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(clause.Gt{Column: m.number, Value: n}) })},
	{"an expression", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(gorm.Expr(m.number+" < ?", n+2)) })},
	{"a named value", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(m.text+" = @w", map[string]any{"w": word(n)})
	})},
	{"a pointer", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(m.number+" = ?", &n) })},
	{"a nil", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Where(m.number+" = ?", nil) })},
	{"a time", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Where(m.time+" BETWEEN ? AND ?", at(n), at(n+2)) })},
	{"a subquery", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Where(m.number+" IN (?)", db.Model(tables[0].new()).Select("id").Where("id > ?", n+2))
	})},
	{"an order", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Order(m.text + " DESC") })},
	{"an order by a column", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Order(clause.OrderByColumn{Column: clause.Column{Name: m.text}, Desc: n%2 == 0})
	})},
	{"an order with values", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Order(clause.OrderBy{Expression: clause.Expr{SQL: m.number + " = ?", Vars: []any{n}}})
	})},
	{"a limit", list(func(db *gorm.DB, _ table, n int) *gorm.DB { return db.Limit(n + 1) })},
	{"a limit and an offset", list(func(db *gorm.DB, _ table, n int) *gorm.DB { return db.Limit(n + 1).Offset(n) })},
	{"no limit any more", list(func(db *gorm.DB, _ table, n int) *gorm.DB { return db.Limit(n).Limit(-1) })},
	{"a limit of none", list(func(db *gorm.DB, _ table, _ int) *gorm.DB { return db.Limit(0) })},
	{"selected", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Select(m.text, m.number, m.key) })},
	{"selected with values", list(func(db *gorm.DB, m table, n int) *gorm.DB { return db.Select("*, ? AS "+m.text, word(n)) })},
	{"omitted", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Omit(m.text) })},
	{"distinct", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Distinct(m.key) })},
	{"distinct rows", list(func(db *gorm.DB, _ table, _ int) *gorm.DB { return db.Distinct() })},
	{"grouped", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Select(m.key).Group(m.key).Having("count(*) > ?", n-1)
	})},
	{"a scope", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Scopes(func(q *gorm.DB) *gorm.DB { return q.Where(m.number+" >= ?", n) })
	})},
	{"a table of another name", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Table(m.name+" AS it").Where("it."+m.text+" = ?", word(n))
	})},
	{"all columns by name", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Session(&gorm.Session{QueryFields: true}).Where(m.number+" = ?", n)
	})},
	{"a join of text", list(func(db *gorm.DB, m table, n int) *gorm.DB {
		return db.Select(m.name+".*").Joins("JOIN users AS other ON other.id = ?", n+1).Order(m.name + "." + m.text)
	})},
	{"an error of SQL", list(func(db *gorm.DB, _ table, n int) *gorm.DB { return db.Where("nowhere = ?", n) })},
	{"a column that no model has", list(func(db *gorm.DB, _ table, n int) *gorm.DB { return db.Select("*, 7 AS unknown") })},
	{"a column that is there twice", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Select("*", m.text) })},
	{"a NULL where no field has room for it", list(func(db *gorm.DB, m table, _ int) *gorm.DB { return db.Select("*, NULL AS " + m.number).Omit() })},
}

func TestReadsAreThoseOfStockGORM(t *testing.T) {
	times := 3
	if !kit.Slow {
		times = 2 // once before and once after texts are kept
	}
	onCopies(t, func(t *testing.T, p *pair) {
		for _, m := range tables {
			for n := range times {
				for _, r := range append(lists, ones...) {
					p.compare(t, m.name+", "+r.name, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, n) })
				}
			}
		}
		kept, _ := p.plugin.Kept()
		assert.Greater(t, kept, 100, "texts are kept at all")
	})
}

func TestReadsInATransactionAndOnOneConnectionAreThoseOfStockGORM(t *testing.T) {
	kit.NeedSlow(t)
	onCopies(t, func(t *testing.T, p *pair) {
		for _, m := range tables[4:8] {
			for n := range 2 {
				for _, r := range append(lists, ones...) {
					p.compare(t, m.name+", "+r.name, func(db *gorm.DB) (rows any, done *gorm.DB) {
						tx := db.Begin()
						defer tx.Rollback()
						return r.run(tx, m, n)
					})
					p.compare(t, m.name+", on one connection, "+r.name, func(db *gorm.DB) (rows any, done *gorm.DB) {
						_ = db.Connection(func(one *gorm.DB) error {
							rows, done = r.run(one.Session(&gorm.Session{NewDB: true}), m, n)
							return nil
						})
						return rows, done
					})
				}
			}
		}
	})
}
