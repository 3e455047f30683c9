//go:build programs

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// restarts restarts each of three instances twice behind each proxy, while clients read and write: no request may fail,
// what was acknowledged is stored once, and each read is in the audit trail once.
func restarts(ctx context.Context, l *lab) error {
	pg, err := l.postgres()
	if err != nil {
		return err
	}
	ended := make(chan error)
	for _, p := range proxies {
		go func() {
			err := p.restarts(ctx, l, pg)
			if err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
			}
			ended <- err
		}()
	}
	for range proxies {
		err = errors.Join(err, <-ended)
	}
	return err
}

func (p proxy) restarts(ctx context.Context, l *lab, pg *cluster) (err error) {
	database, err := pg.database("restarts_" + p.name)
	if err != nil {
		return err
	}
	servers := make([]*instance, 3)
	for i := range servers {
		if servers[i], err = l.newInstance(database, "DRAIN_DELAY=2s", "TRUSTED_PROXIES=127.0.0.1"); err != nil {
			return err
		}
		s := servers[i]
		if err := s.start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.kill()) }()
	}
	url, stop, err := p.start(ctx, l, servers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	t, err := newTraffic(ctx, servers[0], url)
	if err != nil {
		return err
	}
	t.begin(ctx)
	began := time.Now()
	for range 2 {
		for _, s := range servers {
			if err := errors.Join(s.stop(), s.start(ctx)); err != nil {
				return err
			}
			time.Sleep(1500 * time.Millisecond) // until the proxy has seen it, too
		}
	}
	for t.done() < l.requests && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
	}
	t.end()
	took := time.Since(began).Seconds()
	stopped := make(chan error)
	for _, s := range servers {
		go func() { stopped <- s.stop() }()
	}
	for range servers {
		err = errors.Join(err, <-stopped)
	}
	if err != nil {
		return err
	}
	fmt.Printf("  %s: %d requests (%d of them POST) in %.0f s, 6 restarts, %d failed; the slowest took %.2f s\n",
		p.name, t.done(), len(t.names), took, len(t.failed), t.stats.slowest.Seconds())
	if len(t.failed) > 0 {
		return fmt.Errorf("%d requests failed, such as %v", len(t.failed), t.failed[:min(5, len(t.failed))])
	}
	return t.check(pg, database)
}

const parallelClients = 16

// traffic is clients that read and write through a proxy, on connections that they keep.
type traffic struct {
	*client
	stop chan struct{}
	ends sync.WaitGroup

	mu     sync.Mutex
	names  []string // of patients that were acknowledged
	reads  int      // that were shown
	failed []string // what was answered otherwise
}

func newTraffic(ctx context.Context, s *instance, url string) (*traffic, error) {
	c, err := newClient(ctx, s, "clinic", &stats{})
	if err != nil {
		return nil, err
	}
	c.url, c.http.Transport = url, &http.Transport{MaxIdleConnsPerHost: parallelClients}
	return &traffic{client: c, stop: make(chan struct{})}, nil
}

// begin lets all clients work: each creates a patient, reads it nine times, and so on.
func (t *traffic) begin(ctx context.Context) {
	for i := range parallelClients {
		t.ends.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-t.stop:
					return
				default:
					t.visit(ctx, fmt.Sprintf("Patient %d of %d", n, i))
				}
			}
		})
	}
}

func (t *traffic) visit(ctx context.Context, name string) {
	a, err := t.call(ctx, http.MethodPost, "/api/patients/", object{"name": name}, "")
	t.mu.Lock()
	if err != nil || a.status != http.StatusCreated {
		t.failed = append(t.failed, fmt.Sprintf("POST: %s %v", a, err))
		t.mu.Unlock()
		return
	}
	t.names = append(t.names, name)
	t.mu.Unlock()
	for range 9 {
		got, err := t.call(ctx, http.MethodGet, fmt.Sprintf("/api/patients/%d/", a.number("id")), nil, "")
		t.mu.Lock()
		if err != nil || got.status != http.StatusOK || got.body["name"] != name {
			t.failed = append(t.failed, fmt.Sprintf("GET: %s %v", got, err))
		} else {
			t.reads++
		}
		t.mu.Unlock()
	}
}

func (t *traffic) done() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.names) + t.reads
}

// end lets each client finish.
func (t *traffic) end() {
	close(t.stop)
	t.ends.Wait()
}

// check compares the database with what was acknowledged and shown.
func (t *traffic) check(pg *cluster, database string) error {
	out, err := exec.Command(filepath.Join(pg.bin, "psql"), database, "-Atc", //nolint:gosec // our own words
		"SELECT json_build_object('names', (SELECT json_agg(name) FROM patients), 'reads', (SELECT count(*) FROM events WHERE action = 'read' AND outcome = 'ok'))").Output()
	if err != nil {
		return err
	}
	var stored struct {
		Names []string
		Reads int
	}
	if err := json.Unmarshal(out, &stored); err != nil {
		return err
	}
	times := map[string]int{}
	for _, name := range stored.Names {
		times[name]++
	}
	for _, name := range t.names {
		if times[name] != 1 {
			return fmt.Errorf("%q was acknowledged, but is stored %d times", name, times[name])
		}
	}
	if len(stored.Names) != len(t.names) || stored.Reads != t.reads {
		return fmt.Errorf("%d patients and %d reads are stored, %d and %d were acknowledged", len(stored.Names), stored.Reads, len(t.names), t.reads)
	}
	return nil
}
