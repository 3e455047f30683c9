package models

import (
	"context"
	"net/url"
	"slices"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// Mapping assigns a doctor to a patient.
type Mapping struct {
	ID int64 `json:"id" gorm:"index:mappings_owner_newest,priority:3;index:mappings_newest,priority:3"`
	MappingFields
	// OwnerID is the patient's created_by, kept here so that a list of mappings needs no join to be scoped.
	OwnerID    int64          `json:"-" gorm:"not null;index:mappings_owner_newest,priority:1,where:deleted_at IS NULL"`
	AssignedBy int64          `json:"assigned_by" gorm:"not null"`
	CreatedAt  time.Time      `json:"created_at" gorm:"not null;index:mappings_owner_newest,priority:2;index:mappings_newest,priority:2,where:deleted_at IS NULL"`
	DeletedAt  gorm.DeletedAt `json:"-" gorm:"index:mappings_owner_newest,priority:4;index:mappings_newest,priority:4"` // see Patient
	// RemovedWith is what was deleted when the assignment was removed: "patient", "doctor", or "" for neither. Restoring
	// that restores the assignment.
	RemovedWith string `json:"-" gorm:"not null;check:mappings_removed_with,removed_with IN ('','patient','doctor')"`

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
	deletable: true,
	joins:     "JOIN patients ON patients.id = mappings.patient_id JOIN doctors ON doctors.id = mappings.doctor_id",
	newest:    "mappings.created_at",
	orderings: map[string]string{"created_at": "mappings.created_at"},
	filters:   map[string]filter{"patient_id": number("mappings.patient_id"), "doctor_id": number("mappings.doctor_id"), "created_by": number("mappings.owner_id")},
}

var assignedDoctorList = listing{
	table:   "mappings",
	joins:   "JOIN doctors ON doctors.id = mappings.doctor_id",
	columns: doctorList.columns + ", mappings.id AS mapping_id, mappings.created_at AS assigned_at",
	search:  doctorList.search,
	newest:  "mappings.created_at",
	orderings: map[string]string{
		"name": "doctors.name_key", "created_at": "doctors.created_at", "updated_at": "doctors.updated_at",
	},
	filters:     doctorList.filters,
	filtersJoin: true,
	deletable:   true,
	short:       true,
}

// Mappings lists the assignments of the actor's patients; all of them for staff.
func (db *DB) Mappings(ctx context.Context, by Actor, values url.Values) (*Page[Assignment], error) {
	page, err := list[Assignment](ctx, db.read, by, mappingList, values, by.owns("mappings.owner_id")...)
	if err != nil {
		return nil, err
	}
	e := by.event(now(), ActionList, objectMapping, 0)
	e.PatientIDs = IDs{}
	for _, a := range page.Results {
		if !slices.Contains(e.PatientIDs, a.PatientID) {
			e.PatientIDs = append(e.PatientIDs, a.PatientID)
		}
	}
	return page, db.audited(e, nil)
}

// DoctorsOf lists the doctors assigned to one patient that the actor may see: now, or with ?as_of= at the end of a
// day (UTC).
func (db *DB) DoctorsOf(ctx context.Context, by Actor, patient int64, values url.Values) (*Page[AssignedDoctor], error) {
	page, err := db.doctorsOf(ctx, by, patient, values)
	e := by.event(now(), ActionList, objectMapping, 0)
	e.PatientID = &patient
	return page, db.audited(e, err)
}

func (db *DB) doctorsOf(ctx context.Context, by Actor, patient int64, values url.Values) (*Page[AssignedDoctor], error) {
	scope := append(by.owns("mappings.owner_id"), where("mappings.patient_id = ?", patient))
	l := assignedDoctorList
	if day := values.Get("as_of"); day != "" {
		then, err := assignedAsOf(day)
		if err != nil {
			return nil, err
		}
		l.deletable = false // what has been removed since counts too
		scope = append(scope, then)
	}
	page, err := list[AssignedDoctor](ctx, db.read, by, l, values, scope...)
	if err == nil && len(page.Results) > 0 && values.Get("as_of") == "" {
		return page, nil
	}
	// No doctors, or former ones: is there such a patient that the actor may see?
	var p Patient
	if perr := take(db.read.WithContext(ctx), &p, "id", "", append(by.sees("created_by"), where("id = ?", patient))...); perr != nil {
		return nil, perr
	}
	return page, err
}

// assignedAsOf lets the assignments through that stood at the end of a day: whose last event until then is an
// assignment, whatever has become of them since.
func assignedAsOf(day string) (condition, error) {
	start, err := time.Parse(time.DateOnly, day)
	if err != nil || start.Year() < 1 {
		return condition{}, apierror.Fields{"as_of": {"Date has wrong format. Use one of these formats instead: YYYY-MM-DD."}}.Err()
	}
	end := start.Add(24*time.Hour - time.Microsecond)
	of := ofObject(objectMapping, "mappings.id")
	return where("(SELECT action FROM events WHERE "+of.sql+" AND outcome = ? AND at <= ? ORDER BY id DESC LIMIT 1) = ?",
		outcomeOK, end, ActionAssign), nil
}
