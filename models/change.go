package models

import (
	"context"
	"maps"
	"time"

	"gorm.io/gorm/clause"

	"healthcare/apierror"
	"healthcare/fastgorm"
)

// record is a row that clients create, change, delete and restore: a patient or a doctor.
type record[T any] interface {
	*T
	subject
	ETag() string
	changeableBy(by Actor) bool // whether an actor who sees the row may change it
	deletableBy(by Actor) bool
	deleted() bool
	changed(at time.Time)  // makes it the next version
	version() int64        // of what is stored
	whenDuplicate() string // the message when a unique index refuses the row
}

// writer is db.Write or db.WriteAlone.
type writer func(ctx context.Context, by Actor, fn func(tx *Tx) error) error

// create is how a client creates something: bind and validate what was sent, remember the Idempotency-Key, and have
// store store it in a transaction. If errs is not empty, store only adds what else is wrong, and returns errs.Err().
func create[In, Out any](ctx context.Context, db *DB, by Actor, write writer, bind Bind[In],
	store func(tx *Tx, in In, errs apierror.Fields) (*Out, error),
) (*Out, error) {
	var in In
	errs := bind.Validated(&in)
	switch {
	case by.Retry != nil: // its key is one more row
		write = db.Write
	case len(errs) > 0:
		write = db.refuse
	}
	var out *Out
	err := write(ctx, by, func(tx *Tx) (err error) {
		out, err = idempotently(tx, func() (*Out, error) { return store(tx, in, maps.Clone(errs)) })
		return err
	})
	if err == nil && by.Retry.replayed() {
		err = db.auditRead(by, out)
	}
	return out, err
}

// change is how a client changes a row: find it in the actor's scope, compare If-Match, have edit change the struct, and
// store the next version with its event. What changes nothing stores nothing; the answer shows the row all the same. What
// belongs to a patient stays with that one.
func change[T any, R record[T]](ctx context.Context, db *DB, by Actor, id int64, visible scope,
	edit func(tx *Tx, row R) error,
) (R, error) {
	var row R
	var changes Changes
	err := db.WriteAlone(ctx, by, func(tx *Tx) (err error) {
		if row, err = lockRow[T, R](tx, ActionUpdate, id, visible); err != nil {
			return err
		}
		before := *row
		if err := edit(tx, row); err != nil {
			return err
		}
		if row.subject().PatientID != R(&before).subject().PatientID { // else anything could be given to a stranger's patient
			return apierror.Fields{"patient_id": {"This field may not be changed."}}.Err()
		}
		if changes = diff(&before, *row); changes == "" {
			if tx.alone { // a transaction ends only after what it has read is safe, too; see replication.go
				return fastgorm.ErrNeedsTransaction
			}
			return nil
		}
		row.changed(tx.Now)
		done := tx.Clauses(tx.event(ActionUpdate, row, changes)).Where("version = ?", R(&before).version()).
			Select("*").Omit("created_at", "deleted_at").Updates(row)
		if done.Error == nil && done.RowsAffected == 0 {
			return errStale
		}
		return apierror.ConflictIfDuplicate(done.Error, row.whenDuplicate())
	})
	if err == nil && changes == "" {
		err = db.auditRead(by, row)
	}
	return row, err
}

// lockRow finds a row that the actor may change, in the version that the client knows, and keeps it as it is.
func lockRow[T any, R record[T]](tx *Tx, action string, id int64, visible scope) (R, error) {
	row := R(new(T))
	tx.auditIfRefused(action, Subject{row.subject().Object, id, 0})
	if err := tx.Scopes(visible, tx.forUpdate).Take(row, id).Error; err != nil {
		return row, err
	}
	if !row.changeableBy(tx.By) {
		return row, apierror.ErrForbidden
	}
	return row, tx.By.checkIfMatch(row.ETag())
}

// remove is how a client deletes a row: it is hidden, together with whatever rest hides. Only ErasePatient erases. Rest may
// still refuse.
func remove[T any, R record[T]](ctx context.Context, db *DB, by Actor, id int64, visible scope, rest ...func(*Tx, Subject) error) error {
	return db.Write(ctx, by, func(tx *Tx) error {
		row, err := lockRow[T, R](tx, ActionDelete, id, visible)
		if err != nil {
			return err
		}
		if !row.deletableBy(by) {
			return apierror.ErrForbidden
		}
		if err := tx.Clauses(tx.event(ActionDelete, row, noChanges)).Delete(row).Error; err != nil {
			return err
		}
		return do(tx, row.subject(), rest)
	})
}

func do(tx *Tx, about Subject, rest []func(*Tx, Subject) error) error {
	for _, step := range rest {
		if err := step(tx, about); err != nil {
			return err
		}
	}
	return nil
}

// restore undoes remove, for staff. Rest brings back what went with the row.
func restore[T any, R record[T]](ctx context.Context, db *DB, by Actor, id int64, rest ...func(*Tx, Subject) error) (R, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var row R
	restored := false
	err := db.Write(ctx, by, func(tx *Tx) error {
		row = R(new(T))
		tx.auditIfRefused(ActionRestore, Subject{row.subject().Object, id, 0})
		err := tx.Unscoped().Scopes(tx.forUpdate).Take(row, id).Error
		if restored = row.deleted(); err != nil || !restored {
			return err
		}
		back := tx.Clauses(tx.event(ActionRestore, row, noChanges)).Unscoped().Model(row).Update("deleted_at", nil)
		if back.Error != nil {
			return apierror.ConflictIfDuplicate(back.Error, row.whenDuplicate())
		}
		return do(tx, row.subject(), append(rest, (*Tx).mustHavePatient))
	})
	if err == nil && !restored {
		err = db.auditRead(by, row)
	}
	return row, forStaff(err)
}

// checkIfMatch refuses to change a row of which the client knows another version.
func (a Actor) checkIfMatch(etag string) error {
	if a.IfMatch == "" || Matches(a.IfMatch, etag) {
		return nil
	}
	return &apierror.Error{Code: apierror.PreconditionFailed, Detail: "Somebody else has changed this meanwhile. Get it again, then repeat your change."}
}

// event is the clause that stores the event of a change together with the change of row:
//
//	tx.Clauses(tx.event(ActionCreate, &p, changes)).Create(&p)
func (tx *Tx) event(action string, row subject, changes Changes) clause.Expression {
	e := tx.By.event(tx.Now, action, row.subject())
	e.Changes = changes
	also := fastgorm.Also(&e, "object_id")
	if e.Object == objectPatient {
		also = fastgorm.Also(&e, "object_id", "patient_id")
	}
	if tx.alone && tx.By.SessionID != 0 {
		also.If(actorMay, tx.By.SessionID, tx.By.ID, tx.By.IsStaff)
	}
	return also
}
