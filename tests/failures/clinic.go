//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// What is promised of a fail-over: 24 clients, 400 requests a second of which half are reads, and no answer later than this.
const (
	clients     = 24
	perSecond   = 400
	clinicLimit = 5 * time.Second // REQUEST_TIMEOUT
	lateness    = 1500 * time.Millisecond
)

// newClinic starts a server whose clients work at a pace that leaves the machine room for a fail-over.
func (l *lab) newClinic(ctx context.Context, address string) (*load, error) {
	s, err := l.newInstance(address, "REQUEST_TIMEOUT="+clinicLimit.String(), "AUTH_RATE_LIMIT=0")
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	work, err := newLoad(ctx, s, clients)
	if err != nil {
		return nil, errors.Join(err, s.kill())
	}
	for _, w := range work.writers {
		w.pace = clients * time.Second / perSecond
	}
	return work, nil
}

// read shows a patient, as the writer has left it.
func (w *writer) read(ctx context.Context, p *patient) error {
	a, _, err := w.insist(ctx, http.MethodGet, fmt.Sprintf("/api/patients/%d/", p.id), nil, "", http.StatusOK)
	if err != nil {
		return err
	}
	if a.body["name"] != p.name || a.body["phone"] != p.phone || a.number("version") != p.version {
		return fmt.Errorf("not %q, phone %q, version %d but %s", p.name, p.phone, p.version, a)
	}
	w.reads = append(w.reads, a.id)
	return nil
}

// back waits until writes are acknowledged again, which began to be possible at a time: how long the first took, and the
// first of each client.
func (l *load) back(ctx context.Context, since time.Time) (first, all time.Duration, err error) {
	for ; ; time.Sleep(2 * time.Millisecond) {
		n := 0
		for _, w := range l.writers {
			if w.written.Load() > since.UnixNano() {
				n++
			}
		}
		if n > 0 && first == 0 {
			first = time.Since(since)
		}
		switch {
		case n == len(l.writers):
			return first, time.Since(since), nil
		case time.Since(since) > 30*time.Second, ctx.Err() != nil:
			return first, 0, errors.Join(fmt.Errorf("%d of %d clients do not write again", len(l.writers)-n, len(l.writers)), l.pause(ctx))
		}
	}
}

// proved ends the work, and proves that nothing was lost or stored twice, that each read has its event, that the audit trail
// holds, and that no answer was too late or did not come.
func (l *load) proved(ctx context.Context, patience time.Duration) error {
	if err := l.pause(ctx); err != nil {
		return err
	}
	if err := l.readsAudited(ctx); err != nil {
		return err
	}
	if n := l.stats.unanswered; n > 0 {
		return fmt.Errorf("%d requests had no answer", n)
	}
	if latest := clinicLimit + lateness + patience; l.stats.slowest > latest {
		return fmt.Errorf("an answer took %s, though the limit is %s", l.stats.slowest, latest)
	}
	return errors.Join(l.server.stop(), l.server.cli("", "audit", "verify"))
}

// readsAudited compares the reads that were shown with the audit trail, by the ids of the requests.
func (l *load) readsAudited(ctx context.Context) error {
	var shown []string
	for _, w := range l.writers {
		shown = append(shown, w.reads...)
	}
	var missing int
	for range 50 { // they may still be on their way into it
		events := map[string]int{}
		seen := map[any]bool{} // what arrives meanwhile moves others to the next page
		err := l.eachEvent(ctx, "read", func(e object) {
			if !seen[e["id"]] {
				seen[e["id"]] = true
				events[e["request_id"].(string)]++
			}
		})
		if err != nil {
			return err
		}
		missing = 0
		for _, id := range shown {
			if events[id] == 0 {
				missing++
			}
		}
		if twice := slices.Max(slices.Collect(maps.Values(events))); twice > 1 {
			return fmt.Errorf("a read has %d events", twice)
		}
		if missing == 0 && len(shown) > 0 {
			fmt.Printf("  each of %d reads has its event\n", len(shown))
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%d of %d reads have no event", missing, len(shown))
}

// measured is how many requests a second are answered with success, over three seconds, or more where all is at a standstill.
func (l *load) measured(ctx context.Context) (int, error) {
	n, began := l.stats.successes(), time.Now()
	for range 5 {
		time.Sleep(3 * time.Second)
		if more := l.stats.successes() - n; more > 0 {
			return int(float64(more) / time.Since(began).Seconds()), nil
		}
	}
	return 0, errors.Join(errors.New("nothing is answered with success"), l.pause(ctx))
}
