package models

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
	"healthcare/fastgorm"
)

// Tx is one transaction of one actor, at one time. It is a *gorm.DB: all of GORM works on it.
type Tx struct {
	*gorm.DB
	By  Actor
	Now time.Time

	refused      *Event // is audited if the transaction fails
	alone        bool   // see WriteAlone
	clinic       bool   // PATIENT_ACCESS is clinic
	former       int64  // the account that a patient is taken from, see handOver
	actorChanged bool   // what this process remembers of the actor is wrong, see checkActor and endOldest
}

// Write runs fn in a transaction: all of it is kept, or nothing. Every change of a record comes through here or through
// WriteAlone. (Events of reads do not, see storeEvents; nor does what the program notes for itself, see noteWrite, beat
// and NoteBackup.) The error may be shown to a client.
//
// What this process knows of the actor may be some seconds old. So a write first reads it again, in its own transaction,
// and keeps it as it is until the end: see checkActor.
//
// fn runs again if the transaction failed because of others, so it must build what it stores itself. On SQLite it shares
// its transaction with other requests, see fastgorm.Group.
func (db *DB) Write(ctx context.Context, by Actor, fn func(tx *Tx) error) error {
	if by.within != nil {
		return fn(by.within)
	}
	return db.writeAfter(ctx, by, (*Tx).checkActor, fn)
}

// goOn makes a context with which what has begun goes on to its end even if the client hangs up: else a client could have
// changes rolled back half-way again and again, at no cost to itself. (A group does the same by itself.)
func (db *DB) goOn(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if db.group != nil {
		return ctx, func() {}, nil
	}
	on, cancel := fastgorm.Uncancelled(ctx)
	return on, cancel, ctx.Err()
}

// writeAfter is Write with a check of the actor of its own.
func (db *DB) writeAfter(ctx context.Context, by Actor, check, fn func(tx *Tx) error) error {
	ctx, cancel, err := db.goOn(ctx)
	defer cancel()
	if err != nil {
		return apierror.FromDatabase(err)
	}
	for try := 1; ; try++ {
		var tx *Tx
		err := db.transaction(ctx, func(g *gorm.DB) error {
			tx = &Tx{DB: g, By: by, Now: now(), clinic: db.sharesPatients()}
			if err := check(tx); err != nil {
				return err
			}
			return fn(tx)
		})
		if apierror.SQLiteCode(err) != 0 {
			db.rollBack(ctx)
		}
		if try < 5 && apierror.IsRetryable(err) {
			continue
		}
		if err = db.finish(tx, err); err == nil {
			db.noteWrite(ctx, by.ID, tx.former)
		}
		return err
	}
}

func (db *DB) transaction(ctx context.Context, fn func(*gorm.DB) error) error {
	if db.group != nil {
		return db.group.Transaction(ctx, fn)
	}
	return db.onSafeConnection(ctx, func(g *gorm.DB) error { return g.Transaction(fn) })
}

// WriteAlone is Write for an fn that reads, and then changes one row together with its event. On PostgreSQL that is one
// statement, which needs no transaction around it: two round trips fewer, and no lock is held between reading and
// storing. The version that was read must be a condition of an update, which then fails with errStale. If others were
// faster three times, fn takes its turn in a transaction; and so it does if one statement is not enough.
func (db *DB) WriteAlone(ctx context.Context, by Actor, fn func(tx *Tx) error) error {
	if db.group == nil && by.within == nil {
		on, cancel, err := db.goOn(ctx)
		defer cancel()
		if err != nil {
			return apierror.FromDatabase(err)
		}
		for range 3 {
			var tx *Tx
			err := db.onSafeConnection(on, func(g *gorm.DB) error {
				tx = &Tx{DB: g, By: by, Now: now(), clinic: db.sharesPatients(), alone: true}
				return fn(tx)
			})
			if errors.Is(err, fastgorm.ErrNeedsTransaction) || errors.Is(err, fastgorm.ErrNotStored) {
				break // Write finds out what is wrong with the actor
			}
			if !errors.Is(err, errStale) && !apierror.IsRetryable(err) {
				if err = db.finish(tx, err); err == nil {
					db.noteWrite(on, by.ID)
				}
				return err
			}
		}
	}
	return db.Write(ctx, by, fn)
}

