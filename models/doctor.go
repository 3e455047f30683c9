package models

import (
	"context"
	"net/url"
	"reflect"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// Doctor stands in a directory that all accounts share; its creator and staff change it.
type Doctor struct {
	ID int64 `json:"id" gorm:"index:doctors_newest,priority:2;index:doctors_updated,priority:2;index:doctors_name,priority:2"`
	DoctorFields
	CreatedBy int64     `json:"created_by" gorm:"not null"`
	CreatedAt time.Time `json:"created_at" gorm:"not null;index:doctors_newest,priority:1,where:deleted_at IS NULL"`
	UpdatedAt time.Time `json:"updated_at" gorm:"autoUpdateTime:false;not null;index:doctors_updated,priority:1,where:deleted_at IS NULL"`
	Version   int64     `json:"version" gorm:"not null;check:doctors_version,version > 0"`

	NameKey    Folded         `json:"-" gorm:"not null;index:doctors_name,priority:1,where:deleted_at IS NULL"`
	SearchText string         `json:"-" gorm:"not null"`
	DeletedAt  gorm.DeletedAt `json:"-" gorm:"index:doctors_newest,priority:3"` // see Patient
	Creator    *User          `json:"-" gorm:"foreignKey:CreatedBy;constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// DoctorFields is what a client writes. Lengths are in characters.
type DoctorFields struct {
	Name              string `json:"name" gorm:"not null;check:doctors_name,name <> ''" validate:"required,max=255"`
	Specialization    string `json:"specialization" gorm:"not null;check:doctors_specialization,specialization <> ''" validate:"required,max=255"`
	Email             string `json:"email" gorm:"not null" validate:"omitempty,max=254,email"`
	Phone             string `json:"phone" gorm:"not null" validate:"max=32,phone"`
	LicenseNumber     string `json:"license_number" gorm:"not null;uniqueIndex:doctors_license,where:deleted_at IS NULL AND license_number <> ''" validate:"max=64"`
	YearsOfExperience *int   `json:"years_of_experience" gorm:"check:doctors_experience,years_of_experience BETWEEN 0 AND 80" validate:"omitempty,min=0,max=80"`
}

var doctorList = listing{
	table:       "doctors",
	columns:     columns[Doctor](),
	search:      "doctors.search_text",
	searchIndex: "doctors_search",
	deletable:   true,
	newest:      "doctors.created_at",
	orderings: map[string]string{
		"name": "doctors.name_key", "created_at": "doctors.created_at", "updated_at": "doctors.updated_at",
	},
	filters: map[string]filter{"specialization": text("doctors.specialization"), "created_by": number("doctors.created_by")},
}

// Doctors lists the directory.
func (db *DB) Doctors(ctx context.Context, by Actor, values url.Values) (*Page[Doctor], error) {
	return list[Doctor](ctx, db.read, by, doctorList, values)
}

// Doctor finds one doctor.
func (db *DB) Doctor(ctx context.Context, _ Actor, id int64) (*Doctor, error) {
	var d Doctor
	err := take(db.read.WithContext(ctx), &d, doctorList.columns, "", where("id = ?", id), undeleted)
	return &d, apierror.FromDatabase(err)
}

// CreateDoctor adds a doctor to the directory.
func (db *DB) CreateDoctor(ctx context.Context, by Actor, change Change[DoctorFields]) (*Doctor, error) {
	var d *Doctor
	err := db.creation(by)(ctx, by, func(tx *Tx) (err error) {
		d, err = once(tx, func() (*Doctor, error) {
			var in DoctorFields
			if err := tx.checkDoctor(0, &in, change.apply(&in)); err != nil {
				return nil, err
			}
			d := &Doctor{DoctorFields: in, CreatedBy: by.ID, CreatedAt: tx.Now, UpdatedAt: tx.Now, Version: 1}
			d.index()
			return d, apierror.ConflictIfDuplicate(tx.create(d, &d.ID, objectDoctor, diff(nil, d.DoctorFields)), licenseTaken)
		})
		return err
	})
	return d, err
}

// UpdateDoctor applies change to a doctor of the actor's; what changes nothing keeps the version.
func (db *DB) UpdateDoctor(ctx context.Context, by Actor, id int64, change Change[DoctorFields]) (*Doctor, error) {
	var d Doctor
	err := db.WriteOne(ctx, by, func(tx *Tx) error {
		if err := tx.lockOwnDoctor(&d, id, ActionUpdate); err != nil {
			return err
		}
		in := d.DoctorFields
		if err := tx.checkDoctor(id, &in, change.apply(&in)); err != nil || reflect.DeepEqual(in, d.DoctorFields) {
			return err
		}
		changes := diff(&d.DoctorFields, in)
		d.DoctorFields, d.UpdatedAt, d.Version = in, tx.Now, d.Version+1
		d.index()
		return apierror.ConflictIfDuplicate(tx.update(&d, id, d.Version-1, objectDoctor, changes), licenseTaken)
	})
	return &d, err
}

// DeleteDoctor hides a doctor together with its assignments. While other accounts' patients are among those, only
// staff may do so.
func (db *DB) DeleteDoctor(ctx context.Context, by Actor, id int64) error {
	return db.Write(ctx, by, func(tx *Tx) error {
		var d Doctor
		if err := tx.lockOwnDoctor(&d, id, ActionDelete); err != nil {
			return err
		}
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
		if err := tx.hide(&Doctor{}, id); err != nil {
			return err
		}
		if err := tx.record(ActionDelete, objectDoctor, id, Changes{}); err != nil {
			return err
		}
		return tx.hideMappings(objectDoctor, "doctor_id = ?", id)
	})
}

// RestoreDoctor undoes a deletion, with the assignments that went with it. It is for staff.
func (db *DB) RestoreDoctor(ctx context.Context, by Actor, id int64) (*Doctor, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var d Doctor
	err := db.Write(ctx, by, func(tx *Tx) error {
		tx.attempts(ActionRestore, objectDoctor, id, 0)
		if err := lock(tx, &d, id); err != nil || !d.DeletedAt.Valid {
			return err
		}
		if err := tx.unhide(&Doctor{}, id); err != nil {
			return apierror.ConflictIfDuplicate(err, licenseTaken)
		}
		if err := tx.record(ActionRestore, objectDoctor, id, Changes{}); err != nil {
			return err
		}
		return tx.unhideMappings(objectDoctor, "doctor_id = ?", id)
	})
	return &d, err
}

// ETag is the doctor's version as an entity tag.
func (d *Doctor) ETag() string { return ETag(d.Version) }

const licenseTaken = "A doctor with that license number already exists."

// checkDoctor adds a taken licence number to what is wrong. The unique index decides; this only gives the client all
// of its errors at once.
func (tx *Tx) checkDoctor(self int64, in *DoctorFields, wrong apierror.Fields) error {
	if in.LicenseNumber != "" && wrong["license_number"] == nil {
		var taken int64
		err := tx.Model(&Doctor{}).Where("license_number = ? AND license_number <> '' AND id <> ?", in.LicenseNumber, self).Count(&taken).Error
		if err != nil {
			return err
		}
		if taken > 0 {
			wrong.Add("license_number", licenseTaken)
		}
	}
	return wrong.Err()
}

// lockOwnDoctor locks a doctor that the actor may change, in the version that the client knows.
func (tx *Tx) lockOwnDoctor(d *Doctor, id int64, action string) error {
	tx.attempts(action, objectDoctor, id, 0)
	if err := lock(tx, d, id, undeleted); err != nil {
		return err
	}
	if d.CreatedBy != tx.By.ID && !tx.By.IsStaff {
		return apierror.ErrForbidden
	}
	return tx.check(d.ETag())
}

// index fills the columns that searches and orderings use.
func (d *Doctor) index() {
	d.NameKey = Folded(Fold(d.Name))
	d.SearchText = searchText(d.Name, d.Specialization, d.LicenseNumber)
}
