package models

import (
	"context"
	"errors"
	"net/url"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

var userList = listing.List{
	Table:   "users",
	Columns: listing.Columns[User](),
	Search:  "users.search_text",
	Read:    asWords,
	Newest:  "users.created_at",
	Orderings: map[string]string{
		"name": "users.username_key", "created_at": "users.created_at", "updated_at": "users.updated_at",
	},
	Filters: map[string]listing.Filter{"is_staff": listing.Boolean("users.is_staff"), "is_active": listing.Boolean("users.is_active")},
}

// Users lists the accounts, for staff.
func (db *DB) Users(ctx context.Context, by Actor, values url.Values) (*listing.Page[User], error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	return listing.Find[User](db.read.WithContext(ctx), userList, values, db.client(by))
}

// User finds one account, for staff.
func (db *DB) User(ctx context.Context, by Actor, id int64) (*User, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var u User
	err := db.read.WithContext(ctx).Take(&u, id).Error
	return &u, apierror.FromDatabase(err)
}

// Standing is what staff decide of an account.
type Standing struct {
	IsStaff  bool `json:"is_staff"`
	IsActive bool `json:"is_active"`
}

// UpdateUser disables, enables, promotes or demotes an account. The clinic always keeps one active staff account. A
// disabled account's sessions end.
func (db *DB) UpdateUser(ctx context.Context, by Actor, id int64, bind Bind[Standing]) (*User, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var u User
	err := db.revoke(ctx, by, "staff", func(tx *Tx) error {
		u = User{}
		if err := tx.Scopes(tx.forUpdate).Take(&u, id).Error; err != nil {
			return err
		}
		in := Standing{u.IsStaff, u.IsActive}
		was := in
		if err := bind.Validated(&in).Err(); err != nil || in == was {
			return err
		}
		u.IsStaff, u.IsActive, u.UpdatedAt = in.IsStaff, in.IsActive, tx.Now
		if err := tx.Select("*").Omit("created_at").Updates(&u).Error; err != nil {
			return err
		}
		var staff int64
		if err := tx.Model(&User{}).Where("is_staff AND is_active AND password_hash <> ''").Count(&staff).Error; err != nil {
			return err
		}
		if staff == 0 {
			return &apierror.Error{Code: apierror.Conflict, Detail: "This is the last active staff account: it can be neither disabled nor demoted."}
		}
		if err := tx.endWhatStandingAllowed(&u); err != nil {
			return err
		}
		return tx.addUserEvent(ActionUpdate, id, diff(&was, in))
	})
	return &u, forStaff(err)
}

// endWhatStandingAllowed ends the sessions of an account that is disabled, and the tokens that it made for others as staff.
func (tx *Tx) endWhatStandingAllowed(u *User) error {
	if !u.IsStaff || !u.IsActive {
		if err := tx.endInvitations("issued_by = ?", u.ID); err != nil {
			return err
		}
	}
	if u.IsActive {
		return nil
	}
	if err := tx.endInvitations("user_id = ?", u.ID); err != nil {
		return err
	}
	return tx.endSessions("user_id = ?", u.ID)
}

// forStaff is the error of something that only staff may do: whoever was demoted just now is anybody.
func forStaff(err error) error {
	if errors.Is(err, errNoLongerStaff) {
		return apierror.ErrForbidden
	}
	return err
}

// Unlock forgets the failed logins of an account, and with them its locks.
func (db *DB) Unlock(ctx context.Context, by Actor, id int64) (*User, error) {
	u, err := db.User(ctx, by, id)
	if err != nil {
		return nil, err
	}
	return u, forStaff(db.Write(ctx, by, func(tx *Tx) error {
		if err := tx.liftLocks(id); err != nil {
			return err
		}
		return tx.addUserEvent(ActionUpdate, id, noChanges)
	}))
}

// liftLocks forgets the failed logins of an account. No login of it is decided meanwhile.
func (tx *Tx) liftLocks(user int64) error {
	if err := tx.serialize("login " + accountOf(user)); err != nil {
		return err
	}
	return tx.Where("account = ?", accountOf(user)).Delete(&LoginFailure{}).Error
}

// CreateAdmin opens a staff account, from the command line.
func (db *DB) CreateAdmin(ctx context.Context, in Registration) (*User, error) {
	in.Username, in.Email = Trim(in.Username), Trim(in.Email)
	return db.register(ctx, Actor{}, func(r *Registration) apierror.Fields { *r = in; return apierror.Fields{} }, true)
}

// ActorNamed is an account on whose behalf a command acts.
func (db *DB) ActorNamed(ctx context.Context, username string) (Actor, error) {
	var u User
	err := db.read.WithContext(ctx).Where("username_key = ? AND is_active", nameKey(username)).Take(&u).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = errors.New("there is no active account of that name")
	}
	return Actor{User: u, Clinic: db.sharesPatients()}, err
}

// SetPassword sets an account's password from the command line, ends its sessions and lifts its locks.
func (db *DB) SetPassword(ctx context.Context, username, password string) error {
	var u User
	err := db.read.WithContext(ctx).Where("username_key = ?", nameKey(username)).Take(&u).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return errors.New("there is no account of that name")
	}
	if err != nil {
		return err
	}
	errs := apierror.Fields{}
	errs.Add("password", db.passwords.weaknesses(password, u.UserFields)...)
	if err := errs.Err(); err != nil {
		return err
	}
	hash, err := db.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	return db.revoke(ctx, Actor{}, "", func(tx *Tx) error {
		if err := tx.liftLocks(u.ID); err != nil {
			return err
		}
		if err := tx.lockAccount(u.ID); err != nil {
			return err
		}
		if err := tx.setPassword(u.ID, hash); err != nil {
			return err
		}
		return tx.endSessions("user_id = ?", u.ID)
	})
}
