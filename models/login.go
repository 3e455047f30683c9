package models

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/fastgorm"
)

// LoginFailure is one failed login. Account is a user's id or the hash of a name that no account has; Network is the
// client's address, or the /64 around it.
type LoginFailure struct {
	ID      int64
	Account string    `gorm:"not null;index:login_failures_account,priority:1"`
	Network string    `gorm:"not null"`
	At      time.Time `gorm:"not null;index:login_failures_account,priority:2;index:login_failures_at"`
}

// Locks: so many failures within a window lock logins for a while, of one account from one network, and of one
// account from anywhere. The first is for guessers, and does not lock the owner out elsewhere; the second is for
// guessers who have many addresses.
const (
	pairFailures    = 5
	pairWindow      = 15 * time.Minute
	pairLock        = 15 * time.Minute
	accountFailures = 100
	accountWindow   = 24 * time.Hour
	accountLock     = time.Hour
)

// Credentials is the body of a login; the username may hold the e-mail, and nothing longer than one.
type Credentials struct {
	Username string `json:"username" validate:"required,max=254"`
	Password string `json:"password" trim:"no" validate:"required"`
}

func (in *Credentials) normalize() { in.Username = nfkc(in.Username) }

var errNoActiveAccount = &apierror.Error{Code: apierror.NoActiveAccount, Detail: "No active account found with the given credentials"}

// Login opens a session for an active account. Whether the account is unknown, disabled or the password wrong makes
// no difference, neither in the answer nor in its time nor in what is counted.
func (db *DB) Login(ctx context.Context, by Actor, bind Bind[Credentials]) (*SignIn, error) {
	in, err := bind.Read()
	if err != nil {
		return nil, err
	}
	var u User
	key := nameKey(in.Username)
	err = db.read.WithContext(ctx).Where("username_key = ? OR email_key = ?", key, key).Take(&u).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, apierror.FromDatabase(err)
	}
	account := "name " + hashToken(string(key))
	if u.ID != 0 {
		account = accountOf(u.ID)
	}
	if err := checkLock(db.read.WithContext(ctx), account, by.Network, now()); err != nil {
		return nil, err
	}
	ok, err := db.passwords.matches(ctx, in.Password, u.PasswordHash)
	if err != nil {
		return nil, err
	}
	if !ok || !u.IsActive {
		return nil, db.countFailure(ctx, by, account, errNoActiveAccount)
	}
	renewed, err := db.passwords.renewed(ctx, in.Password, u.PasswordHash)
	if err != nil {
		return nil, err
	}
	var out *SignIn
	err = db.Write(ctx, by, func(tx *Tx) error {
		if err := tx.loginSucceeded(&u); err != nil {
			return err
		}
		if renewed != "" {
			if err := tx.Model(&User{ID: u.ID}).UpdateColumn("password_hash", renewed).Error; err != nil {
				return err
			}
		}
		var err error
		out, err = tx.openSession(&u, db.refreshTTL)
		return err
	})
	return out, err
}

func accountOf(id int64) string { return "user " + strconv.FormatInt(id, 10) }

// countFailure notes a failed login and returns the error to answer with: the given one, or that of the lock if
// others had failed meanwhile, so that guessing in parallel tells no more than guessing in turn. A client that hangs
// up is counted too.
func (db *DB) countFailure(ctx context.Context, by Actor, account string, answer error) error {
	ctx, cancel := fastgorm.Uncancelled(ctx)
	defer cancel()
	err := db.Write(ctx, by, func(tx *Tx) error {
		if err := tx.serialize("login " + account); err != nil {
			return err
		}
		var locked *apierror.Error
		if err := checkLock(tx.DB, account, by.Network, tx.Now); errors.As(err, &locked) {
			answer = locked
		} else if err != nil {
			return err
		}
		return tx.Create(&LoginFailure{Account: account, Network: by.Network, At: tx.Now}).Error
	})
	if err != nil {
		return err
	}
	return answer
}

// loginSucceeded forgets the failures of an account from this network. It refuses a login whose failures have locked
// it meanwhile, and one whose account was disabled or got another password while the hash was compared; from here on
// it stays as it is until the transaction ends.
func (tx *Tx) loginSucceeded(u *User) error {
	account := accountOf(u.ID)
	if err := tx.serialize("login " + account); err != nil {
		return err
	}
	if err := checkLock(tx.DB, account, tx.By.Network, tx.Now); err != nil {
		return err
	}
	err := tx.Scopes(tx.forShare).Where("is_active AND password_hash = ?", u.PasswordHash).Take(&User{}, u.ID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return errNoActiveAccount
	}
	if err != nil {
		return err
	}
	return tx.Where("account = ? AND network = ?", account, tx.By.Network).Delete(&LoginFailure{}).Error
}

