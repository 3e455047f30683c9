package models

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// Forgotten is the body of who has forgotten the password.
type Forgotten struct {
	Email string `json:"email" validate:"required,max=254,visible,email"`
}

func (in *Forgotten) normalize() { in.Email = nfkc(in.Email) }

// So many mails an account can be sent because of what a stranger asks.
const (
	forgotMails  = 3
	forgotWindow = time.Hour
)

// Mails tells whether this server sends any.
func (db *DB) Mails() bool { return db.mails != nil }

// ForgotPassword has a link mailed with which the holder of an account chooses a new password. Everything that depends on
// whether there is such an account happens later, so that the answer does not tell.
func (db *DB) ForgotPassword(by Actor, bind Bind[Forgotten]) error {
	in, err := bind.Read()
	if err != nil {
		return err
	}
	return db.mails.add(func(ctx context.Context) error { return db.mailForgotten(ctx, by, in.Email) })
}

func (db *DB) mailForgotten(ctx context.Context, by Actor, email string) error {
	var u User
	var ticket Ticket
	holder := func(q *gorm.DB) *gorm.DB { return q.Where("email_key = ? AND is_active", nameKey(email)) }
	err := db.read.WithContext(ctx).Scopes(holder).Select("id").Take(&User{}).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = db.Write(ctx, by, func(tx *Tx) error {
		u = User{}
		if err := tx.Scopes(holder, tx.forUpdate).Take(&u).Error; err != nil {
			return err
		}
		var asked int64
		recent := tx.Model(&Invitation{}).Where("user_id = ? AND asked AND created_at > ?", u.ID, tx.Now.Add(-forgotWindow))
		if err := recent.Count(&asked).Error; err != nil {
			return err
		}
		if asked >= forgotMails {
			return gorm.ErrRecordNotFound
		}
		// A token of staff stays good: else a stranger who knows the address could spoil it.
		if err := tx.endInvitations("user_id = ? AND asked", u.ID); err != nil {
			return err
		}
		var err error
		ticket, err = db.addInvitation(tx, Invitation{UserID: u.ID, Asked: true}, ActionReset)
		return err
	})
	if errors.Is(err, apierror.ErrNotFound) {
		return nil // enough mails for it, or changed just now
	}
	if err != nil {
		return err
	}
	return db.mails.send(ctx, &u, forgotMail(&u, ticket))
}
