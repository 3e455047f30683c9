package models

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// Assign assigns a doctor to a patient that the actor may see. Both rows are locked meanwhile, so that neither can be deleted
// under the new assignment.
func (db *DB) Assign(ctx context.Context, by Actor, bind Bind[MappingFields]) (*Assignment, error) {
	return create(ctx, db, by, db.Write, bind, func(tx *Tx, in MappingFields, errs apierror.Fields) (*Assignment, error) {
		var patient Patient
		var doctor Doctor
		tx.auditIfRefused(ActionAssign, Subject{Object: objectMapping, PatientID: in.PatientID})
		found := tx.Scopes(by.owns("created_by"), tx.forShare).Take(&patient, in.PatientID)
		if err := addIfMissing(errs, "patient_id", in.PatientID, found.Error); err != nil {
			return nil, err
		}
		found = tx.Scopes(tx.forShare).Take(&doctor, in.DoctorID)
		if err := addIfMissing(errs, "doctor_id", in.DoctorID, found.Error); err != nil {
			return nil, err
		}
		if err := errs.Err(); err != nil {
			return nil, err
		}
		m := Mapping{MappingFields: in, OwnerID: patient.CreatedBy, AssignedBy: by.ID, CreatedAt: tx.Now}
		created := tx.Clauses(tx.event(ActionAssign, &m, m.assigned())).Create(&m)
		if created.Error != nil {
			return nil, apierror.ConflictIfDuplicate(created.Error, "This doctor is already assigned to this patient.")
		}
		return &Assignment{
			ID: m.ID, MappingFields: in, AssignedBy: by.ID, CreatedAt: m.CreatedAt,
			Patient: PatientName{patient.ID, patient.Name}, Doctor: DoctorName{doctor.ID, doctor.Name, doctor.Specialization},
		}, nil
	})
}

// addIfMissing notes that a field names a row that was not found. It passes on every other error.
func addIfMissing(errs apierror.Fields, field string, id int64, err error) error {
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	if errs[field] == nil {
		errs.Add(field, fmt.Sprintf("Invalid pk \"%d\" - object does not exist.", id))
	}
	return nil
}

// Unassign removes one assignment of the actor's patients.
func (db *DB) Unassign(ctx context.Context, by Actor, id int64) error {
	return db.unassign(ctx, by, Subject{Object: objectMapping, ID: id}, "id = ?", id)
}

// Removal is the body that removes a doctor from a patient.
type Removal struct {
	DoctorID int64 `json:"doctor_id" alias:"doctor" validate:"required"`
}

// UnassignDoctor removes a doctor from one of the actor's patients.
func (db *DB) UnassignDoctor(ctx context.Context, by Actor, patient int64, bind Bind[Removal]) error {
	in, err := bind.Read()
	if err != nil {
		return err
	}
	return db.unassign(ctx, by, Subject{Object: objectMapping, PatientID: patient}, "patient_id = ? AND doctor_id = ?", patient, in.DoctorID)
}

func (db *DB) unassign(ctx context.Context, by Actor, about Subject, which string, args ...any) error {
	return db.Write(ctx, by, func(tx *Tx) error {
		tx.auditIfRefused(ActionUnassign, about)
		var m Mapping
		if err := tx.Scopes(by.owns("owner_id"), tx.forUpdate).Where(which, args...).Take(&m).Error; err != nil {
			return err
		}
		return tx.Clauses(tx.event(ActionUnassign, &m, m.unassigned())).Delete(&m).Error
	})
}

// assigned and unassigned are what the event of an assignment, and of its end, tells in the patient's history.
func (m *Mapping) assigned() Changes {
	return NewChanges(map[string]FromTo{"doctor_id": {nil, m.DoctorID}})
}

func (m *Mapping) unassigned() Changes {
	return NewChanges(map[string]FromTo{"doctor_id": {m.DoctorID, nil}})
}

// What belongs.go needs to know of an assignment.
func (m *Mapping) back() (action string, changes Changes) { return ActionAssign, m.assigned() }
func (m *Mapping) gone() (action string, changes Changes) { return ActionUnassign, m.unassigned() }

// onceOf says that a patient has each doctor once, as the index mappings_pair does.
func (m *Mapping) onceOf() (column string) { return "doctor_id" }

// restoreMappings brings back the assignments that went with a patient or doctor. Where the other side has been deleted
// since, the assignment now waits for that one to be restored.
func (tx *Tx) restoreMappings(of Subject) error {
	column, otherColumn, other, otherModel := "patient_id", "doctor_id", objectDoctor, any(&Doctor{})
	if of.Object == objectDoctor {
		column, otherColumn, other, otherModel = "doctor_id", "patient_id", objectPatient, &Patient{}
	}
	gone := func() *gorm.DB {
		return tx.Unscoped().Model(&Mapping{}).Where(column+" = ? AND removed_with = ?", of.ID, of.Object)
	}

	// The other sides must not be deleted, nor restored, while their assignments come back.
	var locked []int64
	others := tx.Unscoped().Model(otherModel).Where("id IN (?)", gone().Select(otherColumn)).Order("id")
	if err := others.Scopes(tx.forShare).Pluck("id", &locked).Error; err != nil || len(locked) == 0 {
		return err
	}

	// Those of a deleted one wait for it.
	deleted := tx.Unscoped().Model(otherModel).Where("deleted_at IS NOT NULL").Where("id IN (?)", gone().Select(otherColumn)).Select("id")
	if err := gone().Where(otherColumn+" IN (?)", deleted).UpdateColumn("removed_with", other).Error; err != nil {
		return err
	}

	return restoreWith[Mapping](tx, of) // the rest
}