// checkLock returns the error of a lock, if there is one. The newest failures of the account are enough to tell: if
// so many came from elsewhere that a network's own are not among them, the account itself is locked.
func checkLock(q *gorm.DB, account, network string, now time.Time) error {
	var all []LoginFailure
	if err := q.Where("account = ?", account).Order("at DESC, id DESC").Limit(accountFailures).Find(&all).Error; err != nil {
		return apierror.FromDatabase(err)
	}
	var pair []LoginFailure
	for _, f := range all {
		if f.Network == network {
			pair = append(pair, f)
		}
	}
	until := lockedUntil(pair, pairFailures, pairWindow, pairLock)
	if later := lockedUntil(all, accountFailures, accountWindow, accountLock); later.After(until) {
		until = later
	}
	if !until.After(now) {
		return nil
	}
	wait := int(until.Sub(now)/time.Second) + 1
	return apierror.NewThrottled(apierror.Locked, wait, fmt.Sprintf("Too many failed logins. Try again in %d seconds.", wait))
}

// lockedUntil is when the lock ends that the newest n failures made, if they fell within the window.
func lockedUntil(newestFirst []LoginFailure, n int, window, lock time.Duration) time.Time {
	if len(newestFirst) < n || newestFirst[0].At.Sub(newestFirst[n-1].At) > window {
		return time.Time{}
	}
	return newestFirst[0].At.Add(lock)
}

// PasswordChange is the body of a change of password.
type PasswordChange struct {
	Current string `json:"current_password" trim:"no" validate:"required"`
	New     string `json:"new_password" trim:"no" validate:"required"`
}

const notCurrent = "Your old password was entered incorrectly. Please enter it again."

// ChangePassword sets the actor's password and ends every other session of the account. A wrong current password counts
// as a failed login.
func (db *DB) ChangePassword(ctx context.Context, by Actor, bind Bind[PasswordChange]) error {
	var in PasswordChange
	errs := bind.Validated(&in)
	if in.New != "" {
		errs.Add("new_password", db.passwords.weaknesses(in.New, by.UserFields)...)
	}
	if err := errs.Err(); err != nil { // before anything is hashed
		return err
	}
	u, err := db.checkCurrentPassword(ctx, by, in.Current, errs)
	if err != nil {
		return err
	}
	hash, err := db.passwords.hash(ctx, in.New)
	if err != nil {
		return err
	}
	err = db.revoke(ctx, by, "login "+accountOf(by.ID), func(tx *Tx) error {
		if err := tx.loginSucceeded(u); err != nil {
			return err
		}
		if err := tx.setPassword(by.ID, hash); err != nil {
			return err
		}
		return tx.endSessions("user_id = ? AND id <> ?", by.ID, by.SessionID)
	})
	if errors.Is(err, errNoActiveAccount) { // another change came first
		errs.Add("current_password", notCurrent)
		return errs.Err()
	}
	return err
}

// checkCurrentPassword returns the actor's account as it is stored, if this is its password and no lock is on it.
func (db *DB) checkCurrentPassword(ctx context.Context, by Actor, password string, errs apierror.Fields) (*User, error) {
	account := accountOf(by.ID)
	if err := checkLock(db.read.WithContext(ctx), account, by.Network, now()); err != nil {
		return nil, err
	}
	u, err := db.SessionUser(ctx, by.SessionID, by.ID) // what is known of the actor may be some seconds old
	if errors.Is(err, apierror.ErrNotFound) {
		return nil, apierror.ErrSessionEnded
	}
	if err != nil {
		return nil, err
	}
	ok, err := db.passwords.matches(ctx, password, u.PasswordHash)
	if err == nil && !ok {
		errs.Add("current_password", notCurrent)
		err = db.countFailure(ctx, by, account, errs.Err())
	}
	return u, err
}

// setPassword also ends the tokens with which another password could be chosen.
func (tx *Tx) setPassword(user int64, hash string) error {
	if err := tx.endInvitations("user_id = ?", user); err != nil {
		return err
	}
	return tx.Model(&User{ID: user}).UpdateColumns(map[string]any{"password_hash": hash, "updated_at": tx.Now}).Error
}
