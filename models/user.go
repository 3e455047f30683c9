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
func (db *DB) Register(ctx context.Context, by Actor, change Change[Registration]) (*User, error) {
	return db.register(ctx, by, change, false)
}

func (db *DB) register(ctx context.Context, by Actor, change Change[Registration], staff bool) (*User, error) {
	var in Registration
	wrong := change(&in)
	in.Username = norm.NFKC.String(in.Username)
	checkTags(wrong, in)
	if in.Password != "" {
		wrong.Add("password", db.passwords.weaknesses(in.Password, in.UserFields)...)
	}
	if err := takenUser(db.read.WithContext(ctx), 0, in.UserFields, wrong); err != nil {
		return nil, err
	}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	hash, err := db.passwords.hash(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	var u *User
	err = db.Write(ctx, by, func(tx *Tx) error {
		u = &User{UserFields: in.UserFields, PasswordHash: hash, IsActive: true, IsStaff: staff, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		u.index()
		return apierror.ConflictIfDuplicate(tx.Create(u).Error, "A user with that username or email already exists.")
	})
	return u, err
}

// takenUser adds to wrong what another account has already. The unique indexes decide; this only gives the client
// all of its errors at once.
func takenUser(q *gorm.DB, self int64, in UserFields, wrong apierror.Fields) error {
	var others []User
	err := q.Select("username_key", "email_key").
		Where("(username_key = ? OR email_key = ?) AND id <> ?", Fold(in.Username), Fold(in.Email), self).Find(&others).Error
	for _, other := range others {
		if string(other.UsernameKey) == Fold(in.Username) {
			wrong.Add("username", "A user with that username already exists.")
		}
		if string(other.EmailKey) == Fold(in.Email) {
			wrong.Add("email", "A user with that email already exists.")
		}
	}
	return apierror.FromDatabase(err)
}

// UpdateProfile applies change to the actor's own account.
func (db *DB) UpdateProfile(ctx context.Context, by Actor, change Change[ProfileFields]) (*User, error) {
	var u User
	err := db.revoke(ctx, by, func(tx *Tx) error {
		if err := lock(tx, &u, by.ID); err != nil {
			return err
		}
		in := u.ProfileFields
		wrong := change.apply(&in)
		if err := takenUser(tx.DB, u.ID, UserFields{ProfileFields: in}, wrong); err != nil {
			return err
		}
		if err := wrong.Err(); err != nil || in == u.ProfileFields {
			return err
		}
		u.ProfileFields, u.UpdatedAt = in, tx.Now
		u.index()
		return apierror.ConflictIfDuplicate(tx.store(&u), "A user with that email already exists.")
	})
	return &u, err
}

// index fills the columns that unique indexes, searches and orderings use.
func (u *User) index() {
	u.UsernameKey, u.EmailKey = Folded(Fold(u.Username)), Folded(Fold(u.Email))
	u.SearchText = searchText(u.Username, u.Email, u.FirstName, u.LastName)
}
