package models

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Mapping assigns a doctor to a patient.
type Mapping struct {
	ID int64 `json:"id" gorm:"index:mappings_owner_created,priority:3;index:mappings_created,priority:3"`
	MappingFields
	// OwnerID is the patient's created_by, kept here so that a list of mappings needs no join to be scoped.
	OwnerID    int64          `json:"-" gorm:"not null;index:mappings_owner_created,priority:1,where:deleted_at IS NULL"`
	AssignedBy int64          `json:"assigned_by" gorm:"not null"`
	CreatedAt  time.Time      `json:"created_at" gorm:"not null;index:mappings_owner_created,priority:2;index:mappings_created,priority:2,where:deleted_at IS NULL"`
	DeletedAt  gorm.DeletedAt `json:"-"`

	Patient  *Patient `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
	Doctor   *Doctor  `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
	Owner    *User    `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
	Assigner *User    `json:"-" gorm:"foreignKey:AssignedBy;constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// MappingFields is what a client writes.
type MappingFields struct {
	PatientID int64 `json:"patient_id" gorm:"not null;uniqueIndex:mappings_pair,priority:1,where:deleted_at IS NULL" validate:"required"`
	DoctorID  int64 `json:"doctor_id" gorm:"not null;uniqueIndex:mappings_pair,priority:2;index:mappings_doctor,where:deleted_at IS NULL" validate:"required"`
}

// Assignment is a mapping as clients see it, with the names of both sides.
type Assignment struct {
	ID int64 `json:"id"`
	MappingFields
	Patient    PatientName `json:"patient" gorm:"embedded;embeddedPrefix:the_patient_"`
	Doctor     DoctorName  `json:"doctor" gorm:"embedded;embeddedPrefix:the_doctor_"`
	AssignedBy int64       `json:"assigned_by"`
	CreatedAt  time.Time   `json:"created_at"`
}

// PatientName is a patient within an assignment.
type PatientName struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// DoctorName is a doctor within an assignment.
type DoctorName struct {
	ID             int64  `json:"id"`
	Name           string `json:"name"`
	Specialization string `json:"specialization"`
}

// AssignedDoctor is a doctor in the list of one patient's doctors.
type AssignedDoctor struct {
	Doctor
	MappingID  int64     `json:"mapping_id"`
	AssignedAt time.Time `json:"assigned_at"`
}

var mappingList = listing{
	table: "mappings",
	columns: "mappings.id, mappings.patient_id, mappings.doctor_id, mappings.assigned_by, mappings.created_at," +
		" patients.id AS the_patient_id, patients.name AS the_patient_name," +
		" doctors.id AS the_doctor_id, doctors.name AS the_doctor_name, doctors.specialization AS the_doctor_specialization",
	joins:     "JOIN patients ON patients.id = mappings.patient_id JOIN doctors ON doctors.id = mappings.doctor_id",
	newest:    "mappings.created_at",
	orderings: map[string]string{"created_at": "mappings.created_at"},
	filters:   map[string]filter{"patient_id": number("mappings.patient_id"), "doctor_id": number("mappings.doctor_id"), "created_by": number("mappings.owner_id")},
}

var assignedDoctorList = listing{
	table:   "mappings",
	columns: doctorList.columns + ", mappings.id AS mapping_id, mappings.created_at AS assigned_at",
	search:  doctorList.search,
	newest:  "mappings.created_at",
	orderings: map[string]string{
		"name": "doctors.name_key", "created_at": "doctors.created_at", "updated_at": "doctors.updated_at",
	},
	filters: doctorList.filters,
}

// Mappings lists the assignments of the actor's patients; all of them for staff.
func (db *DB) Mappings(ctx context.Context, by Actor, values url.Values) (*Page[Assignment], error) {
	return list[Mapping, Assignment](ctx, db.read, mappingList, values, by.sees("mappings.owner_id"))
}

// DoctorsOf lists the doctors assigned to one patient that the actor may see.
func (db *DB) DoctorsOf(ctx context.Context, by Actor, patient int64, values url.Values) (*Page[AssignedDoctor], error) {
	page, err := list[Mapping, AssignedDoctor](ctx, db.read, assignedDoctorList, values, func(q *gorm.DB) *gorm.DB {
		return q.Joins("JOIN doctors ON doctors.id = mappings.doctor_id").
			Scopes(by.sees("mappings.owner_id")).Where("mappings.patient_id = ?", patient)
	})
	if err == nil && page.Count > 0 {
		return page, nil
	}
	// No doctors: is there no such patient, or does it have none?
	if _, perr := db.Patient(ctx, by, patient); perr != nil {
		return nil, perr
	}
	return page, err
}

// Assign assigns a doctor to one of the actor's patients. Both rows are locked meanwhile, so that neither can be
// deleted under the new assignment.
func (db *DB) Assign(ctx context.Context, by Actor, change Change[MappingFields]) (*Assignment, error) {
	var a *Assignment
	err := db.Write(ctx, by, func(tx *Tx) error {
		var patient Patient
		var doctor Doctor
		var in MappingFields
		wrong := change.apply(&in)
		if err := wrong.exists("patient_id", in.PatientID, tx.lockShared(&patient, in.PatientID, by.sees("created_by"))); err != nil {
			return err
		}
		if err := wrong.exists("doctor_id", in.DoctorID, tx.lockShared(&doctor, in.DoctorID)); err != nil {
			return err
		}
		if err := wrong.Err(); err != nil {
			return err
		}
		m := Mapping{MappingFields: in, OwnerID: patient.CreatedBy, AssignedBy: by.ID, CreatedAt: tx.Now}
		if err := tx.Create(&m).Error; err != nil {
			return raceLost(err, "This doctor is already assigned to this patient.")
		}
		a = &Assignment{
			ID: m.ID, MappingFields: in, AssignedBy: by.ID, CreatedAt: m.CreatedAt,
			Patient: PatientName{patient.ID, patient.Name}, Doctor: DoctorName{doctor.ID, doctor.Name, doctor.Specialization},
		}
		return nil
	})
	return a, err
}

// exists notes that a field names a row that the look-up did not find; it passes on every other error.
func (f Fields) exists(field string, id int64, err error) error {
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
	return db.unassign(ctx, by, "id = ?", id)
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
	return db.unassign(ctx, by, "patient_id = ? AND doctor_id = ?", patient, in.DoctorID)
}

func (db *DB) unassign(ctx context.Context, by Actor, where string, args ...any) error {
	return db.Write(ctx, by, func(tx *Tx) error {
		var m Mapping
		q := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Scopes(by.sees("owner_id"))
		if err := q.Where(where, args...).Take(&m).Error; err != nil {
			return err
		}
		return tx.hide(&Mapping{}, "id = ?", m.ID)
	})
}
