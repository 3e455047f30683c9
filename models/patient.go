package models

import (
	"context"
	"net/url"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// Patient is seen by the account that created it, and by staff.
//
// Indexes, all but the last of what is not deleted:
//
//	patients_owner_newest   (created_by, created_at, id, search_text, deleted_at)  an account's list, and its searches
//	patients_owner_updated  (created_by, updated_at, id)                           ?ordering=updated_at
//	patients_owner_name     (created_by, name_key, id)                             ?ordering=name
//	patients_newest         (created_at, id, deleted_at)                           the list of staff
//	patients_search         (created_by, pieces of search_text)                    searches of many rows, see migrate_search.go
//
// DeletedAt is null in these indexes, but without it SQLite would not see that it can search and count within them.
type Patient struct {
	ID int64 `json:"id" gorm:"index:patients_owner_newest,priority:3;index:patients_owner_updated,priority:3;index:patients_owner_name,priority:3;index:patients_newest,priority:3"`
	PatientFields
	CreatedBy int64     `json:"created_by" gorm:"not null;index:patients_owner_newest,priority:1,where:deleted_at IS NULL;index:patients_owner_updated,priority:1,where:deleted_at IS NULL;index:patients_owner_name,priority:1,where:deleted_at IS NULL"`
	CreatedAt time.Time `json:"created_at" gorm:"not null;index:patients_owner_newest,priority:2;index:patients_newest,priority:2,where:deleted_at IS NULL"`
	UpdatedAt time.Time `json:"updated_at" gorm:"autoUpdateTime:false;not null;index:patients_owner_updated,priority:2"`
	Version   int64     `json:"version" gorm:"not null;check:patients_version,version > 0"`

	NameKey    Folded         `json:"-" gorm:"not null;index:patients_owner_name,priority:2"`
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

var patientList = listing.List{
	Table:       "patients",
	Columns:     listing.Columns[Patient](),
	Search:      "patients.search_text",
	Fold:        Fold,
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
	p.SearchText = searchText(p.Name, p.Phone, p.Email)
	return nil
}

// Patients lists the actor's own patients; all of them for staff.
func (db *DB) Patients(ctx context.Context, by Actor, values url.Values) (*listing.Page[Patient], error) {
	page, err := listing.Find[Patient](db.read.WithContext(ctx), db.cursors, patientList, values, by.IsStaff, by.owns("patients.created_by"))
	if err != nil {
		return nil, err
	}
	shown := make(IDs, len(page.Results))
	for i, p := range page.Results {
		shown[i] = p.ID
	}
	return page, db.auditList(by, objectPatient, shown)
}

// Patient finds one patient that the actor may see.
func (db *DB) Patient(ctx context.Context, by Actor, id int64) (*Patient, error) {
	var p Patient
	err := db.read.WithContext(ctx).Scopes(by.owns("created_by")).Take(&p, id).Error
	return &p, db.audit(by.event(now(), ActionRead, Subject{Object: objectPatient, ID: id}), err)
}

// CreatePatient stores a patient that belongs to the actor.
func (db *DB) CreatePatient(ctx context.Context, by Actor, bind Bind[PatientFields]) (*Patient, error) {
	return create(ctx, db, by, db.WriteAlone, bind, func(tx *Tx, in PatientFields, errs apierror.Fields) (*Patient, error) {
		if err := errs.Err(); err != nil {
			return nil, err
		}
		p := &Patient{PatientFields: in, CreatedBy: by.ID, CreatedAt: tx.Now, UpdatedAt: tx.Now, Version: 1}
		return p, tx.Clauses(tx.event(ActionCreate, p, diff(nil, in))).Create(p).Error
	})
}

// UpdatePatient changes a patient that the actor may see. Staff may hand it over to another account, with its
// assignments.
func (db *DB) UpdatePatient(ctx context.Context, by Actor, id int64, bind Bind[PatientUpdate]) (*Patient, error) {
	write := db.WriteAlone
	if by.IsStaff { // whose change may be of more rows than one
		write = db.Write
	}
	return change(ctx, db, by, write, id, by.owns("created_by"), func(tx *Tx, p *Patient) error {
		in := PatientUpdate{p.PatientFields, p.CreatedBy}
		errs := bind.Validated(&in)
		if in.CreatedBy != p.CreatedBy {
			if err := tx.handOver(p, in.CreatedBy, errs); err != nil {
				return err
			}
		}
		p.PatientFields, p.CreatedBy = in.PatientFields, in.CreatedBy
		return errs.Err()
	})
}

// handOver gives a patient's assignments to a new owner, removed ones too.
func (tx *Tx) handOver(p *Patient, owner int64, errs apierror.Fields) error {
	err := tx.Scopes(tx.forShare).Where("is_active").Take(&User{}, owner).Error
	if err = addIfMissing(errs, "created_by", owner, err); err != nil || len(errs) > 0 {
		return err
	}
	return tx.Unscoped().Model(&Mapping{}).Where("patient_id = ?", p.ID).UpdateColumn("owner_id", owner).Error
}

// DeletePatient hides a patient together with its assignments.
func (db *DB) DeletePatient(ctx context.Context, by Actor, id int64) error {
	return remove[Patient](ctx, db, by, id, by.owns("created_by"), (*Tx).removeMappings)
}

// RestorePatient undoes a deletion, with the assignments that went with it. It is for staff.
func (db *DB) RestorePatient(ctx context.Context, by Actor, id int64) (*Patient, error) {
	return restore[Patient](ctx, db, by, id, (*Tx).restoreMappings)
}

// ETag is the patient's version as an entity tag.
func (p *Patient) ETag() string { return ETag(p.Version) }

// What change.go needs to know of a record.
func (p *Patient) subject() Subject        { return Subject{Object: objectPatient, ID: p.ID} }
func (p *Patient) changeableBy(Actor) bool { return true } // who sees it may change it
func (p *Patient) deleted() bool           { return p.DeletedAt.Valid }
func (p *Patient) version() int64          { return p.Version }
func (p *Patient) changed(at time.Time)    { p.UpdatedAt, p.Version = at, p.Version+1 }
func (p *Patient) whenDuplicate() string   { return "" } // no index of patients is unique
