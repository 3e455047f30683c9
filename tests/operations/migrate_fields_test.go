package operations

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
	"healthcare/tests/kit"
)

// morePatient is the patient of a later version, with a new field of each kind.
type morePatient struct {
	models.Patient
	Ward     string        `gorm:"not null"`
	WardKey  models.Folded `gorm:"not null;index:patients_ward"`
	Beds     int           `gorm:"not null;check:patients_beds,beds >= 0"`
	Weight   float64       `gorm:"not null"`
	Smoker   bool          `gorm:"not null"`
	Level    string        `gorm:"not null;check:patients_level,level IN ('low','high')" default:"low"`
	Score    int           `gorm:"not null;check:patients_score,score > 0" default:"7"`
	Known    bool          `gorm:"not null" default:"true"`
	Since    time.Time     `gorm:"not null" default:"2026-01-31T08:00:00+01:00"`
	Checked  models.Date   `gorm:"not null" default:"2026-01-31"`
	Plan     string        `gorm:"not null;default:basic"`
	Height   *int          `gorm:"check:patients_height,height > 0"`
	Seen     *time.Time
	Due      models.Date
	Code     *models.Folded `gorm:"uniqueIndex:patients_code"`
	DoctorID *int64
	Doctor   *models.Doctor `gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

func (morePatient) TableName() string { return "patients" }

// With fields that the rows which are there cannot do without.
type (
	patientWithTime struct {
		models.Patient
		Since time.Time `gorm:"not null"`
	}
	patientWithDay struct {
		models.Patient
		Since models.Date `gorm:"not null"`
	}
	patientWithLevel struct {
		models.Patient
		Level string `gorm:"not null;check:patients_level,level IN ('low','high')"`
	}
	patientWithScore struct {
		models.Patient
		Score int `gorm:"not null;check:patients_score,score > 0" default:"0"`
	}
	patientWithNonsense struct {
		models.Patient
		Score int `gorm:"not null" default:"many"`
	}
	patientWithCode struct {
		models.Patient
		Code string `gorm:"not null;uniqueIndex:patients_code"`
	}
	patientWithReference struct {
		models.Patient
		DoctorID int64 `gorm:"not null"`
		Doctor   *models.Doctor
	}
)

func (patientWithTime) TableName() string      { return "patients" }
func (patientWithDay) TableName() string       { return "patients" }
func (patientWithLevel) TableName() string     { return "patients" }
func (patientWithScore) TableName() string     { return "patients" }
func (patientWithNonsense) TableName() string  { return "patients" }
func (patientWithCode) TableName() string      { return "patients" }
func (patientWithReference) TableName() string { return "patients" }

// onBothAlone is kit.OnBoth for a test that nothing may run beside, because it is the program of a later version.
func onBothAlone(t *testing.T, test func(t *testing.T, api *kit.API)) {
	t.Helper()
	for name, fresh := range kit.Fresh {
		t.Run(name, func(t *testing.T) {
			now := models.Tables
			t.Cleanup(func() { models.Tables = now })
			test(t, kit.Start(t, migrating(fresh(t))))
		})
	}
}

// laterVersion has the program start with another model of patients.
func laterVersion(patient any) {
	models.Tables = slices.Clone(models.Tables)
	models.Tables[slices.IndexFunc(models.Tables, func(m any) bool { _, ok := m.(*models.Patient); return ok })] = patient
}

func fill(api *kit.API) {
	ana := kit.EveryTable(api)
	for range 3 {
		ana.Post("/api/patients/", kit.Without(kit.Records[0].Full, "identifiers")).Expect(http.StatusCreated)
	}
	ana.Delete("/api/patients/4/").Expect(http.StatusNoContent)
}

func TestAFieldOfEachKindIsAddedToAFilledDatabase(t *testing.T) {
	kit.NeedSlow(t)
	onBothAlone(t, func(t *testing.T, api *kit.API) {
		fill(api)
		const old = "SELECT id, name, date_of_birth, gender, phone, created_by, created_at, version, search_text, deleted_at FROM patients ORDER BY id"
		before, events := api.Rows(old), api.Rows("SELECT * FROM events ORDER BY id")
		laterVersion(&morePatient{})
		kit.Start(t, api.Config)
		assert.Equal(t, before, api.Rows(old))
		assert.Equal(t, events, api.Rows("SELECT * FROM events ORDER BY id"))
		assert.Equal(t, 4, api.Count("SELECT count(*) FROM patients WHERE ward = '' AND ward_key = '' AND beds = 0 AND weight = 0 AND NOT smoker AND level = 'low'"+
			" AND score = 7 AND known AND plan = 'basic' AND height IS NULL AND seen IS NULL AND due IS NULL AND code IS NULL AND doctor_id IS NULL"))
		var since time.Time
		var checked models.Date
		require.NoError(t, api.SQL().QueryRow("SELECT since, checked FROM patients WHERE id = 1").Scan(&since, &checked))
		assert.Equal(t, time.Date(2026, 1, 31, 7, 0, 0, 0, time.UTC), since.UTC())
		assert.Equal(t, models.Date("2026-01-31"), checked)

		schema := schemaOf(api)
		for _, index := range []string{"patients_ward", "patients_code", "patients_newest", "patients_search"} {
			assert.True(t, strings.Contains(schema, index), index)
		}
		for _, wrong := range []string{"level = 'none'", "score = 0", "height = 0", "beds = -1", "doctor_id = 99", "ward = NULL", "code = 'same'"} {
			_, err := api.SQL().Exec("UPDATE patients SET " + wrong)
			assert.ErrorContains(t, err, "onstraint", wrong)
		}
		kit.Start(t, api.Config)
		assert.True(t, schema == schemaOf(api), "another start changes tables")
		assert.Equal(t, before, api.Rows(old))

		file := filepath.Join(t.TempDir(), "backup.zip")
		code, printed := api.RunCommand("", "backup", file)
		require.Zero(t, code, printed)
		code, printed = api.RunCommand("", "backup", "--check", file)
		require.Zero(t, code, printed)
	})
}

func TestAFieldThatRowsCannotDoWithoutStopsTheStartWithASentence(t *testing.T) {
	kit.NeedSlow(t)
	onBothAlone(t, func(t *testing.T, api *kit.API) {
		fill(api)
		schema, contents, now := schemaOf(api), api.Contents(), models.Tables
		const begin = "migration: table patients has rows, and they need a value for the new column "
		for _, c := range []struct {
			patient any
			says    string
		}{
			{&patientWithTime{}, begin + "since (there is no empty time.Time): say which in the tag of the field patientWithTime.Since, " +
				"beside `gorm:…`, as in `default:\"2026-01-31T00:00:00Z\"`"},
			{&patientWithDay{}, begin + "since (there is no empty models.Date): say which in the tag of the field patientWithDay.Since, " +
				"beside `gorm:…`, as in `default:\"2026-01-31\"`"},
			{&patientWithLevel{}, begin + "level (its check patients_level refuses an empty one): say which"},
			{&patientWithScore{}, begin + "score (its check patients_score refuses an empty one): say which"},
			{&patientWithNonsense{}, begin + "score (\"many\" is none): say which"},
			{&patientWithReference{}, begin + "doctor_id (it refers to doctors): say which"},
			{&patientWithCode{}, "migration: table patients has rows that would all get the same in the new column code, and its index patients_code is unique: " +
				"make the field patientWithCode.Code a pointer"},
		} {
			models.Tables = now
			laterVersion(c.patient)
			_, err := models.Open(t.Context(), api.Config)
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, schema, schemaOf(api))
			assert.Equal(t, contents, api.Contents())
		}
		// Where there are no rows, all of them can be added.
		models.Tables = now
		empty := kit.Start(t, migrating(kit.Fresh[map[bool]string{true: "postgres", false: "sqlite"}[api.IsPostgres()]](t)))
		laterVersion(&patientWithTime{})
		kit.Start(t, empty.Config)
		assert.Equal(t, 0, empty.Count("SELECT count(since) FROM patients"))
	})
}
