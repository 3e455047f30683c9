package models

import (
	"context"
	"net/url"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// Patient is seen by the account that created it, and by staff.
type Patient struct {
	ID int64 `json:"id" gorm:"index:patients_owner_newest,priority:3;index:patients_owner_updated,priority:3;index:patients_owner_name,priority:3;index:patients_newest,priority:3"`
	PatientFields
	CreatedBy int64     `json:"created_by" gorm:"not null;index:patients_owner_newest,priority:1,where:deleted_at IS NULL;index:patients_owner_updated,priority:1,where:deleted_at IS NULL;index:patients_owner_name,priority:1,where:deleted_at IS NULL"`
	CreatedAt time.Time `json:"created_at" gorm:"not null;index:patients_owner_newest,priority:2;index:patients_newest,priority:2,where:deleted_at IS NULL"`
	UpdatedAt time.Time `json:"updated_at" gorm:"autoUpdateTime:false;not null;index:patients_owner_updated,priority:2"`
	Version   int64     `json:"version" gorm:"not null;check:patients_version,version > 0"`

	NameKey Folded `json:"-" gorm:"not null;index:patients_owner_name,priority:2"`
	// An account's patients are searched within the index patients_owner_newest. DeletedAt is null there and in the
	// other indexes of this kind, but without it SQLite would not see that it can search and count within them.
	SearchText string         `json:"-" gorm:"not null;index:patients_owner_newest,priority:4"`
	DeletedAt  gorm.DeletedAt `json:"-" gorm:"index:patients_owner_newest,priority:5;index:patients_newest,priority:4"`
	Creator    *User          `json:"-" gorm:"foreignKey:CreatedBy;constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// PatientFields is what a client writes. Lengths are in characters; gender is FHIR's administrative gender.
type PatientFields struct {
	Name           string `json:"name" gorm:"not null;check:patients_name,name <> ''" validate:"required,max=255"`
	DateOfBirth    Date   `json:"date_of_birth" gorm:"type:date" validate:"omitempty,day,born"`
	Gender         string `json:"gender" gorm:"not null;check:patients_gender,gender IN ('male','female','other','unknown')" default:"unknown" validate:"oneof=male female other unknown"`
	Phone          string `json:"phone" gorm:"not null" validate:"max=32,phone"`
	Email          string `json:"email" gorm:"not null" validate:"omitempty,max=254,email"`
	Address        string `json:"address" gorm:"not null" validate:"max=1000"`
	BloodGroup     string `json:"blood_group" gorm:"not null;check:patients_blood_group,blood_group IN ('','A+','A-','B+','B-','AB+','AB-','O+','O-')" validate:"omitempty,oneof=A+ A- B+ B- AB+ AB- O+ O-"`
	Allergies      string `json:"allergies" gorm:"not null" validate:"max=10000"`
	MedicalHistory string `json:"medical_history" gorm:"not null" validate:"max=10000"`
}

// PatientUpdate is what an update writes: staff may hand a patient over to another account.
type PatientUpdate struct {
	PatientFields
	CreatedBy int64 `json:"created_by"`
}

var patientList = listing{
	table:       "patients",
	columns:     columns[Patient](),
	search:      "patients.search_text",
	searchIndex: "patients_search",
	deletable:   true,
	newest:      "patients.created_at",
	orderings: map[string]string{
		"name": "patients.name_key", "created_at": "patients.created_at", "updated_at": "patients.updated_at",
	},
	filters: map[string]filter{
		"gender":      oneOf("patients.gender", "male", "female", "other", "unknown"),
		"blood_group": oneOf("patients.blood_group", "A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-"),
		"created_by":  number("patients.created_by"),
	},
}

// Patients lists the actor's own patients; all of them for staff.
func (db *DB) Patients(ctx context.Context, by Actor, values url.Values) (*Page[Patient], error) {
	page, err := list[Patient](ctx, db.read, by, patientList, values, by.owns("patients.created_by")...)
	if err != nil {
		return nil, err
	}
	e := by.event(now(), ActionList, objectPatient, 0)
	e.PatientIDs = make(IDs, len(page.Results))
	for i, p := range page.Results {
		e.PatientIDs[i] = p.ID
	}
	return page, db.audited(e, nil)
}

// Patient finds one patient that the actor may see.
func (db *DB) Patient(ctx context.Context, by Actor, id int64) (*Patient, error) {
	var p Patient
	err := take(db.read.WithContext(ctx), &p, patientList.columns, "", append(by.sees("created_by"), where("id = ?", id))...)
	if err == nil {
		db.patients.keep(id, p)
	}
	return &p, db.audited(by.event(now(), ActionRead, objectPatient, id), err)
}

// CreatePatient stores a patient that belongs to the actor.
func (db *DB) CreatePatient(ctx context.Context, by Actor, change Change[PatientFields]) (*Patient, error) {
	var p *Patient
	in, invalid := Read(change)
	err := db.creation(by)(ctx, by, func(tx *Tx) (err error) {
		p, err = once(tx, func() (*Patient, error) {
			if invalid != nil {
				return nil, invalid
			}
			p := &Patient{PatientFields: in, CreatedBy: by.ID, CreatedAt: tx.Now, UpdatedAt: tx.Now, Version: 1}
			p.index()
			return p, tx.create(p, &p.ID, objectPatient, diff(nil, p.PatientFields))
		})
		return err
	})
	if err == nil && by.Retry.replayed() {
		err = db.audited(by.event(now(), ActionRead, objectPatient, p.ID), nil)
	}
	return p, err
}

// UpdatePatient applies change to a patient that the actor may see; what changes nothing keeps the version. Staff may
// hand the patient over to another account, with its assignments.
func (db *DB) UpdatePatient(ctx context.Context, by Actor, id int64, change Change[PatientUpdate]) (*Patient, error) {
	var p Patient
	var changed bool
	write := db.WriteOne
	if by.IsStaff { // who may hand it over, which changes more rows
		write = db.Write
	}
	err := write(ctx, by, func(tx *Tx) (err error) {
		tx.attempts(ActionUpdate, objectPatient, id, id)
		if known, ok := db.patients.take(id); ok && tx.single && known.CreatedBy == by.ID {
			p = known
			if changed, err = tx.changePatient(&p, change); err == nil && changed {
				return nil
			} // else it may have been out of date
		}
		if err := lock(tx, &p, id, by.sees("created_by")...); err != nil {
			return err
		}
		changed, err = tx.changePatient(&p, change)
		return err
	})
	if err == nil {
		db.patients.keep(id, p)
	}
	if err == nil && !changed { // the answer shows the patient all the same
		err = db.audited(by.event(now(), ActionRead, objectPatient, id), nil)
	}
	return &p, err
}

// changePatient applies change to a patient that was read, and tells whether that changed anything.
func (tx *Tx) changePatient(p *Patient, change Change[PatientUpdate]) (bool, error) {
	if err := tx.check(p.ETag()); err != nil {
		return false, err
	}
	before := PatientUpdate{p.PatientFields, p.CreatedBy}
	in := before
	wrong := change.apply(&in)
	if in.CreatedBy != p.CreatedBy {
		if err := tx.handOver(p.ID, in.CreatedBy, wrong); err != nil {
			return false, err
		}
	}
	if err := wrong.Err(); err != nil || in == before {
		return false, err
	}
	p.PatientFields, p.CreatedBy, p.UpdatedAt, p.Version = in.PatientFields, in.CreatedBy, tx.Now, p.Version+1
	p.index()
	return true, tx.update(p, p.ID, p.Version-1, objectPatient, diff(&before, in))
}

// handOver moves a patient's assignments to a new owner, removed ones too.
func (tx *Tx) handOver(patient, owner int64, wrong apierror.Fields) error {
	err := exists(wrong, "created_by", owner, lockShared(tx, &User{}, owner, where("is_active")))
	if err != nil || len(wrong) > 0 {
		return err
	}
	return tx.Unscoped().Model(&Mapping{}).Where("patient_id = ?", patient).UpdateColumn("owner_id", owner).Error
}

// DeletePatient hides a patient together with its assignments.
func (db *DB) DeletePatient(ctx context.Context, by Actor, id int64) error {
	return db.Write(ctx, by, func(tx *Tx) error {
		tx.attempts(ActionDelete, objectPatient, id, id)
		var p Patient
		if err := lock(tx, &p, id, by.sees("created_by")...); err != nil {
			return err
		}
		if err := tx.check(p.ETag()); err != nil {
			return err
		}
		if err := tx.hide(&Patient{}, id); err != nil {
			return err
		}
		if err := tx.record(ActionDelete, objectPatient, id, Changes{}); err != nil {
			return err
		}
		return tx.hideMappings(objectPatient, "patient_id = ?", id)
	})
}

// RestorePatient undoes a deletion, with the assignments that went with it. It is for staff.
func (db *DB) RestorePatient(ctx context.Context, by Actor, id int64) (*Patient, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var p Patient
	var restored bool
	err := db.Write(ctx, by, func(tx *Tx) error {
		tx.attempts(ActionRestore, objectPatient, id, id)
		err := lock(tx, &p, id)
		if restored = p.DeletedAt.Valid; err != nil || !restored {
			return err
		}
		if err := tx.unhide(&Patient{}, id); err != nil {
			return err
		}
		if err := tx.record(ActionRestore, objectPatient, id, Changes{}); err != nil {
			return err
		}
		return tx.unhideMappings(objectPatient, "patient_id = ?", id)
	})
	if err == nil && !restored { // the answer shows the patient all the same
		err = db.audited(by.event(now(), ActionRead, objectPatient, id), nil)
	}
	return &p, err
}

// ETag is the patient's version as an entity tag.
func (p *Patient) ETag() string { return ETag(p.Version) }

// index fills the columns that searches and orderings use.
func (p *Patient) index() {
	p.NameKey = Folded(Fold(p.Name))
	p.SearchText = searchText(p.Name, p.Phone, p.Email)
}
