package models

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
)

// Assign assigns a doctor to one of the actor's patients. Both rows are locked meanwhile, so that neither can be
// deleted under the new assignment.
func (db *DB) Assign(ctx context.Context, by Actor, change Change[MappingFields]) (*Assignment, error) {
	var a *Assignment
	err := db.Write(ctx, by, func(tx *Tx) (err error) {
		a, err = once(tx, func() (*Assignment, error) { return tx.assign(change) })
		return err
	})
	if err == nil && by.Retry.replayed() {
		e := by.event(now(), ActionRead, objectMapping, a.ID)
		e.PatientID = &a.PatientID
		err = db.audited(e, nil)
	}
	return a, err
}

func (tx *Tx) assign(change Change[MappingFields]) (*Assignment, error) {
	var patient Patient
	var doctor Doctor
	var in MappingFields
	wrong := change.apply(&in)
	tx.attempts(ActionAssign, objectMapping, 0, in.PatientID)
	if err := exists(wrong, "patient_id", in.PatientID, lockShared(tx, &patient, in.PatientID, tx.By.sees("created_by")...)); err != nil {
		return nil, err
	}
	if err := exists(wrong, "doctor_id", in.DoctorID, lockShared(tx, &doctor, in.DoctorID, undeleted)); err != nil {
		return nil, err
	}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	m := Mapping{MappingFields: in, OwnerID: patient.CreatedBy, AssignedBy: tx.By.ID, CreatedAt: tx.Now}
	if err := tx.Create(&m).Error; err != nil {
		return nil, apierror.ConflictIfDuplicate(err, "This doctor is already assigned to this patient.")
	}
	return &Assignment{
		ID: m.ID, MappingFields: in, AssignedBy: tx.By.ID, CreatedAt: m.CreatedAt,
		Patient: PatientName{patient.ID, patient.Name}, Doctor: DoctorName{doctor.ID, doctor.Name, doctor.Specialization},
	}, tx.recordMappings(ActionAssign, []Mapping{m})
}

// exists notes that a field names a row that the look-up did not find; it passes on every other error.
func exists(f apierror.Fields, field string, id int64, err error) error {
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	if f[field] == nil {
		f.Add(field, fmt.Sprintf("Invalid pk \"%d\" - object does not exist.", id))
	}
	return nil
}

// Unassign removes one assignment of the actor's patients.
func (db *DB) Unassign(ctx context.Context, by Actor, id int64) error {
	return db.Write(ctx, by, func(tx *Tx) error {
		tx.attempts(ActionUnassign, objectMapping, id, 0)
		return tx.unassign(where("id = ?", id))
	})
}

// Removal is the body that removes a doctor from a patient.
type Removal struct {
	DoctorID int64 `json:"doctor_id" validate:"required"`
}

// UnassignDoctor removes a doctor from one of the actor's patients.
func (db *DB) UnassignDoctor(ctx context.Context, by Actor, patient int64, change Change[Removal]) error {
	in, err := Read(change)
	if err != nil {
		return err
	}
	return db.Write(ctx, by, func(tx *Tx) error {
		tx.attempts(ActionUnassign, objectMapping, 0, patient)
		return tx.unassign(where("patient_id = ? AND doctor_id = ?", patient, in.DoctorID))
	})
}

func (tx *Tx) unassign(which condition) error {
	var m Mapping
	if err := lockRow(tx, &m, " FOR UPDATE", append(tx.By.sees("owner_id"), which)...); err != nil {
		return err
	}
	if err := tx.hide(&Mapping{}, m.ID); err != nil {
		return err
	}
	return tx.recordMappings(ActionUnassign, []Mapping{m})
}

// hideMappings removes the assignments of a patient or doctor that is being deleted.
func (tx *Tx) hideMappings(with, where string, id int64) error {
	var gone []Mapping
	if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Where(where, id).Order("id").Find(&gone).Error; err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	err := tx.Model(&Mapping{}).Where(where, id).UpdateColumns(map[string]any{"deleted_at": tx.Now, "removed_with": with}).Error
	if err != nil {
		return err
	}
	return tx.recordMappings(ActionUnassign, gone)
}

// unhideMappings brings back the assignments that went with a patient or doctor. Where the other side has been deleted
// since, the assignment now waits for that one to be restored.
func (tx *Tx) unhideMappings(with, where string, id int64) error {
	other, others, column := objectDoctor, "doctors", "doctor_id"
	if with == objectDoctor {
		other, others, column = objectPatient, "patients", "patient_id"
	}
	gone := func() *gorm.DB {
		return tx.Unscoped().Model(&Mapping{}).Where(where, id).Where("removed_with = ?", with)
	}
	// The other side must not be deleted while the assignment comes back.
	var kept []int64
	shared := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthShare}).Table(others).Order("id")
	if err := shared.Where("id IN (?)", gone().Select(column)).Pluck("id", &kept).Error; err != nil || len(kept) == 0 {
		return err
	}
	deleted := "EXISTS (SELECT 1 FROM " + others + " AS other WHERE other.id = mappings." + column + " AND other.deleted_at IS NOT NULL)"
	if err := gone().Where(deleted).UpdateColumn("removed_with", other).Error; err != nil {
		return err
	}
	var back []Mapping
	if err := gone().Order("id").Find(&back).Error; err != nil || len(back) == 0 {
		return err
	}
	if err := gone().UpdateColumns(map[string]any{"deleted_at": nil, "removed_with": ""}).Error; err != nil {
		return err
	}
	return tx.recordMappings(ActionAssign, back)
}
