package models

import (
	"context"
	"time"

	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"healthcare/apierror"
)

// User is an account. Usernames and e-mails are unique in their folded forms.
type User struct {
	ID int64 `json:"id"`
	UserFields
	UsernameKey  Folded    `json:"-" gorm:"not null;uniqueIndex:users_username"`
	EmailKey     Folded    `json:"-" gorm:"not null;uniqueIndex:users_email"`
	SearchText   string    `json:"-" gorm:"not null"`
	PasswordHash string    `json:"-" gorm:"not null"`
	IsStaff      bool      `json:"is_staff" gorm:"not null"`
	IsActive     bool      `json:"is_active" gorm:"not null"`
	CreatedAt    time.Time `json:"created_at" gorm:"not null"`
	UpdatedAt    time.Time `json:"-" gorm:"autoUpdateTime:false;not null"`
}

// UserFields is what a person says of themselves at registration.
type UserFields struct {
	Username string `json:"username" gorm:"not null" validate:"required,min=3,max=150,username"`
	ProfileFields
}

// ProfileFields is what a person can change later.
type ProfileFields struct {
	Email     string `json:"email" gorm:"not null" validate:"required,max=254,email"`
	FirstName string `json:"first_name" gorm:"not null" validate:"max=150"`
	LastName  string `json:"last_name" gorm:"not null" validate:"max=150"`
}

// Registration is the body of a registration.
type Registration struct {
	UserFields
	Password string `json:"password" trim:"no" validate:"required"`
}

// Register opens an account.
func (db *DB) Register(ctx context.Context, by Actor, bind Bind[Registration]) (*User, error) {
	return db.register(ctx, by, bind, false)
}

func (db *DB) register(ctx context.Context, by Actor, bind Bind[Registration], staff bool) (*User, error) {
	var in Registration
	normalized := Bind[Registration](func(in *Registration) apierror.Fields {
		errs := bind(in)
		in.Username = norm.NFKC.String(in.Username)
		return errs
	})
	errs := normalized.Validated(&in)
	if in.Password != "" {
		errs.Add("password", db.passwords.weaknesses(in.Password, in.UserFields)...)
	}
	if err := addIfTaken(db.read.WithContext(ctx), 0, in.UserFields, errs); err != nil {
		return nil, err
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	hash, err := db.passwords.hash(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	var u *User
	err = db.Write(ctx, by, func(tx *Tx) error {
		u = &User{UserFields: in.UserFields, PasswordHash: hash, IsActive: true, IsStaff: staff, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		return apierror.ConflictIfDuplicate(tx.Create(u).Error, "A user with that username or email already exists.")
	})
	return u, err
}

// addIfTaken adds what another account has already. The unique indexes decide; this only gives the client
// all of its errors at once.
func addIfTaken(q *gorm.DB, self int64, in UserFields, errs apierror.Fields) error {
	var others []User
	err := q.Select("username_key", "email_key").
		Where("(username_key = ? OR email_key = ?) AND id <> ?", Fold(in.Username), Fold(in.Email), self).Find(&others).Error
	for _, other := range others {
		if string(other.UsernameKey) == Fold(in.Username) {
			errs.Add("username", "A user with that username already exists.")
		}
		if string(other.EmailKey) == Fold(in.Email) {
			errs.Add("email", "A user with that email already exists.")
		}
	}
	return apierror.FromDatabase(err)
}

// UpdateProfile changes the actor's own account.
func (db *DB) UpdateProfile(ctx context.Context, by Actor, bind Bind[ProfileFields]) (*User, error) {
	var u User
	err := db.revoke(ctx, by, "", func(tx *Tx) error {
		u = User{}
		if err := tx.Scopes(tx.forUpdate).Take(&u, by.ID).Error; err != nil {
			return err
		}
		in := u.ProfileFields
		errs := bind.Validated(&in)
		if err := addIfTaken(tx.DB, u.ID, UserFields{ProfileFields: in}, errs); err != nil {
			return err
		}
		if err := errs.Err(); err != nil || in == u.ProfileFields {
			return err
		}
		u.ProfileFields, u.UpdatedAt = in, tx.Now
		return apierror.ConflictIfDuplicate(tx.Select("*").Omit("created_at").Updates(&u).Error, "A user with that email already exists.")
	})
	return &u, err
}

// BeforeSave fills the columns that unique indexes, searches and orderings use. GORM calls it.
func (u *User) BeforeSave(*gorm.DB) error {
	u.UsernameKey, u.EmailKey = Folded(Fold(u.Username)), Folded(Fold(u.Email))
	u.SearchText = searchText(u.Username, u.Email, u.FirstName, u.LastName)
	return nil
}
