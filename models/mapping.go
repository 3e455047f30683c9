package models

import (
	"context"
	"net/url"
	"time"

	"gorm.io/gorm"

	"healthcare/listing"
)

// Mapping assigns a doctor to a patient.
//
// Indexes of what is not deleted:
//
//	mappings_owner_newest  (owner_id, created_at, id, deleted_at)  an account's list, see Patient for deleted_at
//	mappings_newest        (created_at, id, deleted_at)            the list of staff
//	mappings_pair          (patient_id, doctor_id), unique         a patient's doctors
//	mappings_doctor        (doctor_id)                             a doctor's patients
type Mapping struct {
	ID int64 `json:"id" gorm:"index:mappings_owner_newest,priority:3;index:mappings_newest,priority:3"`
	MappingFields
	// OwnerID is the patient's created_by, kept here so that a list of mappings needs no join to be scoped.
	OwnerID    int64          `json:"-" gorm:"not null;index:mappings_owner_newest,priority:1,where:deleted_at IS NULL"`
	AssignedBy int64          `json:"assigned_by" gorm:"not null"`
	CreatedAt  time.Time      `json:"created_at" gorm:"not null;index:mappings_owner_newest,priority:2;index:mappings_newest,priority:2,where:deleted_at IS NULL"`
	DeletedAt  gorm.DeletedAt `json:"-" gorm:"index:mappings_owner_newest,priority:4;index:mappings_newest,priority:4"`
	// RemovedWith is what was deleted when the assignment was removed: "patient", "doctor", or "" for neither. Restoring
	// that restores the assignment.
	RemovedWith string `json:"-" gorm:"not null;check:mappings_removed_with,removed_with IN ('','patient','doctor')"`

	Patient  *Patient `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
	Doctor   *Doctor  `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
	Owner    *User    `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
	Assigner *User    `json:"-" gorm:"foreignKey:AssignedBy;constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// MappingFields is what a client writes. By the name in `alias` it is understood too.
type MappingFields struct {
	PatientID int64 `json:"patient_id" alias:"patient" gorm:"not null;uniqueIndex:mappings_pair,priority:1,where:deleted_at IS NULL" validate:"required"`
	DoctorID  int64 `json:"doctor_id" alias:"doctor" gorm:"not null;uniqueIndex:mappings_pair,priority:2;index:mappings_doctor,where:deleted_at IS NULL" validate:"required"`
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

var mappingList = listing.List{
	Table: "mappings",
	Columns: "mappings.id, mappings.patient_id, mappings.doctor_id, mappings.assigned_by, mappings.created_at," +
		" patients.id AS the_patient_id, patients.name AS the_patient_name," +
		" doctors.id AS the_doctor_id, doctors.name AS the_doctor_name, doctors.specialization AS the_doctor_specialization",
	Joins:     "JOIN patients ON patients.id = mappings.patient_id JOIN doctors ON doctors.id = mappings.doctor_id",
	Deletable: true,
	Newest:    "mappings.created_at",
	Orderings: map[string]string{"created_at": "mappings.created_at"},
	Filters: map[string]listing.Filter{
		"patient_id": listing.Number("mappings.patient_id"),
		"doctor_id":  listing.Number("mappings.doctor_id"),
		"created_by": listing.Number("mappings.owner_id"),
	},
}

var assignedDoctorList = listing.List{
	Table:   "mappings",
	Columns: doctorList.Columns + ", mappings.id AS mapping_id, mappings.created_at AS assigned_at",
	Joins:   "JOIN doctors ON doctors.id = mappings.doctor_id",
	Search:  doctorList.Search,
	Read:    asWords,
	Newest:  "mappings.created_at",
	Orderings: map[string]string{
		"name": "doctors.name_key", "created_at": "doctors.created_at", "updated_at": "doctors.updated_at",
	},
	Filters:     doctorList.Filters,
	FiltersJoin: true,
	Deletable:   true,
	Short:       true,
}

// Mappings lists the assignments of the patients that the actor may see.
func (db *DB) Mappings(ctx context.Context, by Actor, values url.Values) (*listing.Page[Assignment], error) {
	return list[Assignment](ctx, db, by, mappingList, values, by.owns("mappings.owner_id"))
}

// DoctorsOf lists the doctors assigned to one patient that the actor may see: now, or with ?as_of= at the end of a day
// (UTC).
func (db *DB) DoctorsOf(ctx context.Context, by Actor, patient int64, values url.Values) (*listing.Page[AssignedDoctor], error) {
	var page *listing.Page[AssignedDoctor]
	err := db.readList(ctx, by, values, func(q *gorm.DB, client listing.Client) (err error) {
		page, err = doctorsOf(q, by, client, patient, values)
		return err
	})
	return page, db.audit(by.event(now(), ActionList, Subject{Object: objectMapping, PatientID: patient}), err)
}

func doctorsOf(q *gorm.DB, by Actor, client listing.Client, patient int64, values url.Values) (*listing.Page[AssignedDoctor], error) {
	list, owned, when, patients := assignedDoctorList, by.owns("mappings.owner_id"), everything, []int64{patient}
	day := values.Get("as_of")
	if day != "" {
		var err error
		if when, err = assignedAt(day); err != nil {
			return nil, err
		}
		// What has been removed since counts too, and so do those who were merged into this one, whoever owned them.
		list.Deletable, owned = false, everything
		if patients, err = allOf(q, patient); err != nil {
			return nil, err
		}
	}
	page, err := listing.Find[AssignedDoctor](q, list, values, client, owned, among("mappings.patient_id", patients), when)
	if err == nil && len(page.Results) > 0 && day == "" {
		return page, nil
	}
	// No doctors, or those of a day: is there such a patient that the actor may see?
	found := q.Scopes(by.owns("created_by")).Select("id").Take(&Patient{}, patient)
	if found.Error != nil {
		return nil, found.Error
	}
	return page, err
}

func (m *Mapping) subject() Subject {
	return Subject{Object: objectMapping, ID: m.ID, PatientID: m.PatientID}
}

func (a *Assignment) subject() Subject {
	return Subject{Object: objectMapping, ID: a.ID, PatientID: a.PatientID}
}
