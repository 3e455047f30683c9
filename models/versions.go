package models

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// Version is a record as it was after one change. Row is nil where the change was its deletion.
type Version[T any] struct {
	Row    *T
	At     time.Time
	Action string
	event  int64
}

// Versions are the newest versions of a record: of its own changes, before an event if that is not 0.
type Versions[T any] struct {
	Entries []Version[T]
	Total   int64 // 0 where one version was wanted
	Next    int64 // the event before which the next ones are; 0 if there are none
}

// Which says which versions: so many, before an event if that is not 0, or just one.
type Which struct {
	Size    int
	Before  int64
	Version int64
}

// versioned is a record whose versions can be told.
type versioned[T any] interface {
	record[T]
	at(version int64, updated time.Time) // makes it the version that it was
}

// ErrGone answers whoever may see a record that has been deleted.
var ErrGone = &apierror.Error{Code: apierror.Gone, Detail: "It has been deleted."}

// PatientVersions are the versions of a patient that the actor may see; of a deleted one, for staff.
func (db *DB) PatientVersions(ctx context.Context, by Actor, id int64, which Which) (*Versions[Patient], error) {
	found, err := versions[Patient](ctx, db, by, id, which, by.owns("created_by"))
	return found, db.audit(by.event(now(), ActionRead, Subject{Object: objectPatient, ID: id}), err)
}

// DoctorVersions are the versions of a doctor, for its creator and staff.
func (db *DB) DoctorVersions(ctx context.Context, by Actor, id int64, which Which) (*Versions[Doctor], error) {
	found, err := versions[Doctor](ctx, db, by, id, which, everything)
	return found, apierror.FromDatabase(err)
}

// PatientGone is ErrGone of a patient that the actor might see, had it not been deleted.
func (db *DB) PatientGone(ctx context.Context, by Actor, id int64) error {
	return gone[Patient](ctx, db, id, by.owns("created_by"))
}

// DoctorGone does the same for a doctor.
func (db *DB) DoctorGone(ctx context.Context, _ Actor, id int64) error {
	return gone[Doctor](ctx, db, id, everything)
}

func gone[T any](ctx context.Context, db *DB, id int64, visible scope) error {
	err := db.read.WithContext(ctx).Unscoped().Scopes(visible).Select("id").Where("deleted_at IS NOT NULL").Take(new(T), id).Error
	if err == nil {
		return ErrGone
	}
	return apierror.FromDatabase(err)
}

// versions goes back from the row as it is, change by change: what a change led from is what was there before it.
func versions[T any, R versioned[T]](ctx context.Context, db *DB, by Actor, id int64, which Which, visible scope) (all *Versions[T], err error) {
	read := func(q *gorm.DB) error {
		return inSnapshot(q, func(q *gorm.DB) error {
			all, err = versionsIn[T, R](q, by, id, which, visible)
			return err
		})
	}
	if which.Version == 0 {
		err = db.readList(ctx, by, nil, func(q *gorm.DB, _ listing.Client) error { return read(q) })
	} else { // a change may be built on it
		err = read(db.read.WithContext(ctx))
	}
	return all, err
}

// snapshot reads in one transaction, which sees all as it was when it began.
func (db *DB) snapshot(ctx context.Context, read func(q *gorm.DB) error) error {
	return inSnapshot(db.read.WithContext(ctx), read)
}

func inSnapshot(q *gorm.DB, read func(q *gorm.DB) error) error {
	return q.Transaction(read, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
}

func versionsIn[T any, R versioned[T]](q *gorm.DB, by Actor, id int64, which Which, visible scope) (*Versions[T], error) {
	row := R(new(T))
	if err := q.Unscoped().Scopes(visible).Take(row, id).Error; err != nil {
		return nil, err
	}
	about := row.subject()
	switch {
	case row.deleted() && !by.IsStaff:
		return nil, ErrGone
	case about.Object == objectDoctor && !row.changeableBy(by) && which.Version != row.version():
		return nil, apierror.ErrForbidden
	}
	own := ofObject(about.Object, id)
	if about.Object == objectPatient {
		own = func(q *gorm.DB) *gorm.DB { return q.Scopes(ofPatient(id)).Where("object = ?", objectPatient) }
	}
	back := &wayBack[T, R]{which: which, state: *row, version: row.version()}
	if which.Version == 0 { // who wants one version needs no count
		if err := q.Model(&Event{}).Scopes(own, changesOnly).Count(&back.found.Total).Error; err != nil {
			return nil, err
		}
	}
	for last := int64(math.MaxInt64); ; {
		var events []Event
		some := q.Scopes(own, changesOnly).Where("id < ?", last).Order("id DESC").Limit(eventBatch)
		if err := some.Find(&events).Error; err != nil || len(events) == 0 {
			return &back.found, err
		}
		for i := range events {
			if !back.step(&events[i]) {
				return &back.found, nil
			}
		}
		last = events[len(events)-1].ID
	}
}

// wayBack goes back from a record as it is.
type wayBack[T any, R versioned[T]] struct {
	which   Which
	state   T     // after the event that is next
	version int64 // the same
	found   Versions[T]
}

// step goes back over one change, and tells whether more are wanted.
func (w *wayBack[T, R]) step(e *Event) bool {
	if w.wants(e) {
		if n := len(w.found.Entries); n == w.which.Size {
			w.found.Next = w.found.Entries[n-1].event
			return false
		}
		entry := Version[T]{At: e.At, Action: e.Action, event: e.ID}
		if e.Action != ActionDelete && !e.Changes.mergesAway() {
			shown := w.state
			R(&shown).at(w.version, e.At)
			entry.Row = &shown
		}
		w.found.Entries = append(w.found.Entries, entry)
	}
	if e.Action != ActionDelete && e.Action != ActionRestore {
		w.version--
		undo(&w.state, e.Changes)
	}
	return true
}

func (w *wayBack[T, R]) wants(e *Event) bool {
	if w.which.Version != 0 && (w.which.Version != w.version || e.Action == ActionDelete) {
		return false
	}
	return w.which.Before == 0 || e.ID < w.which.Before
}

// mergesAway tells whether a patient was hidden by a merge.
func (c Changes) mergesAway() bool {
	var into struct {
		Merged *struct {
			To *int64 `json:"to"`
		} `json:"merged_into"`
	}
	return json.Unmarshal([]byte(c), &into) == nil && into.Merged != nil && into.Merged.To != nil
}

// undo sets the fields of a record to what a change led from.
func undo[T any](row *T, changes Changes) {
	var all map[string]struct {
		From json.RawMessage `json:"from"`
	}
	if json.Unmarshal([]byte(changes), &all) != nil {
		return // erased
	}
	fields := JSONFields[T]()
	for name, change := range all {
		if f, ok := fields[name]; ok {
			into := reflect.ValueOf(row).Elem().FieldByIndex(f.Index)
			into.SetZero()
			if text := strings.TrimSpace(string(change.From)); text != "" && text != "null" {
				_ = json.Unmarshal(change.From, into.Addr().Interface())
			}
		}
	}
}

func (p *Patient) at(version int64, updated time.Time) { p.Version, p.UpdatedAt = version, updated }
func (d *Doctor) at(version int64, updated time.Time)  { d.Version, d.UpdatedAt = version, updated }