// errStale says that another has changed the row since it was read.
var errStale = errors.New("the row has changed meanwhile")

// refuse is Write for an fn that cannot succeed, because what the client sent is wrong already: it only finds out what
// else is wrong. It joins no transaction, which would make the others of its group run again.
func (db *DB) refuse(ctx context.Context, by Actor, fn func(tx *Tx) error) error {
	tx := &Tx{DB: db.read.WithContext(ctx), By: by, Now: now(), clinic: db.sharesPatients(), alone: true}
	return db.finish(tx, fn(tx))
}

// finish audits what was refused, and makes the error one that a client may see.
func (db *DB) finish(tx *Tx, err error) error {
	if tx != nil && tx.actorChanged {
		db.revocations.Add(1) // forget it
	}
	if err != nil && tx != nil && tx.refused != nil {
		return db.audit(*tx.refused, err)
	}
	return apierror.FromDatabase(err)
}

// rollBack ends what a failed COMMIT may have left open on SQLite's one writing connection, as its documentation
// advises; else no transaction could begin there any more. The connection is free only while no transaction of
// database/sql has it, so no other's work can be undone. Mostly there is nothing to end, and the error says so.
func (db *DB) rollBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = db.write.WithContext(ctx).Exec("ROLLBACK").Error
}

// auditIfRefused says what the transaction is about to do, so that the audit trail tells of it even if it fails.
func (tx *Tx) auditIfRefused(action string, about Subject) {
	e := tx.By.event(tx.Now, action, about)
	tx.refused = &e
}

// forUpdate is the scope that keeps others from changing the rows until the transaction ends. SQLite needs no locks: it
// has one writer at a time. Nor does WriteAlone, which compares versions.
func (tx *Tx) forUpdate(q *gorm.DB) *gorm.DB { return tx.locking(q, clause.LockingStrengthUpdate) }

// forNoKeyUpdate is forUpdate that lets others refer to the rows meanwhile: store what belongs to a user, or write as one.
func (tx *Tx) forNoKeyUpdate(q *gorm.DB) *gorm.DB { return tx.locking(q, "NO KEY UPDATE") }

// forKeyShare keeps others from locking the rows for an update, but lets them read, share and change them otherwise.
func (tx *Tx) forKeyShare(q *gorm.DB) *gorm.DB { return tx.locking(q, "KEY SHARE") }

// forShare keeps others from changing or deleting the rows, but not from locking them like this.
func (tx *Tx) forShare(q *gorm.DB) *gorm.DB { return tx.locking(q, clause.LockingStrengthShare) }

func (tx *Tx) locking(q *gorm.DB, strength string) *gorm.DB {
	if tx.alone {
		return q
	}
	return q.Clauses(clause.Locking{Strength: strength})
}

// serialize lets one transaction at a time do what is named, until it ends. On SQLite every write does so anyway.
func (tx *Tx) serialize(what string) error {
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", what).Error
}

// checkActor reads the actor again, and refuses a write of one whose session has ended, whose account is disabled, or
// who came as staff and is none any more. The actor stays so until the transaction ends: what changes that locks the
// account first (see DB.revoke), which waits for the locks taken here; and who waits for that lock sees what was changed.
// Commands, and who is just signing in, have no session.
func (tx *Tx) checkActor() error {
	if tx.By.SessionID == 0 {
		return nil
	}
	var u User
	err := tx.Scopes(ofSession(tx.By.SessionID, tx.By.ID), tx.forKeyShare).Select("users.is_staff").Take(&u).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		err, tx.actorChanged = apierror.ErrSessionEnded, true
	case err == nil && tx.By.IsStaff && !u.IsStaff:
		err, tx.actorChanged = errNoLongerStaff, true
	}
	return err
}

// errNoLongerStaff answers a write that was begun as staff. When it comes again, it is judged as anybody's.
var errNoLongerStaff = apierror.NewUnavailable(apierror.Rights, 1, "What you may do has just changed. Try again.")

// actorMay is checkActor as a condition, for a change that has no transaction.
const actorMay = "EXISTS (SELECT 1 FROM users JOIN sessions ON sessions.user_id = users.id WHERE sessions.id = ? AND sessions.ended_at IS NULL" +
	" AND users.id = ? AND users.is_active AND (users.is_staff OR NOT ?) FOR KEY SHARE)"
