package fastgorm_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"gorm.io/gorm"

	"healthcare/fastgorm"
	"healthcare/models"
)

// Thing has what no model of the clinic has: defaults, times that GORM sets, hooks, serializers, odd types.
type Thing struct {
	ID        uint
	Name      string `gorm:"default:nameless"`
	Size      int    `gorm:"default:5"`
	CreatedAt time.Time
	UpdatedAt time.Time
	Seconds   int64 `gorm:"autoUpdateTime"`
	Nanos     int64 `gorm:"autoCreateTime:nano"`
	Ratio     float64
	Raw       []byte
	Day       models.Date `gorm:"type:date"`
	Maybe     sql.NullInt64
	Tags      []string   `gorm:"serializer:json"`
	Part      Part       `gorm:"embedded;embeddedPrefix:part_"`
	ReadOnly  string     `gorm:"->"`
	WriteOnce string     `gorm:"<-:create"`
	Ended     *time.Time `gorm:"index"`
	calls     []string
}

// Part is a part of a Thing.
type Part struct{ Title string }

// Plain is a Thing that the plugin can store by itself: it has no serializer and no field that is only read.
type Plain struct {
	ID        uint
	Name      string `gorm:"default:nameless"`
	Size      int    `gorm:"default:5"`
	CreatedAt time.Time
	UpdatedAt time.Time
	Seconds   int64 `gorm:"autoUpdateTime"`
	Level     Level
	Part      Part `gorm:"embedded;embeddedPrefix:part_"`
}

// Level is stored as a text.
type Level int

// Value is what is stored.
func (l Level) Value() (driver.Value, error) { return fmt.Sprint("level ", int(l)), nil }

// Scan reads it.
func (l *Level) Scan(src any) error {
	_, err := fmt.Sscan(fmt.Sprint(src)[len("level "):], (*int)(l))
	return err
}

// GormDataType is its type.
func (Level) GormDataType() string { return "text" }

func (t *Thing) call(hook string) error { t.calls = append(t.calls, hook); return nil }

// The hooks, which GORM calls.
func (t *Thing) BeforeSave(*gorm.DB) error   { return t.call("before save") }
func (t *Thing) BeforeCreate(*gorm.DB) error { return t.call("before create") }
func (t *Thing) AfterCreate(*gorm.DB) error  { return t.call("after create") }
func (t *Thing) BeforeUpdate(*gorm.DB) error { return t.call("before update") }
func (t *Thing) AfterSave(*gorm.DB) error    { return t.call("after save") }
func (t *Thing) AfterFind(*gorm.DB) error    { return t.call("after find") }
func (t *Thing) AfterDelete(*gorm.DB) error  { return t.call("after delete") }

var things = map[string]func(n int) Thing{
	"empty":       func(int) Thing { return Thing{} },
	"with a name": func(n int) Thing { return Thing{Name: word(n), Ratio: 1.5, Raw: []byte{0, 1, 255}, Part: Part{"x"}} },
	"with times":  func(n int) Thing { return Thing{CreatedAt: at(n), UpdatedAt: at(n + 1), Seconds: 3, Nanos: 4} },
	"with a key":  func(n int) Thing { return Thing{ID: uint(900 + n)} },
	"with odd types": func(n int) Thing {
		return Thing{Tags: []string{word(n)}, Maybe: sql.NullInt64{Int64: 3, Valid: true}, Day: "2020-02-02"}
	},
	"with all": func(n int) Thing { at := at(n); return Thing{ReadOnly: "r", WriteOnce: "w", Ended: &at} },
}

func TestDefaultsTimesAndHooksAreThoseOfStockGORM(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for n := range 3 {
			for name, thing := range things {
				for step, run := range map[string]func(db *gorm.DB, row *Thing) *gorm.DB{
					"created": func(db *gorm.DB, row *Thing) *gorm.DB { return db.Create(row) },
					"created without hooks": func(db *gorm.DB, row *Thing) *gorm.DB {
						row.ID *= 2
						return db.Session(&gorm.Session{SkipHooks: true}).Create(row)
					},
					"saved":   func(db *gorm.DB, row *Thing) *gorm.DB { row.ID *= 3; return db.Save(row) },
					"updated": func(db *gorm.DB, row *Thing) *gorm.DB { row.ID = 1; return db.Select("*").Updates(row) },
					"found":   func(db *gorm.DB, row *Thing) *gorm.DB { return db.Order("id").Find(row) },
				} {
					p.compare(t, name+", "+step, func(db *gorm.DB) (any, *gorm.DB) {
						row := thing(n)
						done := run(db.Set("gorm:update_track_time", n == 2), &row)
						return row, done
					})
				}
			}
		}
		p.compare(t, "all", func(db *gorm.DB) (any, *gorm.DB) {
			var rows []Thing
			return &rows, db.Order("name, size, seconds, nanos, ratio, created_at, updated_at, raw, day, maybe, tags, part_title, write_once, ended").Omit("id").Find(&rows)
		})
	})
}

func TestAStructWithDefaultsAndTimesIsKeptAndStaysRight(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for n := range 4 {
			for name, row := range map[string]Plain{
				"empty": {}, "full": {Name: word(n), Size: n, CreatedAt: at(n), UpdatedAt: at(n), Seconds: 1, Level: Level(n)}, "a part": {Part: Part{word(n)}},
			} {
				p.compare(t, name, func(db *gorm.DB) (any, *gorm.DB) {
					row := row
					done := db.Create(&row)
					return row, done
				})
			}
		}
		p.compare(t, "all", func(db *gorm.DB) (any, *gorm.DB) {
			var rows []map[string]any
			done := db.Raw("SELECT name, size, created_at, updated_at, seconds, level, part_title FROM plains ORDER BY 1, 2, 3, 4, 5, 6, 7").Scan(&rows)
			return rows, done
		})
		p.compare(t, "found", func(db *gorm.DB) (any, *gorm.DB) {
			var rows []Plain
			done := db.Order("name, size, level, part_title").Omit("id").Find(&rows)
			return rows, done
		})
	})
}

func TestAPluginThatIsOffLeavesAllToGORM(t *testing.T) {
	onEach(t, copies, func(t *testing.T, fresh fresh) {
		p := newPair(t, fresh, &fastgorm.Plugin{Off: true})
		for _, m := range tables[4:8] {
			for _, r := range append(lists, ones...) {
				p.compare(t, m.name+", "+r.name, func(db *gorm.DB) (any, *gorm.DB) { return r.run(db, m, 1) })
			}
			p.compare(t, m.name+", create", func(db *gorm.DB) (any, *gorm.DB) { row := m.fresh(1); return row, db.Create(row) })
		}
		p.compareTables(t, "off")
		kept, refused := p.plugin.Kept()
		assert.Zero(t, kept+refused)
	})
}
