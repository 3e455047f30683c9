// Each of these tests is about a place in which the plugin once differed from stock GORM.
package fastgorm_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/fastgorm"
	"healthcare/models"
	"healthcare/tests/kit"
)

func TestAnOrBeforeAWhereKeepsItsValuesInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for _, n := range [][2]string{{"x", "x"}, {"Ana", "10.0.0.0"}} { // equal values first: then the text is kept
			p.compare(t, n[0], func(db *gorm.DB) (any, *gorm.DB) {
				var rows []models.LoginFailure
				return &rows, db.Or("account = ?", n[0]).Where("network = ?", n[1]).Order("id").Find(&rows)
			})
		}
	})
}

func TestAStatementThatReturnsARowRunsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "returning", func(db *gorm.DB) (any, *gorm.DB) {
			row := models.LoginFailure{}
			return &row, db.Raw("INSERT INTO login_failures (account, network, at) VALUES (?, 'n', ?) RETURNING id, NULL AS network", "raw", clock).Find(&row)
		})
		p.compareTables(t, "returning")
	})
}

func TestColumnsOfARelationAreFilledWithoutJoins(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "nested", func(db *gorm.DB) (any, *gorm.DB) {
			var rows []models.Patient
			return &rows, db.Raw(`SELECT patients.*, users.id AS "Creator__id" FROM patients JOIN users ON users.id = created_by ORDER BY patients.id`).Find(&rows)
		})
	})
}

func TestAnUnknownColumnAloneIsAnError(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "alone", func(db *gorm.DB) (any, *gorm.DB) {
			var rows []models.Patient
			return &rows, db.Select("7 AS unknown").Find(&rows)
		})
	})
}

func TestANULLLeavesWhatARowHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "held", func(db *gorm.DB) (any, *gorm.DB) {
			at := clock
			row := models.Session{EndedAt: &at}
			return &row, db.Order("id").Take(&row)
		})
	})
}

func TestAfterAnErrorTheDestinationIsAsBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "nil", func(db *gorm.DB) (any, *gorm.DB) {
			var rows []models.Patient
			return &rows, db.Select("id, 1 / (id - id) AS version").Where("abs(-9223372036854775807 - id) > 0").Find(&rows)
		})
		p.compare(t, "filled", func(db *gorm.DB) (any, *gorm.DB) {
			rows := []models.Patient{{ID: 3}}
			return &rows, db.Select("id, 1 / (id - id) AS version").Where("abs(-9223372036854775807 - id) > 0").Find(&rows)
		})
	})
}

func TestAMapForATableWithoutAModel(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "map", func(db *gorm.DB) (any, *gorm.DB) {
			return nil, db.Table("patients").Where("id = ?", 1).Updates(map[string]any{"phone": "new"})
		})
		p.compare(t, "a struct by value", func(db *gorm.DB) (any, *gorm.DB) {
			return nil, db.Where("id = ?", 99).Updates(models.Seal{MAC: "x", Pending: models.IDs{1}})
		})
	})
}

func TestBothTimesOfARowAreOne(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "ticking", func(db *gorm.DB) (any, *gorm.DB) {
			now := clock
			row := Plain{}
			done := db.Session(&gorm.Session{NowFunc: func() time.Time { now = now.Add(time.Second); return now }}).Create(&row)
			return row.CreatedAt.Equal(row.UpdatedAt), done
		})
	})
}

// Word is a text that reads NULL as something.
type Word string

// Scan reads it.
func (w *Word) Scan(src any) error {
	if *w = "none"; src != nil {
		*w = Word(src.(string))
	}
	return nil
}

// Odd has fields that the plugin does not expect.
type Odd struct {
	ID     int64
	IDs    *models.IDs
	Day    *models.Date `gorm:"type:date"`
	Word   Word
	Size   int    `gorm:"default:5"`
	Locked string `gorm:"<-:update"`
}

// Named has a key of texts that the database makes.
type Named struct {
	ID   string `gorm:"primaryKey;default:(lower('X'))"`
	Name string
}

func TestNilPointersToValuers(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "create", func(db *gorm.DB) (any, *gorm.DB) { row := Odd{}; return &row, db.Create(&row) })
		p.compare(t, "two", func(db *gorm.DB) (any, *gorm.DB) {
			rows := []Odd{{}, {}}
			return nil, db.Create(&rows)
		})
	})
}

func TestAKeyOfText(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		p.compare(t, "create", func(db *gorm.DB) (any, *gorm.DB) { row := Named{Name: "x"}; return &row, db.Create(&row) })
	})
}

