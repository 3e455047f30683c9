package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/fastgorm"
)

// Erasure is what ErasePatient has done.
type Erasure struct {
	At     time.Time
	Rows   int  // of the patient and of what belonged to it
	Events int  // whose values were erased
	Before bool // the patient had been erased before, at At; what was left of it in the database's files is erased now
}

// errNotSealed says that an event has no seal yet, so that nothing could prove it without its values.
var errNotSealed = errors.New("an event of this patient is not sealed yet")

// ErasePatient erases a patient for good, as the law demands it when somebody asks for it: the record and all that belongs to
// it, the values in their histories, and the remembered answers that hold them, also those of who was merged into it. What remains is who did what and when, which
// the seals go on to prove, and one event that says why. Servers may be running. When it has failed, do it again.
func (db *DB) ErasePatient(ctx context.Context, id int64, reason string) (*Erasure, error) {
	var done *Erasure
	err := awaited(ctx, errNotSealed.Error(), func() (bool, error) {
		if err := db.SealAll(ctx); err != nil {
			return false, fmt.Errorf("what is not sealed cannot be erased: %w", err)
		}
		err := db.Write(ctx, Actor{}, func(tx *Tx) (err error) {
			done, err = db.erase(tx, id, reason)
			return err
		})
		if errors.Is(err, errNotSealed) { // it has come since
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if !done.Before {
		done.At = now() // when it was committed: a backup that began before may hold the patient
	}
	if err := db.scrub(ctx); err != nil {
		return nil, fmt.Errorf("patient %d is erased, but traces may be left in the database's files; do this again: %w", id, err)
	}
	return done, nil
}

// errImporting refuses to erase a patient who may be in a file that waits.
var errImporting = errors.New("a file is being imported, and may hold this patient: erase when that has ended; nothing was erased")

func (db *DB) erase(tx *Tx, id int64, reason string) (*Erasure, error) {
	var p Patient
	err := tx.Unscoped().Scopes(tx.forUpdate).Take(&p, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return tx.erasedBefore(id)
	}
	if err != nil {
		return nil, err
	}
	var waiting int64
	if err := tx.Model(&ImportRow{}).Count(&waiting).Error; err != nil || waiting > 0 {
		return nil, errors.Join(err, errImporting)
	}
	if p.MergedInto != nil {
		return nil, fmt.Errorf("patient %d has been merged into patient %d: erase that one, and both are erased, or take the merge back first", id, *p.MergedInto)
	}
	all, err := allOf(tx.DB, id)
	if err != nil {
		return nil, err
	}
	done := &Erasure{At: tx.Now}
	for _, one := range slices.Backward(all) { // who was merged into it is the same person
		if err := db.eraseOne(tx, &Patient{ID: one}, reason, done); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// eraseOne erases a patient who is locked, and counts what that took.
func (db *DB) eraseOne(tx *Tx, p *Patient, reason string, done *Erasure) error {
	events, err := db.eraseValues(tx, p.ID)
	if err != nil {
		return err
	}
	tables, err := tablesOfPatients(tx.DB)
	if err != nil {
		return err
	}
	for _, model := range tables {
		rows, err := tx.eraseRows(model, p.ID)
		if err != nil {
			return err
		}
		done.Rows += rows
	}
	if err := tx.forgetAnswers(p.ID); err != nil {
		return err
	}
	done.Rows, done.Events = done.Rows+1, done.Events+events
	why := NewChanges(map[string]FromTo{"reason": {nil, reason}})
	return tx.Unscoped().Clauses(tx.event(ActionErase, p, why)).Delete(p).Error
}

// erasedBefore finds out when a patient was erased who is not there.
func (tx *Tx) erasedBefore(id int64) (*Erasure, error) {
	var e Event
	err := tx.Scopes(ofPatient(id)).Where("action = ? AND object = ?", ActionErase, objectPatient).Take(&e).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = &apierror.Error{Code: apierror.NotFound, Detail: fmt.Sprintf("There is no patient %d.", id)}
	}
	return &Erasure{At: e.At, Before: true}, err
}

// tablesOfPatients are all tables but the events whose rows belong to a patient, so that whoever adds one need not think of
// erasing. Those that refer to others come first.
func tablesOfPatients(q *gorm.DB) (tables []any, err error) {
	for _, model := range slices.Backward(Tables) {
		stmt := &gorm.Statement{DB: q}
		if err := stmt.Parse(model); err != nil {
			return nil, err
		}
		if _, isEvent := model.(*Event); !isEvent && stmt.Schema.LookUpField("patient_id") != nil {
			tables = append(tables, model)
		}
	}
	return tables, nil
}

// eraseRows erases the rows of one table that belong to a patient, hidden ones too.
func (tx *Tx) eraseRows(model any, patient int64) (int, error) {
	rows := func() *gorm.DB { return tx.Unscoped().Where("patient_id = ?", patient) }
	kind, ok := model.(subject)
	if !ok { // there are no events of these
		done := rows().Delete(model)
		return int(done.RowsAffected), done.Error
	}
	var ids []int64
	if err := rows().Model(model).Order("id").Pluck("id", &ids).Error; err != nil {
		return 0, err
	}
	for some := range slices.Chunk(ids, eventBatch) {
		events := make([]Event, len(some))
		for i, id := range some {
			events[i] = tx.By.event(tx.Now, ActionErase, Subject{Object: kind.subject().Object, ID: id, PatientID: patient})
		}
		if err := tx.Unscoped().Clauses(fastgorm.Also(events)).Where("id IN ?", some).Delete(model).Error; err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// eraseValues erases the values of a patient's history. A digest takes their place, so that the seals still hold.
func (db *DB) eraseValues(tx *Tx, patient int64) (int, error) {
	var events []Event
	told := tx.Scopes(ofPatient(patient)).Where("action <> ?", ActionErase).
		Where("changes NOT IN ('', '{}') AND changes NOT LIKE '{\"erased\":\"%'")
	if err := told.Order("id").Find(&events).Error; err != nil || len(events) == 0 {
		return 0, err
	}
	s, err := db.sealingIn(tx.DB)
	if err != nil {
		return 0, err
	}
	return len(events), tx.lift(func() error {
		for _, e := range events {
			key, format, err := s.of(e.ID)
			if err != nil {
				return err
			}
			erased := withoutValues(key.newMAC(), format, e)
			if err := tx.Model(&Event{}).Where("id = ?", e.ID).UpdateColumn("changes", erased).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// sealing finds the seals of events. Before is the last seal that covers none of them.
type sealing struct {
	db     *DB
	q      *gorm.DB
	before Seal
}

func (db *DB) sealingIn(q *gorm.DB) (*sealing, error) {
	s := &sealing{db: db, q: q}
	return s, newestSeal(q.Where("anew = ?", true), &s.before)
}

// of finds the key and the format of the seal that covers an event.
func (s *sealing) of(event int64) (auditKey, int, error) {
	for after := s.before.ID; ; {
		var row, before Seal
		if err := s.q.Where("id > ? AND last_id >= ?", after, event).Order("id").Limit(1).Find(&row).Error; err != nil {
			return auditKey{}, 0, err
		}
		if row.ID == 0 {
			return auditKey{}, 0, errNotSealed
		}
		if err := newestSeal(s.q.Where("id < ?", row.ID), &before); err != nil {
			return auditKey{}, 0, err
		}
		if after == s.before.ID {
			s.before = before // nor does it cover any later event
		}
		key, known := s.db.madeBy(before.MAC, row)
		if !known {
			return key, 0, fmt.Errorf("seal %d was changed, or its key is not at hand (AUDIT_OLD_KEYS); see: healthcare audit verify", row.ID)
		}
		seals, _, err := row.unpack()
		if err != nil {
			return key, 0, err
		}
		for _, one := range seals {
			if slices.Contains(one.EventIDs, event) {
				return key, row.Format, nil
			}
		}
		after = row.ID
	}
}

// WhoIsErased tells a person at the command line whom ErasePatient would erase.
func (db *DB) WhoIsErased(ctx context.Context, id int64) (string, error) {
	var p Patient
	err := db.read.WithContext(ctx).Unscoped().Take(&p, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		e, err := (&Tx{DB: db.read.WithContext(ctx)}).erasedBefore(id)
		return "erased since " + e.At.Format(time.DateOnly), err
	}
	born := cmp.Or(string(p.DateOfBirth), "on an unknown day")
	return fmt.Sprintf("%s, born %s, created %s", p.Name, born, p.CreatedAt.Format(time.DateOnly)), err
}
