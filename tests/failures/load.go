//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// load is writers on one server, and the staff account that looks at what they did.
type load struct {
	server  *instance
	staff   *client
	writers []*writer
	stats   *stats

	stop chan struct{}
	ends chan error
}

const parallelWriters = 8

func newLoad(ctx context.Context, s *instance, writers int) (*load, error) {
	l := &load{server: s, stats: &stats{}}
	var err error
	if l.staff, err = newClient(ctx, s, "staff", l.stats); err != nil {
		return nil, err
	}
	for i := range writers {
		w := &writer{name: fmt.Sprint("writer", i)}
		if w.client, err = newClient(ctx, s, w.name, l.stats); err != nil {
			return nil, err
		}
		if err := w.prepare(ctx); err != nil {
			return nil, err
		}
		l.writers = append(l.writers, w)
	}
	return l, nil
}

// begin lets all writers work.
func (l *load) begin(ctx context.Context) {
	l.stop, l.ends = make(chan struct{}), make(chan error, len(l.writers))
	for _, w := range l.writers {
		go func() { l.ends <- w.work(ctx, l.stop) }()
	}
}

// pause lets each writer finish its request, and checks everything.
func (l *load) pause(ctx context.Context) error {
	close(l.stop)
	var err error
	for range l.writers {
		err = errors.Join(err, <-l.ends)
	}
	if err != nil {
		return fmt.Errorf("%w\nthe server says:\n%s", err, l.server.stderr)
	}
	created := len(l.writers) * 3 // doctors
	assigned := 0
	for _, w := range l.writers {
		if err := w.check(ctx, l.staff); err != nil {
			return err
		}
		created += len(w.all)
		for _, p := range w.all {
			assigned += p.assigned
		}
	}
	for action, want := range map[string]int{"create": created, "assign": assigned} {
		if got, err := l.audited(ctx, action); err != nil || got != want {
			return fmt.Errorf("the audit trail holds %d × %s, not %d: %w", got, action, want, err)
		}
	}
	return l.server.cli("", "audit", "verify")
}

// audited counts the writes of one kind that the audit trail tells of; tries that failed are in it as well.
func (l *load) audited(ctx context.Context, action string) (n int, err error) {
	err = l.eachEvent(ctx, action, func(object) { n++ })
	return n, err
}

// eachEvent reads the events of what was done.
func (l *load) eachEvent(ctx context.Context, action string, use func(event object)) error {
	for page, more := 1, true; more; page++ {
		a, err := l.staff.get(ctx, fmt.Sprintf("/api/audit/?page_size=100&action=%s&page=%d", action, page), http.StatusOK)
		if err != nil {
			return err
		}
		more = a.body["next"] != nil
		for _, e := range a.results() {
			if e["outcome"] == "ok" {
				use(e)
			}
		}
	}
	return nil
}

// patients is how many patients were created.
func (l *load) patients() (n int) {
	for _, w := range l.writers {
		n += len(w.all)
	}
	return n
}
