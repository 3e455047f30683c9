package models

import (
	"context"
	"net/url"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// Doctor stands in a directory that all accounts share. Its creator and staff change it.
//
// Indexes of what is not deleted:
//
//	doctors_newest       (created_at, id, deleted_at)   the list, see Patient for deleted_at
//	doctors_updated      (updated_at, id)               ?ordering=updated_at
//	doctors_name         (name_key, id)                 ?ordering=name
//	doctors_license_key  (license_key), unique          where there is a licence number
//	doctors_search       (pieces of search_text)        see migrate_search.go
//	doctors_old_text     (id), deleted ones too         texts of an earlier version, see migrate_texts.go
type Doctor struct {
	ID int64 `json:"id" gorm:"index:doctors_newest,priority:2;index:doctors_updated,priority:2;index:doctors_name,priority:2"`
	DoctorFields
	CreatedBy int64     `json:"created_by" gorm:"not null"`
	CreatedAt time.Time `json:"created_at" gorm:"not null;index:doctors_newest,priority:1,where:deleted_at IS NULL"`
	UpdatedAt time.Time `json:"updated_at" gorm:"autoUpdateTime:false;not null;index:doctors_updated,priority:1,where:deleted_at IS NULL"`
	Version   int64     `json:"version" gorm:"not null;check:doctors_version,version > 0"`

	NameKey    Folded         `json:"-" gorm:"not null;index:doctors_name,priority:1,where:deleted_at IS NULL"`
	LicenseKey *Folded        `json:"-" gorm:"uniqueIndex:doctors_license_key,where:deleted_at IS NULL AND license_key IS NOT NULL"` // see migrate_names.go
	SearchText string         `json:"-" gorm:"not null"`
	DeletedAt  gorm.DeletedAt `json:"-" gorm:"index:doctors_newest,priority:3"`
	Creator    *User          `json:"-" gorm:"foreignKey:CreatedBy;constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// DoctorFields is what a client writes. Lengths are in characters.
type DoctorFields struct {
	Name              string `json:"name" gorm:"not null;check:doctors_name,name <> ''" validate:"required,max=255"`
	Specialization    string `json:"specialization" gorm:"not null;check:doctors_specialization,specialization <> ''" validate:"required,max=255"`
	Email             string `json:"email" gorm:"not null" validate:"omitempty,max=254,visible,email"`
	Phone             string `json:"phone" gorm:"not null" validate:"max=32,phone"`
	LicenseNumber     string `json:"license_number" gorm:"not null" validate:"max=64"`
	YearsOfExperience *int   `json:"years_of_experience" gorm:"check:doctors_experience,years_of_experience BETWEEN 0 AND 80" validate:"omitempty,min=0,max=80"`
}

var doctorList = listing.List{
	Table:       "doctors",
	Columns:     listing.Columns[Doctor](),
	Search:      "doctors.search_text",
	Read:        asWords,
	SearchIndex: "doctors_search",
	Deletable:   true,
	Newest:      "doctors.created_at",
	Orderings: map[string]string{
		"name": "doctors.name_key", "created_at": "doctors.created_at", "updated_at": "doctors.updated_at",
	},
	Filters: map[string]listing.Filter{
		"specialization": listing.Text("doctors.specialization"),
		"created_by":     listing.Number("doctors.created_by"),
	},
}

// BeforeSave fills the columns that unique indexes, searches and orderings use. GORM calls it.
func (d *Doctor) BeforeSave(*gorm.DB) error {
	if d.LicenseKey == nil && d.LicenseNumber != "" {
		key := nameKey(d.LicenseNumber)
		d.LicenseKey = &key
	}
	d.NameKey = Folded(Fold(d.Name))
	d.SearchText = searchText(d.Name, d.Specialization, d.LicenseNumber)
	return nil
}

// Doctors lists the directory.
func (db *DB) Doctors(ctx context.Context, by Actor, values url.Values) (*listing.Page[Doctor], error) {
	return list[Doctor](ctx, db, by, doctorList, values, everything)
}

// Doctor finds one doctor.
func (db *DB) Doctor(ctx context.Context, by Actor, id int64) (*Doctor, error) {
	return read[Doctor](ctx, db, by, id, everything)
}

// CreateDoctor adds a doctor to the directory.
func (db *DB) CreateDoctor(ctx context.Context, by Actor, bind Bind[DoctorFields]) (*Doctor, error) {
	return create(ctx, db, by, db.WriteAlone, bind, func(tx *Tx, in DoctorFields, errs apierror.Fields) (*Doctor, error) {
		d := &Doctor{DoctorFields: in, CreatedBy: by.ID, CreatedAt: tx.Now, UpdatedAt: tx.Now, Version: 1}
		if err := tx.checkLicense(d, errs); err != nil {
			return nil, err
		}
		created := tx.Clauses(tx.event(ActionCreate, d, diff(nil, in))).Create(d)
		return d, apierror.ConflictIfDuplicate(created.Error, d.whenDuplicate())
	})
}

// UpdateDoctor changes a doctor of the actor's.
func (db *DB) UpdateDoctor(ctx context.Context, by Actor, id int64, bind Bind[DoctorFields]) (*Doctor, error) {
	return change(ctx, db, by, id, everything, func(tx *Tx, d *Doctor) error {
		stored := d.LicenseNumber
		errs := bind.Validated(&d.DoctorFields)
		if d.LicenseNumber == stored {
			return errs.Err()
		}
		d.LicenseKey = nil // BeforeSave fills it
		return tx.checkLicense(d, errs)
	})
}

// DeleteDoctor hides a doctor together with its assignments. While other accounts' patients are among those, only staff
// may do so.
func (db *DB) DeleteDoctor(ctx context.Context, by Actor, id int64) error {
	return remove[Doctor](ctx, db, by, id, everything, func(tx *Tx, doctor Subject) error {
		if !by.IsStaff {
			var others int64
			err := tx.Model(&Mapping{}).Where("doctor_id = ? AND owner_id <> ?", id, by.ID).Limit(1).Count(&others).Error
			if err != nil {
				return err
			}
			if others > 0 {
				return &apierror.Error{Code: apierror.Conflict, Detail: "This doctor is assigned to patients of other accounts. Only staff can delete it."}
			}
		}
		return hideWith[Mapping](tx, doctor)
	})
}

// RestoreDoctor undoes a deletion, with the assignments that went with it. It is for staff.
func (db *DB) RestoreDoctor(ctx context.Context, by Actor, id int64) (*Doctor, error) {
	return restore[Doctor](ctx, db, by, id, (*Tx).restoreMappings)
}

// checkLicense adds a taken licence number to what is wrong. The unique index decides; this only gives the client all
// of its errors at once.
func (tx *Tx) checkLicense(d *Doctor, errs apierror.Fields) error {
	if d.LicenseNumber != "" && errs["license_number"] == nil {
		var taken int64
		err := tx.Model(&Doctor{}).Where("license_key = ? AND id <> ?", nameKey(d.LicenseNumber), d.ID).Count(&taken).Error
		if err != nil {
			return err
		}
		if taken > 0 {
			errs.Add("license_number", d.whenDuplicate())
		}
	}
	return errs.Err()
}

// ETag is the doctor's version as an entity tag.
func (d *Doctor) ETag() string { return ETag(d.Version) }

// What change.go needs to know of a record.
func (d *Doctor) subject() Subject           { return Subject{Object: objectDoctor, ID: d.ID} }
func (d *Doctor) changeableBy(by Actor) bool { return d.CreatedBy == by.ID || by.IsStaff }
func (d *Doctor) deletableBy(by Actor) bool  { return d.changeableBy(by) }
func (d *Doctor) deleted() bool              { return d.DeletedAt.Valid }
func (d *Doctor) version() int64             { return d.Version }
func (d *Doctor) changed(at time.Time)       { d.UpdatedAt, d.Version = at, d.Version+1 }
func (d *Doctor) whenDuplicate() string      { return "A doctor with that license number already exists." }
