package models

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"healthcare/apierror"
)

// Actor is who asks: an account, and the request that it asks with.
type Actor struct {
	User
	SessionID int64
	RequestID string
	Address   string // of the client
	Network   string // what counts as one client: an IPv4 address, or the /64 of an IPv6 address
	UserAgent string
	IfMatch   string // the If-Match header
	Retry     *Retry // the Idempotency-Key header, if there was one
}

// owns narrows a query to the rows that belong to the actor, deleted ones included; staff have all.
func (a Actor) owns(owner string) []condition {
	if a.IsStaff {
		return nil
	}
	return []condition{where(owner+" = ?", a.ID)}
}

// sees narrows a query to the rows that the actor sees.
func (a Actor) sees(owner string) []condition { return append(a.owns(owner), undeleted) }

var undeleted = where("deleted_at IS NULL")

// Tx is one transaction of one actor, at one time.
type Tx struct {
	*gorm.DB
	By      Actor
	Now     time.Time
	attempt *Event // what is audited if the transaction fails
	single  bool   // see WriteOne
}

// errStale: the row was changed by another between reading and storing it.
var errStale = errors.New("the row has changed meanwhile")

// Write runs fn in a transaction. Every change to the data passes here (only the events of reads go to PostgreSQL by
// COPY), and nothing of it is kept unless all of it is. fn runs again if the transaction did not succeed because of
// others, so it must build what it stores itself. Its context may be that of another request with which it shares the
// transaction, see group.
func (db *DB) Write(ctx context.Context, by Actor, fn func(tx *Tx) error) error {
	for try := 1; ; try++ {
		var tx *Tx
		err := db.transaction(ctx, func(g *gorm.DB) error {
			tx = &Tx{DB: g, By: by, Now: now()}
			return fn(tx)
		})
		if apierror.SQLiteCode(err) != 0 {
			db.rollBack(ctx)
		}
		if try < 5 && apierror.IsRetryable(err) {
			continue
		}
		return db.written(tx, err)
	}
}

func (db *DB) transaction(ctx context.Context, fn func(*gorm.DB) error) error {
	if db.group != nil {
		return db.group.transaction(ctx, fn)
	}
	return db.write.WithContext(ctx).Transaction(fn)
}

// WriteOne is Write for an fn that only reads and then changes one row with its event, by create or update. On
// PostgreSQL that is one statement, which needs no transaction around it: two round trips fewer, and no lock is held
// between reading and storing. If another was quicker a few times, it takes its turn in a transaction.
func (db *DB) WriteOne(ctx context.Context, by Actor, fn func(tx *Tx) error) error {
	if db.write.Name() == "postgres" {
		for range 3 {
			tx := &Tx{DB: db.write.WithContext(ctx), By: by, Now: now(), single: true}
			if err := fn(tx); !errors.Is(err, errStale) && !apierror.IsRetryable(err) {
				return db.written(tx, err)
			}
		}
	}
	return db.Write(ctx, by, fn)
}

// written audits what was refused, and classifies the error.
func (db *DB) written(tx *Tx, err error) error {
	if err != nil && tx != nil && tx.attempt != nil {
		return db.audited(*tx.attempt, err)
	}
	return apierror.FromDatabase(err)
}

// rollBack ends what a failed COMMIT may have left open on SQLite's one writing connection, as its documentation
// advises; else no transaction could ever begin there again. The connection is free only while no transaction of
// database/sql has it, so no other's work can be undone. Mostly there is nothing to end, and the error says so.
func (db *DB) rollBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = db.write.WithContext(ctx).Exec("ROLLBACK").Error
}

// uncancelled is a context with the same deadline, that goes on when the client does not.
func uncancelled(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	return context.WithoutCancel(ctx), func() {}
}

// attempts says what the transaction is about to do, so that the audit trail tells of it even if it is refused.
func (tx *Tx) attempts(action, object string, id, patient int64) {
	e := tx.By.event(tx.Now, action, object, id)
	if patient != 0 {
		e.PatientID = &patient
	}
	tx.attempt = &e
}

// check refuses to go on if the client wanted to change another version than the one that is there.
func (tx *Tx) check(etag string) error {
	if tx.By.IfMatch == "" || Matches(tx.By.IfMatch, etag) {
		return nil
	}
	return &apierror.Error{Code: apierror.PreconditionFailed, Detail: "Somebody else has changed this meanwhile. Get it again, then repeat your change."}
}

