package models

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// Invitation is a token with which the holder of an account chooses a password, once; only its hash is kept.
type Invitation struct {
	Hash      string    `gorm:"primaryKey"`
	UserID    int64     `gorm:"not null;index:invitations_user"`
	IssuedBy  *int64    `gorm:"index:invitations_issuer"` // the staff; null if the command line or the person asked for it
	Asked     bool      `gorm:"not null"`                 // by whoever has forgotten the password, see ForgotPassword
	CreatedAt time.Time `gorm:"not null"`
	ExpiresAt time.Time `gorm:"not null;index:invitations_expiry"`
	EndedAt   *time.Time
	User      *User `gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
	Issuer    *User `gorm:"foreignKey:IssuedBy;constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// invitationTTL is how long a token can be used.
const invitationTTL = 72 * time.Hour

// Invited is an account together with a new token for its holder.
type Invited struct {
	User
	Invitation Ticket `json:"invitation" gorm:"-"`
}

// Ticket is what is shown of a token, this one time. Link is null unless PUBLIC_URL is set.
type Ticket struct {
	Token     string    `json:"token"`
	Link      *string   `json:"link"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Acceptance is the body that chooses a password.
type Acceptance struct {
	Token    string `json:"token" validate:"required,max=128"`
	Password string `json:"password" trim:"no" validate:"required"`
}

// errInvalidToken is the one answer to a token that is used, expired, replaced, of a disabled account, or none.
var errInvalidToken = &apierror.Error{Code: apierror.InvalidToken, Detail: "This token is not valid, or not valid any more. Ask for a new one."}

// Invite opens an ordinary account without a password, for staff. Its holder chooses one with the token.
func (db *DB) Invite(ctx context.Context, by Actor, bind Bind[UserFields]) (*Invited, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	return db.invite(ctx, by, bind)
}

// InviteFromCommandLine is Invite for who may run the program on the server.
func (db *DB) InviteFromCommandLine(ctx context.Context, in UserFields) (*Invited, error) {
	in.Username, in.Email = Trim(in.Username), Trim(in.Email)
	return db.invite(ctx, Actor{}, func(fields *UserFields) apierror.Fields { *fields = in; return apierror.Fields{} })
}

func (db *DB) invite(ctx context.Context, by Actor, bind Bind[UserFields]) (*Invited, error) {
	var in UserFields
	errs := bind.Validated(&in)
	if err := addIfTaken(db.read.WithContext(ctx), 0, in.without(errs), errs); err != nil {
		return nil, err
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	var out *Invited
	err := db.Write(ctx, by, func(tx *Tx) error {
		u := User{UserFields: in, IsActive: true, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		if err := tx.Create(&u).Error; err != nil {
			return apierror.ConflictIfDuplicate(err, "A user with that username or email already exists.")
		}
		ticket, err := db.issue(tx, u.ID, ActionCreate)
		out = &Invited{u, ticket}
		return err
	})
	if err != nil {
		return nil, forStaff(err)
	}
	db.mailTicket(&out.User, out.Invitation, invitationMail)
	return out, nil
}

// ResetPassword makes a token for the holder of an account who has forgotten the password, for staff. Until it is used,
// the account stays as it is.
func (db *DB) ResetPassword(ctx context.Context, by Actor, id int64) (*Invited, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var out *Invited
	err := db.Write(ctx, by, func(tx *Tx) error {
		if err := tx.serialize("invitation " + accountOf(id)); err != nil {
			return err
		}
		var u User
		if err := tx.Scopes(tx.forShare).Take(&u, id).Error; err != nil {
			return err
		}
		if !u.IsActive {
			return &apierror.Error{Code: apierror.Conflict, Detail: "This account is disabled. Enable it first."}
		}
		ticket, err := db.issue(tx, u.ID, ActionReset)
		out = &Invited{u, ticket}
		return err
	})
	if err != nil {
		return nil, forStaff(err)
	}
	db.mailTicket(&out.User, out.Invitation, resetMail)
	return out, nil
}

// issue stores a new token of an account, which replaces the older ones, together with its event.
func (db *DB) issue(tx *Tx, user int64, action string) (Ticket, error) {
	if err := tx.endInvitations("user_id = ?", user); err != nil {
		return Ticket{}, err
	}
	i := Invitation{UserID: user}
	if tx.By.ID != 0 {
		i.IssuedBy = &tx.By.ID
	}
	return db.addInvitation(tx, i, action)
}

func (db *DB) addInvitation(tx *Tx, i Invitation, action string) (Ticket, error) {
	token := rand.Text() + rand.Text() // 260 bits
	i.Hash, i.CreatedAt, i.ExpiresAt = hashToken(token), tx.Now, tx.Now.Add(invitationTTL)
	if err := tx.Create(&i).Error; err != nil {
		return Ticket{}, err
	}
	ticket := Ticket{Token: token, ExpiresAt: i.ExpiresAt}
	if db.cfg.PublicURL != "" {
		link := string(db.cfg.PublicURL) + "/accept#" + token
		ticket.Link = &link
	}
	return ticket, tx.addUserEvent(action, i.UserID, noChanges)
}

// addUserEvent stores the event of something that happened to an account.
func (tx *Tx) addUserEvent(action string, user int64, changes Changes) error {
	e := tx.By.event(tx.Now, action, Subject{Object: objectUser, ID: user})
	e.Changes = changes
	return tx.Create(&e).Error
}

func (tx *Tx) endInvitations(where string, args ...any) error {
	return tx.Model(&Invitation{}).Where("ended_at IS NULL").Where(where, args...).UpdateColumn("ended_at", tx.Now).Error
}

// good is the scope of a token that can be used, of an active account.
func good(token string, at time.Time) scope {
	return func(q *gorm.DB) *gorm.DB {
		return q.Joins("User").Where("invitations.hash = ? AND invitations.ended_at IS NULL AND invitations.expires_at > ?", hashToken(token), at)
	}
}

// Accept sets the password that the holder of a token has chosen. It ends all tokens and sessions of the account, and
// lifts its locks. A password that is refused does not use the token up.
func (db *DB) Accept(ctx context.Context, by Actor, bind Bind[Acceptance]) error {
	in, err := bind.Read()
	if err != nil {
		return err
	}
	i, err := usable(db.read.WithContext(ctx), in.Token, now())
	if err != nil {
		return err
	}
	errs := apierror.Fields{}
	errs.Add("password", db.passwords.weaknesses(in.Password, i.User.UserFields)...)
	if err := errs.Err(); err != nil {
		return err
	}
	hash, err := db.passwords.hash(ctx, in.Password)
	if err != nil {
		return err
	}
	by.ID = i.UserID // the events are the holder's own
	return db.revoke(ctx, by, "login "+accountOf(i.UserID), func(tx *Tx) error {
		if _, err := usable(tx.DB, in.Token, tx.Now); err != nil { // again: the account is locked now
			return err
		}
		if err := tx.setPassword(i.UserID, hash); err != nil {
			return err
		}
		if err := tx.endSessions("user_id = ?", i.UserID); err != nil {
			return err
		}
		if err := tx.liftLocks(i.UserID); err != nil {
			return err
		}
		return tx.addUserEvent(ActionAccept, i.UserID, noChanges)
	})
}

// usable finds what a token stands for, with its account.
func usable(q *gorm.DB, token string, at time.Time) (*Invitation, error) {
	var i Invitation
	err := q.Scopes(good(token, at)).Take(&i).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !i.User.IsActive {
		return nil, errInvalidToken
	}
	return &i, apierror.FromDatabase(err)
}
