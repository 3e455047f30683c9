//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// replica gives two instances a standby to read lists from. Eight accounts store patients through one instance and list them
// through the other, while replay on the standby is paused and goes on, the standby is frozen and killed and comes back,
// and the primary is killed and the standby promoted: whoever has stored something must see it in the next list, always. The
// staff account, which stores nothing, shows what is read from the standby, and that nothing it sees is too old.
func replica(ctx context.Context, l *lab) (err error) {
	primary, follower, address, end, err := l.pair("replica")
	defer end()
	if err != nil {
		return err
	}
	r := &replicated{primary: primary, follower: follower}
	read := fmt.Sprintf("READ_DATABASE_URL=postgres://postgres@127.0.0.1:%d/replica?sslmode=disable", follower.port)
	for i := range r.servers {
		port, err := freePort()
		if err != nil {
			return err
		}
		r.metrics[i] = fmt.Sprintf("127.0.0.1:%d", port)
		s, err := l.newInstance(address, "REQUEST_TIMEOUT=5s", read, "METRICS_ADDR="+r.metrics[i])
		if err != nil {
			return err
		}
		if err := s.start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.kill()) }()
		r.servers[i] = s
	}
	if r.staff, err = newClient(ctx, r.servers[0], "staff", &stats{}); err != nil {
		return err
	}
	if err := r.read(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, r.servers[0].stderr)
	}
	writing, stop := context.WithCancel(ctx) // also when somebody has not seen what he stored
	defer stop()
	written := r.write(writing, stop)
	for _, phase := range []struct {
		name string
		run  func(context.Context) error
	}{{"handed over", r.handedOver}, {"paused", r.paused}, {"frozen", r.frozen}, {"killed", r.killed}, {"promoted", r.promoted}} {
		before, began := r.seen.Load(), time.Now()
		if err := phase.run(writing); err != nil {
			stop()
			return fmt.Errorf("%s: %w\n%s", phase.name, errors.Join(<-written, err), r.servers[0].stderr)
		}
		fmt.Printf("  %s: %d patients were stored and seen in %.1f s\n", phase.name, r.seen.Load()-before, time.Since(began).Seconds())
	}
	stop()
	return <-written
}

// replicated is a primary with a standby, two instances that know both, and who uses them.
type replicated struct {
	primary, follower *cluster
	servers           [2]*instance
	metrics           [2]string // where they tell how they are
	staff             *client
	seen              atomic.Int64 // patients that were stored, and then listed through the other instance
}

// write has eight accounts store and list until they are told to stop.
func (r *replicated) write(ctx context.Context, stop func()) (written <-chan error) {
	ended := make(chan error, 1)
	var all sync.WaitGroup
	errs := make([]error, parallelWriters)
	for i := range errs {
		all.Go(func() {
			if errs[i] = r.account(ctx, i); errs[i] != nil {
				stop()
			}
		})
	}
	go func() {
		all.Wait()
		ended <- errors.Join(errs...)
	}()
	return ended
}

// stores waits until so many patients have been stored and seen.
func (r *replicated) stores(ctx context.Context, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for stored := r.seen.Load(); r.seen.Load() < stored+n; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			return fmt.Errorf("of %d patients, %d were stored and listed: %w", n, r.seen.Load()-stored, ctx.Err())
		}
	}
	return nil
}

func (r *replicated) account(ctx context.Context, i int) error {
	c, err := newClient(context.WithoutCancel(ctx), r.servers[i%2], fmt.Sprint("writer", i), &stats{})
	if err != nil {
		return err
	}
	other := *c
	other.url = r.servers[(i+1)%2].url()
	for n := 0; ctx.Err() == nil; n++ {
		a, err := c.call(context.WithoutCancel(ctx), http.MethodPost, "/api/patients/", object{"name": fmt.Sprint("Patient ", n)}, "")
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			continue
		}
		id := a.number("id")
		a, err = other.call(context.WithoutCancel(ctx), http.MethodGet, "/api/patients/?page_size=1", nil, "")
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			continue // 503, or nothing
		}
		if rows := a.results(); len(rows) != 1 || rows[0]["id"] != float64(id) {
			return fmt.Errorf("patient %d was stored, but the next list says %s", id, a)
		}
		r.seen.Add(1)
		time.Sleep(10 * time.Millisecond) // leaves the processors to others
	}
	return nil
}

// pause lets the standby replay nothing any more, and waits until it does not.
func (r *replicated) pause() error {
	err := r.follower.query("SELECT pg_wal_replay_pause()")
	for began := time.Now(); err == nil && time.Since(began) < 5*time.Second; {
		if r.follower.query("SELECT 1 / (CASE WHEN pg_get_wal_replay_pause_state() = 'paused' THEN 1 ELSE 0 END)") == nil {
			return nil
		}
	}
	return errors.Join(err, errors.New("the standby cannot be paused"))
}

// count is how many patients staff are shown.
func (r *replicated) count(ctx context.Context) (int, error) {
	a, err := r.staff.get(ctx, "/api/patients/?page_size=1", http.StatusOK)
	return a.number("count"), err
}

// used waits until lists are read from the standby: they do not change while it replays nothing, though patients are stored.
func (r *replicated) used(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		if err := r.pause(); err != nil {
			return err
		}
		first, err := r.count(ctx)
		err = errors.Join(err, r.stores(ctx, parallelWriters))
		second, serr := r.count(ctx)
		if err := errors.Join(err, serr, r.follower.query("SELECT pg_wal_replay_resume()")); err != nil {
			return err
		}
		if first == second {
			return nil
		}
	}
	return errors.New("lists are not read from the standby")
}

