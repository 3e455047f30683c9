package models

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/config"
)

// visit belongs to a patient, and clients write its patient_id.
type visit struct {
	ID        int64          `json:"id"`
	PatientID int64          `json:"patient_id"`
	Reason    string         `json:"reason"`
	Version   int64          `json:"version"`
	DeletedAt gorm.DeletedAt `json:"-"`
}

func (v *visit) subject() Subject        { return Subject{"visit", v.ID, v.PatientID} }
func (v *visit) ETag() string            { return ETag(v.Version) }
func (v *visit) changeableBy(Actor) bool { return true }
func (v *visit) deletableBy(Actor) bool  { return true }
func (v *visit) deleted() bool           { return v.DeletedAt.Valid }
func (v *visit) changed(time.Time)       { v.Version++ }
func (v *visit) version() int64          { return v.Version }
func (v *visit) whenDuplicate() string   { return "" }

func TestWhatBelongsToAPatientIsNotGivenToAnother(t *testing.T) {
	address := "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "clinic.db")
	cfg, err := config.Load([]string{address, "JWT_SECRET=" + rand.Text() + rand.Text(), "AUDIT_KEY=" + rand.Text() + rand.Text()}, os.DevNull)
	require.NoError(t, err)
	db, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	require.NoError(t, db.write.AutoMigrate(&visit{}))
	require.NoError(t, db.write.Exec("INSERT INTO visits (id, patient_id, reason, version) VALUES (1, 7, 'fever', 1)").Error)

	for _, to := range []int64{8, 0} {
		_, err := change(t.Context(), db, Actor{}, 1, everything, func(_ *Tx, v *visit) error {
			v.PatientID, v.Reason = to, "cough"
			return nil
		})
		assert.Equal(t, apierror.Fields{"patient_id": {"This field may not be changed."}}.Err(), err)
	}
	var stored visit
	require.NoError(t, db.read.Take(&stored, 1).Error)
	assert.Equal(t, visit{ID: 1, PatientID: 7, Reason: "fever", Version: 1}, stored)
	changed, err := change(t.Context(), db, Actor{}, 1, everything, func(_ *Tx, v *visit) error {
		v.PatientID, v.Reason = 7, "cough" // as a PUT repeats it
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, visit{ID: 1, PatientID: 7, Reason: "cough", Version: 2}, *changed)
}
