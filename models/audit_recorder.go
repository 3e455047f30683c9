package models

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"healthcare/apierror"
)

// auditRead queues the event of a patient's data that were shown, if row is about a patient.
func (db *DB) auditRead(by Actor, row any) error {
	if shown, ok := row.(subject); ok {
		if about := shown.subject(); about.patient() != 0 {
			return db.audit(by.event(now(), ActionRead, about), nil)
		}
	}
	return nil
}

// auditList queues the event of a list that showed data of these patients.
func (db *DB) auditList(by Actor, object string, patients IDs) error {
	e := by.event(now(), ActionList, Subject{Object: object})
	e.PatientIDs = patients
	return db.audit(e, nil)
}

// audit queues the event of a read, or of a write that was refused, with its outcome, and returns err as a client may
// see it. If events can no longer be stored, nothing is shown either.
func (db *DB) audit(e Event, err error) error {
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

	mu     sync.Mutex
	queue  []Event // what is being stored is at its head
	failed bool    // the last batch could not be stored

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
		return errNoEvents
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

// storeEvents stores a batch, all of it or nothing. On PostgreSQL it is one statement, and needs no Write.
func (db *DB) storeEvents(ctx context.Context, events []Event) error {
	// Copies, because GORM sets the ids of what it inserts: those of an attempt that failed may be taken by the next.
	if db.group == nil {
		some := slices.Clone(events)
		return db.write.WithContext(ctx).Create(&some).Error
	}
	return db.Write(ctx, Actor{}, func(tx *Tx) error {
		return tx.CreateInBatches(slices.Clone(events), eventBatch).Error
	})
}

// eventBatch is how many events one statement inserts: both databases limit the parameters of a statement.
const eventBatch = 500

// flush stores all that was added before it was called. Meanwhile, and on an error, all of it still waits. If the answer
// to a commit is lost, its events are stored twice rather than not at all.
func (r *recorder) flush(ctx context.Context) error {
	select {
	case r.flushing <- struct{}{}:
		defer func() { <-r.flushing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	batch := slices.Clone(r.queue) // because GORM sets ids
	r.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := r.store(ctx, batch)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed = err != nil; !r.failed {
		r.queue = append(make([]Event, 0, len(batch)), r.queue[len(batch):]...)
	}
	return err
}

// waiting is how many events wait to be stored, and since when the oldest does.
func (r *recorder) waiting() (events int, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) > 0 {
		since = r.queue[0].At
	}
	return len(r.queue), since
}

// fails tells whether events wait that could not be stored.
func (r *recorder) fails() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// close stores what waits, and returns what cannot be stored in time.
func (r *recorder) close(ctx context.Context) ([]Event, error) {
	close(r.stop)
	select {
	case <-r.stopped:
	case <-ctx.Done(): // of a database that hangs
	}
	err := r.flush(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.queue), err
}
