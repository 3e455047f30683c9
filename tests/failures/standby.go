//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// standby stops the synchronous standby of a primary under eight writers: nothing may be acknowledged then, because a
// fail-over would lose it. Then the standby is promoted while the old primary goes on, which nobody has told, and at last
// that one stops. All that was ever acknowledged must be there.
func standby(ctx context.Context, l *lab) (err error) {
	old, promoted, address, end, err := l.pair("standby")
	defer end()
	if err != nil {
		return err
	}
	if err := old.synchronous(); err != nil {
		return err
	}
	s, err := l.newInstance(address, "REQUEST_TIMEOUT=2s")
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()

	w, err := newAcknowledged(ctx, s)
	if err != nil {
		return err
	}
	if err := w.write(ctx, 2*time.Second); err != nil {
		return err
	}
	before := w.stats.writes()
	if before == 0 {
		return errors.New("nothing was stored while all was well")
	}
	if err := promoted.stop("immediate"); err != nil {
		return err
	}
	if err := w.write(ctx, 10*time.Second); err != nil {
		return err
	}
	if n := w.stats.writes() - before; n > 0 || w.stats.unavailable == 0 {
		return fmt.Errorf("without the standby, %d writes were acknowledged, and %d answered with 503", n, w.stats.unavailable)
	}
	fmt.Printf("  without the standby: %s\n", w.stats)

	if err := errors.Join(promoted.start(), promoted.tool("pg_ctl", "-D", promoted.data(), "-w", "promote")); err != nil {
		return err
	}
	if err := promoted.query("ALTER SYSTEM RESET synchronous_standby_names"); err != nil {
		return err
	}
	if err := errors.Join(promoted.query("SELECT pg_reload_conf()"), w.write(ctx, 4*time.Second), old.stop("immediate")); err != nil {
		return err
	}
	began := time.Now()
	for n := w.stats.writes(); w.stats.writes() == n; {
		if time.Since(began) > 15*time.Second {
			return errors.New("nothing is stored again after the old primary has stopped")
		}
		if err := w.write(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	fmt.Printf("  stored again %.1f s after the old primary had stopped: %s\n", time.Since(began).Seconds(), w.stats)
	if err := w.check(ctx); err != nil {
		return err
	}
	return s.stop()
}

// acknowledged are eight who write, and remember what was acknowledged.
type acknowledged struct {
	*client
	mu    sync.Mutex
	names map[int]string // of patients, as they must be
	sent  int
}

func newAcknowledged(ctx context.Context, s *instance) (*acknowledged, error) {
	c, err := newClient(ctx, s, "writer", &stats{})
	return &acknowledged{client: c, names: map[int]string{}}, err
}

// write has eight writers create patients and rename their own until the time is over. What was not acknowledged is sent
// again, with the same key, as a client does.
func (w *acknowledged) write(ctx context.Context, long time.Duration) error {
	until := time.Now().Add(long)
	errs := make(chan error)
	for range parallelWriters {
		go func() {
			for time.Now().Before(until) {
				if err := w.step(ctx, until); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var err error
	for range parallelWriters {
		err = errors.Join(err, <-errs)
	}
	return err
}

func (w *acknowledged) step(ctx context.Context, until time.Time) error {
	w.mu.Lock()
	w.sent++
	name := fmt.Sprint("Patient ", w.sent)
	w.mu.Unlock()
	a, err := w.insist(ctx, until, http.MethodPost, "/api/patients/", object{"name": name}, name)
	if err != nil || a.status != http.StatusCreated {
		return err
	}
	id := a.number("id")
	w.remember(id, name)
	a, err = w.insist(ctx, until, http.MethodPatch, fmt.Sprintf("/api/patients/%d/", id), object{"name": name + " renamed"}, "")
	if err == nil && a.status == http.StatusOK {
		w.remember(id, name+" renamed")
	}
	return err
}

func (w *acknowledged) remember(id int, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[id] = name
}

// insist sends a request until it is answered with success, or the time is over.
func (w *acknowledged) insist(ctx context.Context, until time.Time, method, path string, body any, key string) (a answer, err error) {
	for a.status == 0 || a.status == http.StatusServiceUnavailable {
		if a, err = w.call(ctx, method, path, body, key); err != nil || !time.Now().Before(until) {
			return a, err
		}
	}
	if a.status >= 300 {
		return a, fmt.Errorf("%s %s: %s", method, path, a)
	}
	return a, nil
}

// check asks for every patient that was acknowledged. Who was renamed without an answer may have either name.
func (w *acknowledged) check(ctx context.Context) error {
	for id, name := range w.names {
		a, err := w.call(ctx, http.MethodGet, fmt.Sprintf("/api/patients/%d/", id), nil, "")
		if err != nil {
			return err
		}
		if found, _ := a.body["name"].(string); found != name && found != name+" renamed" {
			return fmt.Errorf("patient %d was acknowledged as %q, but is %s", id, name, a)
		}
	}
	return nil
}

// newStandby makes a standby of a cluster and starts it.
func (pg *cluster) newStandby() (*cluster, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	other := &cluster{bin: pg.bin, dir: filepath.Join(pg.dir, "standby"), port: port}
	return other, other.follow(pg)
}

// pair makes a primary and its standby, with a database. Its address names both, and does not say which is meant. They are
// stopped by end, if they are not yet.
func (l *lab) pair(name string) (primary, spare *cluster, address string, end func(), err error) {
	end = func() {
		for _, pg := range []*cluster{spare, primary} {
			if pg != nil {
				_ = pg.stop("immediate")
			}
		}
	}
	if primary, err = newCluster(filepath.Join(l.dir, name)); err != nil {
		return primary, spare, "", end, err
	}
	if spare, err = primary.newStandby(); err != nil {
		return primary, spare, "", end, err
	}
	_, err = primary.database(name)
	address = fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable&connect_timeout=2", primary.port, spare.port, name)
	return primary, spare, address, end, err
}

// synchronous lets each write wait for the standby.
func (pg *cluster) synchronous() error {
	return errors.Join(pg.query("ALTER SYSTEM SET synchronous_standby_names = '*'"), pg.query("SELECT pg_reload_conf()"))
}

func (pg *cluster) query(statement string) error { return pg.queryIn("postgres", statement) }

func (pg *cluster) queryIn(database, statement string) error {
	return pg.tool("psql", "-h", "127.0.0.1", "-p", strconv.Itoa(pg.port), "-U", "postgres", "-d", database, "-qAtc", statement)
}
