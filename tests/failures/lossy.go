//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lossy fails over to an asynchronous standby that lacks the newest writes, again and again, while two instances change
// the same rows. What was lost is lost; but nothing that is acknowledged after the promotion may be taken back by what an
// instance remembers, each history must tell what its row holds, and the audit trail must be sealed again without a restart.
func lossy(ctx context.Context, l *lab) (err error) {
	primary, spare, address, end, err := l.pair("lossy")
	defer end()
	if err != nil {
		return err
	}
	f := &failover{primary: primary, spare: spare}
	for i := range f.clients {
		s, err := l.newInstance(address, "REQUEST_TIMEOUT=2s")
		if err != nil {
			return err
		}
		if err := s.start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.kill()) }()
		f.servers[i] = s
	}
	if f.clients[0], err = newClient(ctx, f.servers[0], "writer", &stats{}); err != nil {
		return err
	}
	other := *f.clients[0]
	other.url, f.clients[1] = f.servers[1].url(), &other
	for round := range l.fails {
		if err := f.round(ctx); err != nil {
			return fmt.Errorf("round %d: %w\n%s", round+1, err, f.servers[0].stderr)
		}
	}
	fmt.Printf("  %d fail-overs: %d acknowledged writes were lost with the old primaries, none of %d after a promotion; %s\n", l.fails, f.lost, f.kept, f.clients[0].stats)
	return f.servers[0].cli("", "audit", "verify")
}

// failover is two servers of PostgreSQL, and two instances that know of both.
type failover struct {
	primary, spare *cluster
	servers        [2]*instance
	clients        [2]*client
	lost, kept     int
}

// shared is a row that both instances change: each has a field of its own in it.
type shared struct {
	id   int
	mu   sync.Mutex
	sent [2][]string // of each field, what it may be: what was acknowledged last, and what was sent since
	n    int         // acknowledged
}

var sharedFields = [2]string{"phone", "address"}

func (f *failover) round(ctx context.Context) error {
	rows := make([]*shared, 4)
	for i := range rows {
		a, err := f.clients[0].call(ctx, http.MethodPost, "/api/patients/", object{"name": "Ana", "phone": "0", "address": "0"}, "")
		if err != nil || a.status != http.StatusCreated {
			return fmt.Errorf("%s %w", a, err)
		}
		rows[i] = &shared{id: a.number("id"), sent: [2][]string{{"0"}, {"0"}}}
	}
	if err := f.write(ctx, rows, 200*time.Millisecond); err != nil {
		return err
	}
	if err := f.caughtUp(ctx); err != nil {
		return err
	}
	// From here on, the standby is told nothing any more.
	if err := errors.Join(f.spare.query("ALTER SYSTEM SET primary_conninfo = ''"), f.spare.query("SELECT pg_reload_conf()")); err != nil {
		return err
	}
	before := total(rows)
	if err := f.write(ctx, rows, 300*time.Millisecond); err != nil {
		return err
	}
	f.lost += total(rows) - before
	if err := errors.Join(f.primary.stop("immediate"), f.spare.tool("pg_ctl", "-D", f.spare.data(), "-w", "promote")); err != nil {
		return err
	}
	f.primary, f.spare = f.spare, f.primary
	for _, r := range rows {
		r.n = 0
	}
	for began := time.Now(); total(rows) < 10*len(rows); {
		if time.Since(began) > 10*time.Second {
			return errors.New("nothing is stored after the promotion")
		}
		if err := f.write(ctx, rows, 100*time.Millisecond); err != nil {
			return err
		}
	}
	f.kept += total(rows)
	for _, r := range rows {
		if err := f.check(ctx, r); err != nil {
			return err
		}
	}
	if err := f.sealed(ctx); err != nil {
		return err
	}
	if err := f.spare.query("SELECT 1"); err == nil {
		return errors.New("the old primary still runs")
	}
	return f.spare.follow(f.primary)
}

func total(rows []*shared) (n int) {
	for _, r := range rows {
		n += r.n
	}
	return n
}

// write lets both instances change all rows at once, each its own field.
func (f *failover) write(ctx context.Context, rows []*shared, long time.Duration) error {
	until := time.Now().Add(long)
	errs := make(chan error)
	for _, r := range rows {
		for field, c := range f.clients {
			go func() {
				for time.Now().Before(until) {
					if err := r.change(ctx, c, field); err != nil {
						errs <- err
						return
					}
					time.Sleep(10 * time.Millisecond) // so that a history fits one page
				}
				errs <- nil
			}()
		}
	}
	var err error
	for range len(rows) * len(f.clients) {
		err = errors.Join(err, <-errs)
	}
	return err
}

func (r *shared) change(ctx context.Context, c *client, field int) error {
	value := strconv.FormatInt(time.Now().UnixMicro(), 10)
	r.mu.Lock()
	r.sent[field] = append(r.sent[field], value)
	r.mu.Unlock()
	a, err := c.call(ctx, http.MethodPatch, fmt.Sprintf("/api/patients/%d/", r.id), object{sharedFields[field]: value}, "")
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch a.status {
	case http.StatusOK:
		r.sent[field] = []string{value}
		r.n++
	case 0, http.StatusServiceUnavailable: // it may have been stored
	default:
		return errors.New(a.String())
	}
	return nil
}

// check compares a row with what was acknowledged last, at both instances, and with its history.
func (f *failover) check(ctx context.Context, r *shared) error {
	path := fmt.Sprintf("/api/patients/%d/", r.id)
	for _, c := range f.clients {
		row, err := c.get(ctx, path, http.StatusOK)
		if err != nil {
			return err
		}
		history, err := c.get(ctx, path+"history/?page_size=100", http.StatusOK)
		if err != nil {
			return err
		}
		told := [2]string{}
		for _, e := range history.results() { // newest first
			for i, field := range sharedFields {
				if change, ok := e["changes"].(object)[field].(object); ok && told[i] == "" {
					told[i], _ = change["to"].(string)
				}
			}
		}
		if n := history.number("count"); n != row.number("version") && n <= 100 {
			return fmt.Errorf("patient %d has version %d, but %d events", r.id, row.number("version"), n)
		}
		for i, field := range sharedFields {
			if is, _ := row.body[field].(string); is != told[i] || !strings.Contains(strings.Join(r.sent[i], " "), is) {
				return fmt.Errorf("%s of patient %d is %q; its history says %q, and acknowledged was %q", field, r.id, is, told[i], r.sent[i])
			}
		}
	}
	return nil
}

// caughtUp waits until the standby has all that the primary has.
func (f *failover) caughtUp(ctx context.Context) error {
	for range 200 {
		if f.primary.query("SELECT 1 / (SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn())") == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.Join(errors.New("the standby does not follow"), ctx.Err())
}

// sealed waits until all events are sealed.
func (f *failover) sealed(ctx context.Context) error {
	for range 100 {
		if f.primary.queryIn("lossy", "SELECT 1 / (SELECT CASE WHEN max(seals.last_id) = (SELECT max(id) FROM events) THEN 1 ELSE 0 END FROM seals)") == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	a, err := f.clients[0].call(ctx, http.MethodGet, "/readyz", nil, "")
	return errors.Join(fmt.Errorf("the audit trail is not sealed any more: %s", a), err)
}

// follow makes a server anew, as a standby of another.
func (pg *cluster) follow(other *cluster) error {
	if err := os.RemoveAll(pg.data()); err != nil {
		return err
	}
	err := other.tool("pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(other.port), "-U", "postgres", "-D", pg.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if err != nil {
		return err
	}
	return pg.start()
}
