package models

import (
	"context"
	"errors"
	"time"

	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"
)

// User is an account. Usernames and e-mails are unique in their folded forms.
type User struct {
	ID int64 `json:"id"`
	UserFields
	UsernameKey  string    `json:"-" gorm:"not null;uniqueIndex:users_username"`
	EmailKey     string    `json:"-" gorm:"not null;uniqueIndex:users_email"`
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

// Credentials is the body of a login; the username may hold the e-mail.
type Credentials struct {
	Username string `json:"username" validate:"required"`
	Password string `json:"password" trim:"no" validate:"required"`
}

var errNoActiveAccount = &Error{Code: NoActiveAccount, Detail: "No active account found with the given credentials"}

// Register opens an account.
func (db *DB) Register(ctx context.Context, by Actor, change Change[Registration]) (*User, error) {
	var in Registration
	wrong := change(&in)
	in.Username = norm.NFKC.String(in.Username)
	wrong.check(in)
	if in.Password != "" {
		for _, says := range db.passwords.weaknesses(in.Password, in.UserFields) {
			wrong.Add("password", says)
		}
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
		u = &User{UserFields: in.UserFields, PasswordHash: hash, IsActive: true, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		u.UsernameKey, u.EmailKey = Fold(u.Username), Fold(u.Email)
		return raceLost(tx.Create(u).Error, "A user with that username or email already exists.")
	})
	return u, err
}

// takenUser adds to wrong what another account has already. The unique indexes decide; this only gives the client
// all of its errors at once.
func takenUser(q *gorm.DB, self int64, in UserFields, wrong Fields) error {
	var others []User
	err := q.Select("username_key", "email_key").
		Where("(username_key = ? OR email_key = ?) AND id <> ?", Fold(in.Username), Fold(in.Email), self).Find(&others).Error
	for _, other := range others {
		if other.UsernameKey == Fold(in.Username) {
			wrong.Add("username", "A user with that username already exists.")
		}
		if other.EmailKey == Fold(in.Email) {
			wrong.Add("email", "A user with that email already exists.")
		}
	}
	return Classify(err)
}

// raceLost turns the refusal of a unique index into a conflict.
func raceLost(err error, detail string) error {
	if isDuplicate(err) {
		return &Error{Code: Conflict, Detail: detail}
	}
	return err
}

// Authenticate finds the active account with these credentials. Whether the account is unknown, disabled or the
// password wrong makes no difference, neither in the answer nor in its time.
func (db *DB) Authenticate(ctx context.Context, change Change[Credentials]) (*User, error) {
	var in Credentials
	if err := change.apply(&in).Err(); err != nil {
		return nil, err
	}
	var u User
	username, email := Fold(norm.NFKC.String(in.Username)), Fold(in.Username)
	err := db.read.WithContext(ctx).Where("username_key = ? OR email_key = ?", username, email).Take(&u).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, Classify(err)
	}
	ok, err := db.passwords.matches(ctx, in.Password, u.PasswordHash)
	if err != nil {
		return nil, err
	}
	if !ok || !u.IsActive {
		return nil, errNoActiveAccount
	}
	return &u, nil
}

// ActiveUser finds the account of a token; a disabled one is not found.
func (db *DB) ActiveUser(ctx context.Context, id int64) (*User, error) {
	var u User
	err := db.read.WithContext(ctx).Where("id = ? AND is_active", id).Take(&u).Error
	return &u, Classify(err)
}

// UpdateProfile applies change to the actor's own account.
func (db *DB) UpdateProfile(ctx context.Context, by Actor, change Change[ProfileFields]) (*User, error) {
	var u User
	err := db.Write(ctx, by, func(tx *Tx) error {
		if err := tx.lock(&u, by.ID); err != nil {
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
		u.ProfileFields, u.EmailKey, u.UpdatedAt = in, Fold(in.Email), tx.Now
		return raceLost(tx.store(&u), "A user with that email already exists.")
	})
	return &u, err
}
