// Package timing tells where the time of a request goes: into waiting, into the database, into reading the body, or into
// writing the answer. Begin with Spent.
package timing

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrNoConnection is in the error of whoever waited for a connection to the database, or for a turn to use one, until its
// time was over.
var ErrNoConnection = errors.New("no connection to the database became free")

// Spent is what one request has spent, in nanoseconds. Several goroutines may add to it. A nil one adds nothing.
type Spent struct {
	Waiting  Time // for a place, a turn, a hash, a connection, or for SQLite's writer
	Database Time // with a connection in hand
	Reading  Time // the body, from the client
	Writing  Time // the answer, to the client
}

// Time adds up.
type Time struct{ nanoseconds atomic.Int64 }

// Duration is the sum until now.
func (t *Time) Duration() time.Duration { return time.Duration(t.nanoseconds.Load()) }

func (t *Time) since(began time.Time) { t.nanoseconds.Add(int64(time.Since(began))) }

type key struct{}

// With makes a context of a request whose time is measured.
func With(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, &Spent{}) }

// Of is what the request of a context has spent, nil if that is not measured.
func Of(ctx context.Context) *Spent {
	s, _ := ctx.Value(key{}).(*Spent)
	return s
}

// Waited adds the time since then.
func (s *Spent) Waited(began time.Time) {
	if s != nil {
		s.Waiting.since(began)
	}
}

// InDatabase adds the time since then.
func (s *Spent) InDatabase(began time.Time) {
	if s != nil {
		s.Database.since(began)
	}
}

// Read adds the time since then.
func (s *Spent) Read(began time.Time) {
	if s != nil {
		s.Reading.since(began)
	}
}

// Wrote adds the time since then.
func (s *Spent) Wrote(began time.Time) {
	if s != nil {
		s.Writing.since(began)
	}
}