// read asks for each kind of list, while nobody else does: soon it must come from the standby.
func (r *replicated) read(ctx context.Context) error {
	for _, made := range []struct {
		path string
		body object
	}{
		{"/api/patients/", object{"name": "Petra Muster"}},
		{"/api/doctors/", object{"name": "Gregory House", "specialization": "Nephrology", "license_number": "LIC-1"}},
		{"/api/mappings/", object{"patient": 1, "doctor": 1}},
	} {
		if a, err := r.staff.call(ctx, http.MethodPost, made.path, made.body, ""); err != nil || a.status != http.StatusCreated {
			return fmt.Errorf("POST %s: %s %w", made.path, a, err)
		}
	}
	for _, path := range []string{
		"/api/patients/", "/api/patients/?search=petra", "/api/patients/1/history/", "/api/doctors/", "/api/doctors/1/history/", "/api/mappings/",
		"/api/mappings/1/", "/api/patients/export/?format=jsonl", "/fhir/Patient?name=petra", "/fhir/Patient/1/_history", "/fhir/Practitioner",
	} {
		for began := time.Now(); ; {
			before, err := r.lists(ctx)
			if err != nil {
				return err
			}
			if _, err := r.staff.get(ctx, path, http.StatusOK); err != nil {
				return err
			}
			after, err := r.lists(ctx)
			if err != nil {
				return err
			}
			if after > before {
				break
			}
			if time.Since(began) > 10*time.Second {
				return fmt.Errorf("GET %s is not read from the standby", path)
			}
		}
	}
	return nil
}

// lists is how many lists the staff's instance has read from the standby.
func (r *replicated) lists(ctx context.Context) (n int, err error) {
	text, err := scrape(ctx, r.metrics[0])
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, `healthcare_lists_total{from="replica"} `)
	_, err = fmt.Sscan(rest, &n)
	return n, err
}

func scrape(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// handedOver takes a patient from an account while the standby replays nothing: neither instance shows it to that any more.
func (r *replicated) handedOver(ctx context.Context) error {
	former, err := newClient(ctx, r.servers[0], "former", &stats{})
	if err != nil {
		return err
	}
	a, err := former.call(ctx, http.MethodPost, "/api/patients/", object{"name": "Petra Muster"}, "")
	if err != nil || a.status != http.StatusCreated {
		return fmt.Errorf("%s %w", a, err)
	}
	patient := fmt.Sprintf("/api/patients/%d/", a.number("id"))
	me, err := r.staff.get(ctx, "/api/auth/me/", http.StatusOK)
	if err != nil {
		return err
	}
	if err := errors.Join(r.used(ctx), r.pause()); err != nil {
		return err
	}
	a, err = r.staff.call(ctx, http.MethodPatch, patient, object{"created_by": me.number("id")}, "")
	if err != nil || a.status != http.StatusOK {
		return fmt.Errorf("%s %w", a, err)
	}
	for _, s := range r.servers {
		former.url = s.url()
		if a, err := former.get(ctx, "/api/patients/", http.StatusOK); err != nil || a.number("count") != 0 {
			return fmt.Errorf("the former owner is shown %s %w", a, err)
		}
		if _, err := former.get(ctx, patient+"history/", http.StatusNotFound); err != nil {
			return err
		}
	}
	return r.follower.query("SELECT pg_wal_replay_resume()")
}

// paused lets the standby replay nothing for longer than a list may be old.
func (r *replicated) paused(ctx context.Context) error {
	if err := r.used(ctx); err != nil {
		return err
	}
	if err := r.pause(); err != nil {
		return err
	}
	first, err := r.count(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	for second := first; second == first; {
		if time.Since(began) > 5*time.Second {
			return errors.New("staff are shown what was so 5 s ago")
		}
		if second, err = r.count(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("  paused: staff were shown the same for %.1f s\n", time.Since(began).Seconds())
	return errors.Join(r.follower.query("SELECT pg_wal_replay_resume()"), r.used(ctx))
}

// frozen stops the standby in the middle of what it does.
func (r *replicated) frozen(ctx context.Context) error {
	if err := r.follower.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return errors.Join(r.stores(ctx, 100), r.follower.signal(syscall.SIGCONT), r.used(ctx))
}

// killed ends the standby, starts an instance without it, and lets it come back.
func (r *replicated) killed(ctx context.Context) error {
	if err := errors.Join(r.follower.stop("immediate"), r.servers[1].stop(), r.servers[1].start(ctx)); err != nil {
		return err
	}
	for range 100 {
		if _, err := r.count(ctx); err != nil {
			return err
		}
	}
	return errors.Join(r.follower.start(), r.used(ctx))
}

// promoted kills the primary, promotes the standby.
func (r *replicated) promoted(ctx context.Context) error {
	if err := r.primary.synchronous(); err != nil {
		return err
	}
	time.Sleep(time.Second) // of writes that wait for the standby
	if err := errors.Join(r.primary.signal(syscall.SIGKILL), r.follower.tool("pg_ctl", "-D", r.follower.data(), "-w", "promote")); err != nil {
		return err
	}
	return r.stores(ctx, 100)
}
