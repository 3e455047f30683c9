package models

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/fastgorm"
	"healthcare/listing"
)

// Patient is seen by the account that created it, and by staff; by everybody where PATIENT_ACCESS is clinic.
//
// Indexes. All but the last two have only the rows that are not deleted (on SQLite, patients_search has all):
//
//	patients_owner_newest   (created_by, created_at, id, search_text, deleted_at)  an account's list, and its searches
//	patients_owner_updated  (created_by, updated_at, id)                           ?ordering=updated_at
//	patients_owner_name     (created_by, name_key, id)                             ?ordering=name
//	patients_birth          (date_of_birth, created_by)                            who may be whom, see match.go
//	patients_newest         (created_at, id, deleted_at)                           the list of who sees all
//	patients_by_update      (updated_at, id)                                       the same with ?ordering=updated_at
//	patients_by_name        (name_key, id)                                         the same with ?ordering=name
//	patients_search         (created_by, pieces of search_text)                    searches of many rows, see migrate_search.go
//	patients_merged         (merged_into)                                          who has been merged into one, see merge.go
//	patients_old_text       (id)                                                   texts of an earlier version, see migrate_texts.go
//
// Two of them name deleted_at, which is always null there: without it, SQLite would read the table to search and to count.
type Patient struct {
	ID int64 `json:"id" gorm:"index:patients_owner_newest,priority:3;index:patients_owner_updated,priority:3;index:patients_owner_name,priority:3;index:patients_newest,priority:3;index:patients_by_update,priority:2;index:patients_by_name,priority:2"`
	PatientFields
	CreatedBy int64     `json:"created_by" gorm:"not null;index:patients_owner_newest,priority:1,where:deleted_at IS NULL;index:patients_owner_updated,priority:1,where:deleted_at IS NULL;index:patients_owner_name,priority:1,where:deleted_at IS NULL;index:patients_birth,priority:2"`
	CreatedAt time.Time `json:"created_at" gorm:"not null;index:patients_owner_newest,priority:2;index:patients_newest,priority:2,where:deleted_at IS NULL"`
	UpdatedAt time.Time `json:"updated_at" gorm:"autoUpdateTime:false;not null;index:patients_owner_updated,priority:2;index:patients_by_update,priority:1,where:deleted_at IS NULL"`
	Version   int64     `json:"version" gorm:"not null;check:patients_version,version > 0"`

	NameKey    Folded         `json:"-" gorm:"not null;index:patients_owner_name,priority:2;index:patients_by_name,priority:1,where:deleted_at IS NULL"`
	SearchText string         `json:"-" gorm:"not null;index:patients_owner_newest,priority:4"`
	DeletedAt  gorm.DeletedAt `json:"-" gorm:"index:patients_owner_newest,priority:5;index:patients_newest,priority:4"`
	MergedInto *int64         `json:"-" gorm:"index:patients_merged,where:merged_into IS NOT NULL"` // who is merged is deleted, too
	Creator    *User          `json:"-" gorm:"foreignKey:CreatedBy;constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// PatientFields is what a client writes. Lengths are in characters; gender is FHIR's administrative gender.
type PatientFields struct {
	Name           string `json:"name" gorm:"not null;check:patients_name,name <> ''" validate:"required,max=255"`
	DateOfBirth    Date   `json:"date_of_birth" gorm:"index:patients_birth,priority:1,where:deleted_at IS NULL" validate:"omitempty,born"`
	Gender         string `json:"gender" gorm:"not null;check:patients_gender,gender IN ('male','female','other','unknown')" default:"unknown" validate:"oneof=male female other unknown"`
	Phone          string `json:"phone" gorm:"not null" validate:"max=32,phone"`
	Email          string `json:"email" gorm:"not null" validate:"omitempty,max=254,visible,email"`
	Address        string `json:"address" gorm:"not null" validate:"max=1000"`
	BloodGroup     string `json:"blood_group" gorm:"not null;check:patients_blood_group,blood_group IN ('','A+','A-','B+','B-','AB+','AB-','O+','O-')" validate:"omitempty,oneof=A+ A- B+ B- AB+ AB- O+ O-"`
	Allergies      string `json:"allergies" gorm:"not null" validate:"max=10000"`
	MedicalHistory string `json:"medical_history" gorm:"not null" validate:"max=10000"`
	// Identifiers are unique among the patients of an account that are not deleted, see PatientIdentifier.
	Identifiers Identifiers `json:"identifiers" validate:"max=20,unique,dive"`
}

// PatientUpdate is what an update writes: staff may hand a patient over to another account.
type PatientUpdate struct {
	PatientFields
	CreatedBy int64 `json:"created_by"`
}

var patientList = listing.List{
	Table:       "patients",
	Columns:     listing.Columns[Patient](),
	Search:      "patients.search_text",
	Read:        asWordsAndNumbers,
	SearchIndex: "patients_search",
	Deletable:   true,
	Newest:      "patients.created_at",
	Orderings: map[string]string{
		"name": "patients.name_key", "created_at": "patients.created_at", "updated_at": "patients.updated_at",
	},
	Filters: map[string]listing.Filter{
		"gender":      listing.OneOf("patients.gender", "male", "female", "other", "unknown"),
		"blood_group": listing.OneOf("patients.blood_group", "A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-"),
		"created_by":  listing.Number("patients.created_by"),
	},
}

// BeforeSave fills the columns that searches and orderings use. GORM calls it.
func (p *Patient) BeforeSave(*gorm.DB) error {
	p.NameKey = Folded(Fold(p.Name))
	texts := []string{p.Name, dialled(p.Phone), p.Email, string(p.DateOfBirth)}
	p.SearchText = searchText(append(texts, p.Identifiers.searched()...)...)
	return nil
}

// Patients lists the patients that the actor may see.
func (db *DB) Patients(ctx context.Context, by Actor, values url.Values) (*listing.Page[Patient], error) {
	visible, err := by.finds(values)
	if err != nil {
		return nil, err
	}
	return list[Patient](ctx, db, by, patientList, values, visible)
}

// finds is the scope of the patients that the actor may see and asks for by an identifier.
func (a Actor) finds(values url.Values) (scope, error) {
	identified, err := identifiedBy(values.Get("identifier"))
	return func(q *gorm.DB) *gorm.DB { return identified(a.owns("patients.created_by")(q)) }, err
}

// Patient finds one patient that the actor may see. Staff are told where a merged one is.
func (db *DB) Patient(ctx context.Context, by Actor, id int64) (*Patient, error) {
	p, err := read[Patient](ctx, db, by, id, by.owns("created_by"))
	return p, db.whereItWent(ctx, by, id, err)
}

// CreatePatient stores a patient that belongs to the actor.
func (db *DB) CreatePatient(ctx context.Context, by Actor, bind Bind[PatientFields]) (*Patient, error) {
	var double error
	if by.Strict {
		double = db.refuseDouble(ctx, by, bind)
	}
	return create(ctx, db, by, db.WriteAlone, bind, func(tx *Tx, in PatientFields, errs apierror.Fields) (*Patient, error) {
		if double != nil && len(errs) == 0 {
			return nil, double
		}
		p := &Patient{PatientFields: in, CreatedBy: by.ID, CreatedAt: tx.Now, UpdatedAt: tx.Now, Version: 1}
		if len(in.Identifiers) > 0 && tx.alone && len(errs) == 0 {
			return nil, fastgorm.ErrNeedsTransaction
		}
		if err := errors.Join(tx.checkIdentifiers(p, by.ID, in.Identifiers, errs), errs.Err()); err != nil {
			return nil, err
		}
		if err := tx.Clauses(tx.event(ActionCreate, p, diff(nil, in))).Create(p).Error; err != nil {
			return nil, err
		}
		return p, tx.storeIdentifiers(p, nil, by.ID, in.Identifiers)
	})
}

// UpdatePatient changes a patient that the actor may see. Staff may hand it over to another account, with its
// assignments.
func (db *DB) UpdatePatient(ctx context.Context, by Actor, id int64, bind Bind[PatientUpdate]) (*Patient, error) {
	return change(ctx, db, by, id, by.owns("created_by"), func(tx *Tx, p *Patient) error {
		in := PatientUpdate{p.PatientFields, p.CreatedBy}
		errs := bind.Validated(&in)
		if in.CreatedBy != p.CreatedBy {
			if tx.alone { // what belongs to the patient is more rows
				return fastgorm.ErrNeedsTransaction
			}
			if err := tx.handOver(p, in.CreatedBy, errs); err != nil {
				return err
			}
		}
		if err := tx.changeIdentifiers(p, in, errs); err != nil {
			return err
		}
		p.PatientFields, p.CreatedBy = in.PatientFields, in.CreatedBy
		return nil
	})
}

// changeIdentifiers gives a patient other identifiers, or another owner, among whose patients none may have them yet. It
// returns what else is wrong with the update, too.
func (tx *Tx) changeIdentifiers(p *Patient, in PatientUpdate, errs apierror.Fields) error {
	if in.CreatedBy == p.CreatedBy && slices.Equal(in.Identifiers, p.Identifiers) {
		return errs.Err()
	}
	if tx.alone && len(errs) == 0 {
		return fastgorm.ErrNeedsTransaction
	}
	if err := errors.Join(tx.checkIdentifiers(p, in.CreatedBy, in.Identifiers, errs), errs.Err()); err != nil {
		return err
	}
	return tx.storeIdentifiers(p, p.Identifiers, in.CreatedBy, in.Identifiers)
}

// handOver gives what belongs to a patient to a new owner.
func (tx *Tx) handOver(p *Patient, owner int64, errs apierror.Fields) error {
	tx.former = p.CreatedBy
	err := tx.Scopes(tx.forShare).Where("is_active").Take(&User{}, owner).Error
	if err = addIfMissing(errs, "created_by", owner, err); err != nil || len(errs) > 0 {
		return err
	}
	return tx.handOverBelongings(p.ID, owner)
}

// DeletePatient hides a patient together with what belongs to it, and frees its identifiers. Who sees another account's patient
// may not delete it.
func (db *DB) DeletePatient(ctx context.Context, by Actor, id int64) error {
	return db.removePatient(ctx, by, id, by.owns("created_by"))
}

// removePatient hides a patient whom a scope lets through, with what belongs to it, and frees its identifiers.
func (db *DB) removePatient(ctx context.Context, by Actor, id int64, visible scope) error {
	return remove[Patient](ctx, db, by, id, visible, (*Tx).hideBelongings, (*Tx).freeIdentifiers)
}

// RestorePatient undoes a deletion, with what went with it, and takes the identifiers back. It is for staff.
func (db *DB) RestorePatient(ctx context.Context, by Actor, id int64) (*Patient, error) {
	return restore[Patient](ctx, db, by, id, (*Tx).mustNotBeMerged, (*Tx).restoreBelongings, (*Tx).takeIdentifiersBack)
}

// ETag is the patient's version as an entity tag.
func (p *Patient) ETag() string { return ETag(p.Version) }

// What change.go needs to know of a record.
func (p *Patient) subject() Subject         { return Subject{Object: objectPatient, ID: p.ID} }
func (p *Patient) changeableBy(Actor) bool  { return true } // who sees it may change it
func (p *Patient) deletableBy(a Actor) bool { return p.CreatedBy == a.ID || a.IsStaff }
func (p *Patient) deleted() bool            { return p.DeletedAt.Valid }
func (p *Patient) version() int64           { return p.Version }
func (p *Patient) changed(at time.Time)     { p.UpdatedAt, p.Version = at, p.Version+1 }
func (p *Patient) whenDuplicate() string    { return "" } // no index of patients is unique
