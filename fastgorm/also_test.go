package fastgorm_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"healthcare/fastgorm"
	"healthcare/models"
	"healthcare/tests/kit"
)

// eventOf is the other row of a change.
func eventOf(n int) *models.Event {
	return &models.Event{
		At: at(n), UserID: maybe(n, id(n)), Action: "change", Object: "patient", Changes: "{}", Outcome: word(n),
		PatientIDs: []models.IDs{nil, {}, {7, 8}}[n%3], RequestID: fmt.Sprint("also ", n),
	}
}

// refusedEvent is a row that the database refuses, see addTables.
func refusedEvent() *models.Event {
	return &models.Event{At: clock, Action: "change", Object: "patient", Changes: "{}", Outcome: "refused"}
}

// change is a change of a patient that a clause is added to.
type change struct {
	name string
	run  func(db *gorm.DB, n int) (any, *gorm.DB)
}

var changes = []change{
	{"create", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n).(*models.Patient)
		return row, db.Create(row)
	}},
	{"create a duplicate", func(db *gorm.DB, _ int) (any, *gorm.DB) {
		row := *doctorRow(1).(*models.Doctor)
		return row, db.Create(&row)
	}},
	{"create with a key", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n).(*models.Patient)
		row.ID = int64(600 + n)
		return row, db.Create(row)
	}},
	{"create what a check refuses", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n).(*models.Patient)
		row.Gender = "x"
		return row, db.Create(row)
	}},
	{"update", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n + 3).(*models.Patient)
		row.ID = 4
		return row, db.Select("*").Omit("created_at", "deleted_at").Updates(row)
	}},
	{"update where", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n + 3).(*models.Patient)
		row.ID = 5
		return row, db.Where("version = ?", n+4).Select("*").Omit("created_at", "deleted_at").Updates(row)
	}},
	{"update what is not there", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n).(*models.Patient)
		row.ID = 4444
		return row, db.Select("*").Updates(row)
	}},
	{"update what a check refuses", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n).(*models.Patient)
		row.ID, row.Version = 1, -1
		return row, db.Select("*").Updates(row)
	}},
	{"update what is deleted", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := patientRow(n).(*models.Patient)
		row.ID = 3
		return row, db.Select("*").Updates(row)
	}},
	{"update a column", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := &models.Patient{ID: 2}
		return row, db.Model(row).UpdateColumn("phone", word(n))
	}},
	{"update a column, unscoped", func(db *gorm.DB, _ int) (any, *gorm.DB) {
		row := &models.Patient{ID: 3}
		return row, db.Unscoped().Model(row).Update("deleted_at", nil)
	}},
	{"update with no condition", func(db *gorm.DB, n int) (any, *gorm.DB) {
		return nil, db.Model(&models.Patient{}).Update("phone", word(n))
	}},
	{"delete", func(db *gorm.DB, n int) (any, *gorm.DB) {
		row := &models.Patient{ID: int64(7 + n)}
		return row, db.Delete(row)
	}},
	{"delete what is not there", func(db *gorm.DB, _ int) (any, *gorm.DB) { row := &models.Patient{ID: 4444}; return row, db.Delete(row) }},
	{"delete with no condition", func(db *gorm.DB, _ int) (any, *gorm.DB) { return nil, db.Delete(&models.Patient{}) }},
}

// withOff is a pair of a plugin that is off and of one that is not: Also works with both.
func withOff(t *testing.T, fresh fresh) *pair {
	t.Helper()
	p := newPair(t, fresh, &fastgorm.Plugin{})
	require.NoError(t, p.stock.Use(&fastgorm.Plugin{Off: true}))
	return p
}

func onBothWithOff(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Helper()
	onEach(t, kit.Fresh, func(t *testing.T, fresh fresh) { test(t, withOff(t, fresh)) })
}

func TestAChangeAndItsAlsoAreStoredAlikeByAPluginThatIsOff(t *testing.T) {
	onBothWithOff(t, func(t *testing.T, p *pair) {
		for _, c := range changes {
			for n := range 3 {
				for _, event := range []func() *models.Event{func() *models.Event { return eventOf(n) }, refusedEvent} {
					p.compare(t, c.name, func(db *gorm.DB) (rows any, done *gorm.DB) {
						err := db.Transaction(func(tx *gorm.DB) error {
							rows, done = c.run(tx.Clauses(fastgorm.Also(event(), "object_id", "patient_id")), n)
							return done.Error
						})
						if err != nil { // what the transaction takes back anyhow depends on how far it came
							return nil, &gorm.DB{Error: err}
						}
						return rows, done
					})
				}
			}
			p.compareTables(t, c.name)
		}
	})
}
