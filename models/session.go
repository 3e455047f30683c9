package models

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// Session is one sign-in of an account, from login to logout. LastUsedAt is when it was opened or last refreshed.
type Session struct {
	ID         int64      `json:"id"`
	UserID     int64      `json:"-" gorm:"not null;index:sessions_user"`
	CreatedAt  time.Time  `json:"created_at" gorm:"not null"`
	LastUsedAt time.Time  `json:"last_used_at" gorm:"not null"`
	ExpiresAt  time.Time  `json:"expires_at" gorm:"not null;index:sessions_expiry"`
	EndedAt    *time.Time `json:"-"`
	Address    string     `json:"address" gorm:"not null"`
	UserAgent  string     `json:"user_agent" gorm:"not null"`
	Current    bool       `json:"current" gorm:"-"`
	User       *User      `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// RefreshToken is one link in a session's chain of refresh tokens; only the hash of the token is kept.
type RefreshToken struct {
	Hash      string    `gorm:"primaryKey"`
	SessionID int64     `gorm:"not null;index:refresh_tokens_session"`
	ExpiresAt time.Time `gorm:"not null;index:refresh_tokens_expiry"`
	SpentAt   *time.Time
	Session   *Session `gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// SignIn is what a client gets for its credentials or its refresh token.
type SignIn struct {
	User      User
	SessionID int64
	Refresh   string
}

// RefreshRequest is the body of a refresh.
type RefreshRequest struct {
	Refresh string `json:"refresh" validate:"required"`
}

// Verification is the body that asks whether an access token is valid.
type Verification struct {
	Token string `json:"token" validate:"required"`
}

var errRefreshNotValid = &apierror.Error{Code: apierror.TokenNotValid, Detail: "Token is invalid or expired"}

func (tx *Tx) openSession(u *User, ttl time.Duration) (*SignIn, error) {
	s := Session{
		UserID: u.ID, CreatedAt: tx.Now, LastUsedAt: tx.Now, ExpiresAt: tx.Now.Add(ttl),
		Address: tx.By.Address, UserAgent: tx.By.UserAgent,
	}
	if err := tx.Create(&s).Error; err != nil {
		return nil, err
	}
	if err := tx.endOldest(u.ID); err != nil {
		return nil, err
	}
	refresh := rand.Text() + rand.Text() // 260 bits
	return &SignIn{User: *u, SessionID: s.ID, Refresh: refresh}, tx.addRefreshToken(s.ID, refresh, ttl)
}

// sessionsOfAccount is how many sessions an account may have. Nobody has so many devices; a program that signs in for each
// request does.
const sessionsOfAccount = 1000

// endOldest ends the sessions that are one too many.
func (tx *Tx) endOldest(user int64) error {
	var oldest []int64
	goingOn := tx.Model(&Session{}).Where("user_id = ? AND ended_at IS NULL", user)
	if err := goingOn.Order("id DESC").Offset(sessionsOfAccount).Limit(1).Pluck("id", &oldest).Error; err != nil || len(oldest) == 0 {
		return err
	}
	tx.actorChanged = true // what is remembered of that session
	return tx.endSessions("user_id = ? AND id <= ?", user, oldest[0])
}

func (tx *Tx) addRefreshToken(session int64, token string, ttl time.Duration) error {
	return tx.Create(&RefreshToken{Hash: hashToken(token), SessionID: session, ExpiresAt: tx.Now.Add(ttl)}).Error
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// successor is the token that a spent one is exchanged for. It is derived, so that whoever presents the spent one
// again within the grace gets the same, although only hashes are stored.
func (db *DB) successor(token string) string {
	mac := hmac.New(sha256.New, db.refreshKey)
	mac.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Refresh exchanges a refresh token for its successor. A spent one presented again within the grace gets the same
// successor; later it ends its session, because it must have been stolen from somebody (RFC 9700, section 4.14.2).
func (db *DB) Refresh(ctx context.Context, by Actor, bind Bind[RefreshRequest]) (*SignIn, error) {
	in, err := bind.Read()
	if err != nil {
		return nil, err
	}
	var out *SignIn
	reused := false
	err = db.Write(ctx, by, func(tx *Tx) error {
		out, reused = nil, false
		var t RefreshToken
		err := tx.Scopes(tx.forUpdate).Where("hash = ?", hashToken(in.Refresh)).Take(&t).Error
		if err != nil {
			return notValid(err)
		}
		var s Session
		if err := tx.Joins("User").Where("sessions.id = ? AND sessions.ended_at IS NULL", t.SessionID).Take(&s).Error; err != nil {
			return notValid(err)
		}
		if !s.User.IsActive || tx.Now.After(t.ExpiresAt) {
			return errRefreshNotValid
		}
		next := db.successor(in.Refresh)
		switch {
		case t.SpentAt == nil:
			if err := tx.rotate(&t, next, db.refreshTTL); err != nil {
				return err
			}
		case db.refreshGrace == 0 || tx.Now.Sub(*t.SpentAt) >= db.refreshGrace: // the other's clock may be ahead
			reused = true
			if err := tx.lockAccount(s.UserID); err != nil {
				return err
			}
			return tx.endSessions("id = ?", t.SessionID)
		}
		out = &SignIn{User: *s.User, SessionID: t.SessionID, Refresh: next}
		return nil
	})
	if err == nil && reused {
		db.revocations.Add(1)
		err = errRefreshNotValid
	}
	return out, err
}

func notValid(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return errRefreshNotValid
	}
	return err
}

// rotate spends a token and puts its successor in its place.
func (tx *Tx) rotate(t *RefreshToken, next string, ttl time.Duration) error {
	if err := tx.Model(t).UpdateColumn("spent_at", tx.Now).Error; err != nil {
		return err
	}
	if err := tx.addRefreshToken(t.SessionID, next, ttl); err != nil {
		return err
	}
	return tx.Model(&Session{ID: t.SessionID}).UpdateColumns(map[string]any{
		"last_used_at": tx.Now, "expires_at": tx.Now.Add(ttl), "address": tx.By.Address, "user_agent": tx.By.UserAgent,
	}).Error
}

// SessionUser finds the account of an access token: one indexed look-up, which fails once the session has ended or
// the account is disabled.
func (db *DB) SessionUser(ctx context.Context, session, user int64) (*User, error) {
	var u User
	err := db.read.WithContext(ctx).Scopes(ofSession(session, user)).Take(&u).Error
	return &u, apierror.FromDatabase(err)
}

// ofSession is the scope of the account of a session that goes on, if it is active.
func ofSession(session, user int64) scope {
	return func(q *gorm.DB) *gorm.DB {
		return q.Joins("JOIN sessions ON sessions.user_id = users.id").
			Where("sessions.id = ? AND sessions.ended_at IS NULL AND users.id = ? AND users.is_active", session, user)
	}
}

// Revocations counts what has ended sessions or changed accounts through this instance. What was known of an account
// before is to be forgotten when it has grown.
func (db *DB) Revocations() int64 { return db.revocations.Load() }

// revoke is Write for what ends sessions or changes accounts. It waits for the writes of the actor's account that are
// under way, and those that come after it see what it did. What it serializes, if anything, it does before it locks the
// account, as everybody does.
func (db *DB) revoke(ctx context.Context, by Actor, serialize string, fn func(tx *Tx) error) error {
	defer db.revocations.Add(1)
	check := func(tx *Tx) error {
		if serialize != "" {
			if err := tx.serialize(serialize); err != nil {
				return err
			}
		}
		if by.ID != 0 {
			if err := tx.lockAccount(by.ID); err != nil {
				return err
			}
		}
		return tx.checkActor()
	}
	return db.writeAfter(ctx, by, check, fn)
}

// lockAccount keeps an account's writes waiting until the transaction ends.
func (tx *Tx) lockAccount(id int64) error {
	return tx.Scopes(tx.forUpdate).Select("id").Take(&User{}, id).Error
}

var sessionList = listing.List{
	Table:     "sessions",
	Columns:   listing.Columns[Session](),
	Newest:    "sessions.created_at",
	Orderings: map[string]string{"created_at": "sessions.created_at"},
}

// Sessions lists where the actor's account is signed in.
func (db *DB) Sessions(ctx context.Context, by Actor, values url.Values) (*listing.Page[Session], error) {
	goingOn := func(q *gorm.DB) *gorm.DB {
		return q.Where("user_id = ? AND ended_at IS NULL AND expires_at > ?", by.ID, now())
	}
	page, err := listing.Find[Session](db.read.WithContext(ctx), sessionList, values, db.client(by), goingOn)
	if err != nil {
		return nil, err
	}
	for i := range page.Results {
		page.Results[i].Current = page.Results[i].ID == by.SessionID
	}
	return page, nil
}

// EndSession signs the actor's account out of one of its sessions.
func (db *DB) EndSession(ctx context.Context, by Actor, id int64) error {
	return db.revoke(ctx, by, "", func(tx *Tx) error {
		var s Session
		if err := tx.Scopes(tx.forUpdate).Where("user_id = ? AND ended_at IS NULL", by.ID).Take(&s, id).Error; err != nil {
			return err
		}
		return tx.endSessions("id = ?", id)
	})
}

func (tx *Tx) endSessions(where string, args ...any) error {
	return tx.Model(&Session{}).Where("ended_at IS NULL").Where(where, args...).UpdateColumn("ended_at", tx.Now).Error
}