// ETag spells a version as an entity tag.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// Matches tells whether an If-Match or If-None-Match header names an entity tag: * does, and a weak tag counts as its
// strong form (proxies that compress weaken tags).
func Matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == etag {
			return true
		}
	}
	return false
}

// lock loads one row into dest and keeps others from changing it until the transaction ends. (SQLite has one writer
// at a time, so it needs no lock. WriteOne compares versions instead.)
func lock[T any](tx *Tx, dest *T, id int64, scope ...condition) error {
	return lockRow(tx, dest, " FOR UPDATE", append(slices.Clip(scope), where("id = ?", id))...)
}

// lockShared loads one row into dest and keeps others from changing or deleting it, but not from sharing it.
func lockShared[T any](tx *Tx, dest *T, id int64, scope ...condition) error {
	return lockRow(tx, dest, " FOR SHARE", append(slices.Clip(scope), where("id = ?", id))...)
}

func lockRow[T any](tx *Tx, dest *T, strength string, conditions ...condition) error {
	if tx.single || tx.Name() != "postgres" {
		strength = ""
	}
	return take(tx.DB, dest, "*", strength, conditions...)
}

// serialize lets one transaction at a time do what is named, until it ends; on SQLite every write does so anyway.
func (tx *Tx) serialize(what string) error {
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", what).Error
}

// create inserts a row together with the event of its creation.
func (tx *Tx) create(row any, id *int64, object string, changes Changes) error {
	insert, values := inserting(tx.Statement.Context, row, "id")
	return tx.withEvent(insert+" RETURNING id", values, id, ActionCreate, object, changes)
}

// update stores a row that had the given version, together with the event of its change.
func (tx *Tx) update(row any, id, version int64, object string, changes Changes) error {
	table, columns, values := stored(tx.Statement.Context, row, "id", "created_at", "deleted_at")
	update := "UPDATE " + table + " SET " + strings.Join(columns, " = ?, ") + " = ? WHERE id = ? AND version = ? AND deleted_at IS NULL RETURNING id"
	return tx.withEvent(update, append(values, id, version), &id, ActionUpdate, object, changes)
}

// withEvent runs a statement that changes one row and returns its id, and stores its event; on PostgreSQL as one
// statement. They are put together here because GORM takes longer to do so than to send them.
func (tx *Tx) withEvent(change string, args []any, id *int64, action, object string, changes Changes) error {
	scan := func(statement string) error {
		changed, err := find[identified](tx.DB, statement, args...)
		if err == nil && len(changed) == 0 {
			err = errStale
		}
		if err == nil {
			*id = changed[0].ID
		}
		return err
	}
	if tx.Name() != "postgres" {
		if err := scan(change); err != nil {
			return err
		}
		return tx.record(action, object, *id, changes)
	}
	text, err := changes.Value()
	if err != nil {
		return err
	}
	e := tx.By.event(tx.Now, action, object, 0)
	args = append(args, e.At, e.UserID, e.Action, e.Object, object == objectPatient, text, e.Address, e.Outcome, e.RequestID)
	return scan("WITH changed AS (" + change + `) INSERT INTO events
		(at, user_id, action, object, object_id, patient_id, changes, address, outcome, request_id)
		SELECT ?::timestamptz, ?::bigint, ?, ?, id, CASE WHEN ?::boolean THEN id END, ?, ?, ?, ?
		FROM changed RETURNING object_id AS id`)
}

// identified is what a statement returns of a row that it changed.
type identified struct{ ID int64 }

// store writes every column of a row that was locked before, but for when it was created.
func (tx *Tx) store(row any) error {
	done := tx.Select("*").Omit("id", "created_at", "deleted_at").Updates(row)
	if done.Error == nil && done.RowsAffected != 1 {
		return errors.New("a locked row was not there to be stored")
	}
	return done.Error
}

// hide marks a row as deleted; nothing is ever erased.
func (tx *Tx) hide(table any, id int64) error {
	return tx.Model(table).Where("id = ?", id).UpdateColumn("deleted_at", tx.Now).Error
}

// unhide brings a deleted row back.
func (tx *Tx) unhide(table any, id int64) error {
	return tx.Unscoped().Model(table).Where("id = ?", id).UpdateColumn("deleted_at", nil).Error
}

// Folded is a column of folded text that both databases order by code point.
type Folded string

// GormDBDataType makes PostgreSQL compare bytes whatever the database's locale is, as SQLite always does.
func (Folded) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	if db.Name() == "postgres" {
		return `text COLLATE "C"`
	}
	return "text"
}
