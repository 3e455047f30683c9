package fastgorm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"healthcare/tests/kit"
)

// dice makes random chains over one table, of values that its rows hold.
type dice struct {
	*rand.Rand
	table  table
	schema *schema.Schema
}

// step is one call of a chain. Its values are chosen once, so that both sides get the same.
type step func(db *gorm.DB) *gorm.DB

// value is what some row holds in a column, and sometimes another value of a plain type.
func (d *dice) value(f *schema.Field) any {
	v, _ := f.ValueOf(context.Background(), reflect.ValueOf(d.table.row(d.IntN(seeded))).Elem())
	if s, ok := v.(time.Time); ok && d.IntN(3) == 0 {
		return s.In(time.FixedZone("x", 3600))
	}
	if f.Name == "ID" {
		return []any{int64(d.IntN(12)), d.IntN(12), int32(d.IntN(12)), uint8(d.IntN(12))}[d.IntN(4)]
	}
	return v
}

func (d *dice) column() *schema.Field {
	return d.schema.FieldsByDBName[d.schema.DBNames[d.IntN(len(d.schema.DBNames))]]
}

// condition is one condition in one of the ways that GORM knows, for Where, Or and Not.
func (d *dice) condition() (query any, args []any) {
	f := d.column()
	v, w := d.value(f), d.value(f)
	switch d.IntN(9) {
	case 0:
		return f.DBName + " = ?", []any{v}
	case 1:
		return f.DBName + " <> ? AND " + f.DBName + " IS NOT NULL", []any{v}
	case 2:
		return f.DBName + " < ? OR " + f.DBName + " > ?", []any{v, w}
	case 3:
		return f.DBName + " IN ?", []any{[]any{v, w}}
	case 4:
		return map[string]any{f.DBName: v}, nil
	case 5:
		return clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: f.DBName}, Value: v}, nil
	case 6:
		return f.DBName + " IS NULL", nil
	case 7:
		return clause.IN{Column: f.DBName, Values: []any{v}}, nil
	default:
		return f.DBName, []any{v}
	}
}

// step is one random step.
func (d *dice) step() step {
	query, args := d.condition()
	other, more := d.condition()
	f, n := d.column(), d.IntN(6)
	all := []step{
		func(db *gorm.DB) *gorm.DB { return db.Where(query, args...) },
		func(db *gorm.DB) *gorm.DB { return db.Where(query, args...).Where(other, more...) },
		func(db *gorm.DB) *gorm.DB { return db.Where(query, args...).Or(other, more...) },
		func(db *gorm.DB) *gorm.DB { return db.Not(query, args...) },
		func(db *gorm.DB) *gorm.DB {
			return db.Where(db.Session(&gorm.Session{NewDB: true}).Where(query, args...).Or(other, more...))
		},
		func(db *gorm.DB) *gorm.DB { return db.Order(f.DBName + " DESC") },
		func(db *gorm.DB) *gorm.DB {
			return db.Order(clause.OrderByColumn{Column: clause.Column{Name: f.DBName}, Desc: n > 2})
		},
		func(db *gorm.DB) *gorm.DB { return db.Limit(n) },
		func(db *gorm.DB) *gorm.DB { return db.Limit(8).Offset(n) },
		func(db *gorm.DB) *gorm.DB { return db.Unscoped() },
		func(db *gorm.DB) *gorm.DB {
			return db.Select(append([]string{f.DBName}, d.schema.PrimaryFieldDBNames...))
		},
		func(db *gorm.DB) *gorm.DB { return db.Omit(f.DBName) },
		func(db *gorm.DB) *gorm.DB { return db.Clauses(clause.Locking{Strength: "SHARE"}) },
	}
	return all[d.IntN(len(all))]
}

// chain is some steps and an end.
func (d *dice) chain() chain {
	steps := make([]step, d.IntN(4))
	for i := range steps {
		steps[i] = d.step()
	}
	end := d.IntN(4)
	return func(db *gorm.DB) (any, *gorm.DB) {
		for _, s := range steps {
			db = s(db)
		}
		rows, row, count := d.table.slice(), d.table.new(), int64(0)
		switch end {
		case 0:
			return row, db.Order(d.table.key).Limit(1).Find(row)
		case 1:
			return row, db.Order(d.table.key).Take(row)
		case 2:
			return &count, db.Model(row).Count(&count)
		default:
			return rows, db.Order(d.table.key).Find(rows)
		}
	}
}

func TestRandomChainsReadWhatStockGORMReads(t *testing.T) {
	seed, chains := rand.Uint64(), 250
	if !kit.Slow {
		chains = 50
	}
	onCopies(t, func(t *testing.T, p *pair) {
		for i, m := range tables {
			d := &dice{rand.New(rand.NewPCG(seed, uint64(i))), m, parsed(t, p.stock, m)}
			for n := range chains {
				run := d.chain()
				p.compare(t, fmt.Sprintf("seed %d, %s, chain %d", seed, m.name, n), run)
			}
		}
	})
}

func parsed(t *testing.T, db *gorm.DB, m table) *schema.Schema {
	t.Helper()
	stmt := &gorm.Statement{DB: db}
	require.NoError(t, stmt.Parse(m.new()))
	return stmt.Schema
}
