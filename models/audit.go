package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"healthcare/apierror"
)

// AuditEntry is one line of the audit trail.
type AuditEntry struct {
	Event
	User *UserName `json:"user" gorm:"embedded;embeddedPrefix:by_"`
}

var auditList = listing{
	table:     "events",
	columns:   columns[Event]() + ", events.patient_id, " + byColumns,
	joins:     "LEFT JOIN users ON users.id = events.user_id",
	newest:    "events.at",
	orderings: map[string]string{"created_at": "events.at"},
	filters: map[string]filter{
		"user_id": number("events.user_id"),
		"action": oneOf("events.action", ActionCreate, ActionUpdate, ActionDelete, ActionRestore, ActionAssign, ActionUnassign,
			ActionRead, ActionList),
	},
}

// Audit lists who did what to whose data, for staff.
func (db *DB) Audit(ctx context.Context, by Actor, values url.Values) (*Page[AuditEntry], error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	conditions, err := auditConditions(db.read.Name(), values)
	if err != nil {
		return nil, err
	}
	if err := db.recorder.flush(ctx); err != nil { // what this instance has shown so far is in the answer
		return nil, apierror.FromDatabase(err)
	}
	page, err := list[AuditEntry](ctx, db.read, by, auditList, values, conditions...)
	if err != nil {
		return nil, err
	}
	for i := range page.Results {
		e := &page.Results[i]
		if e.PatientID != nil {
			e.PatientIDs = IDs{*e.PatientID}
		} else if e.PatientIDs == nil {
			e.PatientIDs = IDs{}
		}
		if e.User.ID == 0 { // nobody: a command
			e.User = nil
		}
	}
	return page, nil
}

// auditConditions are the filters that no plain comparison of a column can be: whose data, and when.
func auditConditions(dialect string, values url.Values) ([]condition, error) {
	var conditions []condition
	wrong := apierror.Fields{}
	if s := values.Get("patient_id"); s != "" {
		id, ok := number("").parse(s)
		if !ok {
			wrong.Add("patient_id", number("").says)
		}
		if dialect == "postgres" {
			conditions = append(conditions, where("events.patient_id = ? OR events.patient_ids @> ARRAY[?]::bigint[]", id, id))
		} else {
			shown := "events.id IN (SELECT rowid FROM events_patients WHERE events_patients MATCH ?)"
			conditions = append(conditions, where("events.patient_id = ? OR "+shown, id, fmt.Sprintf(`"%v"`, id)))
		}
	}
	for name, comparison := range map[string]string{"since": "events.at >= ?", "until": "events.at <= ?"} {
		s := values.Get(name)
		if s == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(s, " ", "+")) // a + that was not escaped
		if day, derr := time.Parse(time.DateOnly, s); derr == nil {
			at, err = day, nil
			if name == "until" {
				at = day.Add(24*time.Hour - time.Microsecond)
			}
		}
		if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
			wrong.Add(name, "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm:ssZ, YYYY-MM-DD.")
		}
		conditions = append(conditions, where(comparison, at.UTC()))
	}
	return conditions, wrong.Err()
}

// audited queues the event of a read, or of a write that was refused, and returns the outcome it was given. If
// events can no longer be stored, nothing is shown either.
func (db *DB) audited(e Event, err error) error {
	err = apierror.FromDatabase(err)
	var known *apierror.Error
	switch {
	case errors.As(err, &known):
		e.Outcome = string(known.Code)
	case err != nil:
		e.Outcome = string(apierror.ServerError)
	}
	if full := db.recorder.add(e); full != nil {
		if err == nil {
			return full
		}
		slog.Error("an audit event of a refused request is lost", "action", e.Action, "object", e.Object, "request_id", e.RequestID)
	}
	return err
}

// recorder stores events in batches, off the path of the requests that caused them.
type recorder struct {
	store func(context.Context, []Event) error
	log   *slog.Logger

	mu    sync.Mutex
	queue []Event

	flushing chan struct{} // holds one while a batch is stored, so that none overtakes another
	wake     chan struct{}
	stop     chan struct{}
	stopped  chan struct{}
}

// How the recorder works: at the latest so long after an event it is stored, sooner if many wait. When more wait
// than a dead database's outage should leave in memory, it takes no more.
const (
	flushEvery = 500 * time.Millisecond
	flushAt    = 2 * eventBatch
	queueLimit = 20_000
)

func newRecorder(store func(context.Context, []Event) error) *recorder {
	r := &recorder{
		store: store, log: slog.Default(), flushing: make(chan struct{}, 1),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go r.run()
	return r
}

func (r *recorder) run() {
	defer close(r.stopped)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.wake:
		case <-r.stop:
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := r.flush(ctx); err != nil {
			r.log.Error("audit events wait to be stored", "error", err)
		}
		cancel()
	}
}

func (r *recorder) add(e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) >= queueLimit {
		return &apierror.Error{Code: apierror.Unavailable, Detail: "The audit trail cannot be written. Try again soon.", RetryAfter: 5}
	}
	r.queue = append(r.queue, e)
	if len(r.queue) >= flushAt {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// storeEvents stores a batch, all of it or nothing. PostgreSQL gets it by COPY, which is quickest.
func (db *DB) storeEvents(ctx context.Context, events []Event) error {
	if db.write.Name() != "postgres" {
		return db.Write(ctx, Actor{}, func(tx *Tx) error {
			// A copy, because GORM sets the ids of what it inserts: those of an attempt that failed may be taken by the next.
			return tx.CreateInBatches(slices.Clone(events), eventBatch).Error
		})
	}
	pool, err := db.write.DB()
	if err != nil {
		return err
	}
	columns := []string{"at", "user_id", "action", "object", "object_id", "patient_id", "patient_ids", "changes", "address", "outcome", "request_id"}
	rows := pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
		e := &events[i]
		return []any{e.At, e.UserID, e.Action, e.Object, e.ObjectID, e.PatientID, []int64(e.PatientIDs), "", e.Address, e.Outcome, e.RequestID}, nil
	})
	return onPGX(ctx, pool, func(conn *pgx.Conn) error {
		_, err := conn.CopyFrom(ctx, pgx.Identifier{"events"}, columns, rows)
		return err
	})
}

// flush stores all that was added before it was called; on an error, all of it still waits. If the answer to a commit
// is lost, its events are stored twice rather than not at all.
func (r *recorder) flush(ctx context.Context) error {
	select {
	case r.flushing <- struct{}{}:
		defer func() { <-r.flushing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	batch := r.queue
	r.queue = make([]Event, 0, len(batch))
	r.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := r.store(ctx, batch)
	if err != nil {
		r.mu.Lock()
		r.queue = slices.Concat(batch, r.queue)
		r.mu.Unlock()
	}
	return err
}

// close stores what waits; what cannot be stored any more is told to the log, never dropped in silence.
func (r *recorder) close(ctx context.Context) error {
	close(r.stop)
	<-r.stopped
	err := r.flush(ctx)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.log.Error("audit events are lost", "count", len(r.queue), "error", err)
	}
	return err
}