func TestManyRowsKeepKeysDefaultsAndClauses(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		day := models.Date("2020-01-01")
		for name, run := range map[string]func(db *gorm.DB) *gorm.DB{
			"keys": func(db *gorm.DB) *gorm.DB {
				return db.Create(&[]models.LoginFailure{{ID: 700, Account: "a", At: clock}, {ID: 701, Account: "b", At: clock}})
			},
			"some keys": func(db *gorm.DB) *gorm.DB {
				return db.Create(&[]models.LoginFailure{{ID: 710, Account: "a", At: clock}, {Account: "b", At: clock}})
			},
			"defaults": func(db *gorm.DB) *gorm.DB {
				return db.Create(&[]Odd{{IDs: &models.IDs{1}, Day: &day, Locked: "x"}, {Locked: "y"}})
			},
			"no rows": func(db *gorm.DB) *gorm.DB { return db.Create(&[]models.LoginFailure{}) },
			"omitted": func(db *gorm.DB) *gorm.DB {
				return db.Omit("account").Create(&[]models.LoginFailure{{Account: "a", At: clock}, {Account: "b", At: clock}})
			},
			"conflict": func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&[]models.Mapping{{MappingFields: models.MappingFields{PatientID: 1, DoctorID: 1}, OwnerID: 1, AssignedBy: 1, CreatedAt: clock}, {MappingFields: models.MappingFields{PatientID: 1, DoctorID: 9}, OwnerID: 1, AssignedBy: 1, CreatedAt: clock}})
			},
		} {
			p.compare(t, name, func(db *gorm.DB) (any, *gorm.DB) { return nil, run(db) })
			p.compareTables(t, name)
			p.compare(t, name, func(db *gorm.DB) (any, *gorm.DB) {
				var rows []map[string]any
				done := db.Raw("SELECT * FROM odds").Scan(&rows)
				return rows, done
			})
		}
	})
}

// Hooked is a row for Also with a hook.
type Hooked struct {
	ID        int64
	PatientID int64
	Key       string
}

// BeforeSave fills the key.
func (h *Hooked) BeforeSave(*gorm.DB) error { h.Key = "hooked"; return nil }

func TestAlsoRunsTheHooksOfItsRow(t *testing.T) {
	onBothWithOff(t, func(t *testing.T, p *pair) {
		p.compare(t, "hooks", func(db *gorm.DB) (any, *gorm.DB) {
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				return tx.Clauses(fastgorm.Also(&Hooked{}, "patient_id")).Create(patientRow(1)).Error
			}))
			var rows []map[string]any
			done := db.Raw("SELECT patient_id, key FROM hookeds").Scan(&rows)
			return rows, done
		})
	})
}

func TestAlsoWithKeysAndASliceIsAnError(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		assert.NotPanics(t, func() {
			_ = p.fast.Transaction(func(tx *gorm.DB) error {
				return tx.Clauses(fastgorm.Also(eventOf(1), "object_id")).Create(&[]models.Patient{*patientRow(1).(*models.Patient)}).Error
			})
		})
	})
}

func TestTypesThatPgxReadsInAnotherWay(t *testing.T) {
	t.Parallel()
	p := newPair(t, kit.FreshPostgres, &fastgorm.Plugin{})
	for _, value := range []string{
		"1.50::numeric", "2::numeric", "2.0::numeric", "1000000::float8", "1.5::float4", "1e300::float8", "true", "7::int2", "7::int8", "'12:30'::time", "'1 day'::interval",
		"'2020-01-02'::date", "'2020-01-02 03:04:05'::timestamp", "'2020-01-02 03:04:05+00'::timestamptz", "'infinity'::date", "'infinity'::timestamptz",
		"'127.0.0.1'::inet", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", `'{"a": 1}'::jsonb`, `'{"a": 1}'::json`, `'\x0041'::bytea`, "'{1,2}'::int8[]", "'x'::char(3)", "'5'::text", "'t'::text", "'abc'::name", "5::oid",
	} {
		for _, column := range []string{"text", "bytes", "number", "small", "ratio", "truth", "at", "day", "nul"} {
			p.compare(t, value+" as "+column, func(db *gorm.DB) (any, *gorm.DB) {
				var rows []Kinds
				done := db.Raw("SELECT 1 AS id, " + value + " AS " + column).Find(&rows)
				if done.Error != nil {
					return nil, &gorm.DB{Error: done.Error}
				}
				return &rows, done
			})
		}
	}
}

// Kinds has a field of each kind.
type Kinds struct {
	ID     int64
	Text   string
	Bytes  []byte
	Number int64
	Small  uint8
	Ratio  float64
	Truth  bool
	At     time.Time
	Day    models.Date
	Nul    sql.NullString
}
