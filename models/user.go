package models

import (
	"context"
	"time"

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
	Email     string `json:"email" gorm:"not null" validate:"required,max=254,visible,email"`
	FirstName string `json:"first_name" gorm:"not null" validate:"max=150"`
	LastName  string `json:"last_name" gorm:"not null" validate:"max=150"`
}

// normalize puts what has to be unique into the form that it is stored in. Validated calls it.
func (in *ProfileFields) normalize() { in.Email = nfkc(in.Email) }

func (in *UserFields) normalize() {
	in.Username = nfkc(in.Username)
	in.ProfileFields.normalize()
}

// without leaves out the fields that are known to be wrong.
func (in UserFields) without(errs apierror.Fields) UserFields {
	for field, value := range map[string]*string{
		"username": &in.Username, "email": &in.Email, "first_name": &in.FirstName, "last_name": &in.LastName,
	} {
		if errs[field] != nil {
			*value = ""
		}
	}
	return in
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
	errs := bind.Validated(&in)
	right := in.without(errs)
	if in.Password != "" {
		errs.Add("password", db.passwords.weaknesses(in.Password, right)...)
	}
	if err := addIfTaken(db.read.WithContext(ctx), 0, right, errs); err != nil {
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

// addIfTaken adds what another account has already of these fields, of which some may be empty. The unique indexes decide;
// this only gives the client all of its errors at once.
func addIfTaken(q *gorm.DB, self int64, in UserFields, errs apierror.Fields) error {
	var others []User
	username, email := nameKey(in.Username), nameKey(in.Email)
	err := q.Select("username_key", "email_key").
		Where("(username_key = ? OR email_key = ?) AND id <> ?", username, email, self).Find(&others).Error
	for _, other := range others {
		if other.UsernameKey == username {
			errs.Add("username", "A user with that username already exists.")
		}
		if other.EmailKey == email {
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
		if in.Email == nfkc(u.Email) { // the same; it may be from before e-mails were stored in NFKC
			in.Email = u.Email
		} else {
			u.EmailKey = "" // BeforeSave fills it
			if err := addIfTaken(tx.DB, u.ID, UserFields{ProfileFields: in}.without(errs), errs); err != nil {
				return err
			}
		}
		if err := errs.Err(); err != nil || in == u.ProfileFields {
			return err
		}
		if in.Email != u.Email { // a link in the old mailbox is good for nothing any more
			if err := tx.endInvitations("user_id = ?", u.ID); err != nil {
				return err
			}
		}
		u.ProfileFields, u.UpdatedAt = in, tx.Now
		if err := tx.Select("*").Omit("created_at").Updates(&u).Error; err != nil {
			return apierror.ConflictIfDuplicate(err, "A user with that email already exists.")
		}
		return tx.addUserEvent(ActionUpdate, u.ID, noChanges)
	})
	return &u, err
}

// BeforeSave fills the columns that unique indexes, searches and orderings use. GORM calls it. Keys stay as they are
// stored: those of an old account may be its own, see migrate_names.go.
func (u *User) BeforeSave(*gorm.DB) error {
	if u.UsernameKey == "" {
		u.UsernameKey = nameKey(u.Username)
	}
	if u.EmailKey == "" {
		u.EmailKey = nameKey(u.Email)
	}
	u.SearchText = searchText(u.Username, u.Email, u.FirstName, u.LastName)
	return nil
}
