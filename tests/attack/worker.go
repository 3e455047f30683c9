//go:build programs

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// worker is one of the others: it works on patients of its own, one request after the other, and checks each answer.
type worker struct {
	name, token string
	*caller     // of the server of the moment
	patients    []*patient
	names       int
	steps       int
	tally       *tally
}

// patient is what the server must hold of one patient.
type patient struct {
	shown
	changed bool // since it was read back
	unsure  bool // a write was not acknowledged, so it may be there or not
}

// perSecond is how many requests each worker makes.
const perSecond = 5

func newWorker(name, token string) *worker { return &worker{name: name, token: token, tally: &tally{}} }

func (w *worker) prepare(ctx context.Context, address string) error {
	w.caller = newCaller(address, w.token)
	for range patientsOf {
		w.create(ctx)
	}
	if len(w.patients) < patientsOf {
		return fmt.Errorf("%s: %s %s", w.name, w.tally, w.tally.example)
	}
	return nil
}

// work lets all workers work for some time, each in its turn, and counts what they saw.
func work(ctx context.Context, workers []*worker, lasting time.Duration, into *tally) {
	var wait sync.WaitGroup
	until := time.Now().Add(lasting)
	for i, w := range workers {
		w.tally = into
		wait.Go(func() {
			pause(ctx, time.Duration(i)*time.Second/perSecond/time.Duration(len(workers)))
			tick := time.NewTicker(time.Second / perSecond)
			defer tick.Stop()
			for time.Now().Before(until) && ctx.Err() == nil {
				w.step(ctx)
				<-tick.C
			}
		})
	}
	wait.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// step is the next of ten requests: as somebody works, mostly reading.
func (w *worker) step(ctx context.Context) {
	w.steps++
	p := w.patients[rand.IntN(len(w.patients))] //nolint:gosec // any of them
	switch "lrsurlcrsu"[w.steps%10] {
	case 'l':
		if a, ok := w.ask(ctx, http.MethodGet, "/api/patients/", nil, http.StatusOK); ok {
			w.expect(a.Count >= len(w.patients) && len(a.Results) == min(20, a.Count), "the list", a)
		}
	case 'r':
		w.read(ctx, p, wrongAnswer)
	case 's':
		if a, ok := w.ask(ctx, http.MethodGet, "/api/patients/?search="+url.QueryEscape(p.Name), nil, http.StatusOK); ok {
			w.expect(len(a.Results) == 1 && a.Results[0].ID == p.ID, "the search for "+p.Name, a)
		}
	case 'u':
		w.update(ctx, p)
	case 'c':
		w.create(ctx)
	}
}

// ask makes a request and counts how it ended; it is not ok unless the answer has the status.
func (w *worker) ask(ctx context.Context, method, path string, body object, status int) (answer, bool) {
	began := time.Now()
	a, err := w.call(ctx, method, path, body)
	if err != nil {
		w.tally.fault(unanswered, fmt.Sprintf("%s %s: %v", method, path, err))
		return a, false
	}
	w.tally.add(end(a.status, a.retryAfter), time.Since(began))
	if a.status != status {
		w.tally.keep(fmt.Sprintf("%s %s: %d %.300s", method, path, a.status, a.raw))
	}
	return a, a.status == status
}

func (w *worker) expect(ok bool, what string, a answer) {
	if !ok {
		w.tally.fault(wrongAnswer, fmt.Sprintf("%s: %s is %.300s", w.name, what, a.raw))
	}
}

func (w *worker) create(ctx context.Context) {
	w.names++
	// No name is part of another, so that a search finds one.
	p := &patient{shown: shown{Name: fmt.Sprintf("%sn%06d", w.name, w.names), Version: 1}, changed: true}
	a, ok := w.ask(ctx, http.MethodPost, "/api/patients/", object{"name": p.Name}, http.StatusCreated)
	if !ok {
		return
	}
	p.ID = a.ID
	w.expect(a.shown == p.shown, "the new patient", a)
	w.patients = append(w.patients, p)
}

func (w *worker) update(ctx context.Context, p *patient) {
	phone := strconv.Itoa(100_000 + w.steps)
	a, ok := w.ask(ctx, http.MethodPatch, p.path(), object{"phone": phone}, http.StatusOK)
	if !ok {
		p.unsure = true
		return
	}
	p.Phone, p.changed = phone, true
	if p.unsure { // this one tells
		p.Version, p.unsure = a.Version-1, false
	}
	p.Version++
	w.expect(a.shown == p.shown, "the changed patient", a)
}

// read gets a patient, which must be as it was acknowledged; the word says how another one counts.
func (w *worker) read(ctx context.Context, p *patient, otherwise string) bool {
	a, ok := w.ask(ctx, http.MethodGet, p.path(), nil, http.StatusOK)
	if ok && !p.unsure && a.shown != p.shown {
		w.tally.fault(otherwise, fmt.Sprintf("%s: not %v but %.300s", w.name, p.shown, a.raw))
	}
	return ok
}

func (p *patient) path() string { return fmt.Sprintf("/api/patients/%d/", p.ID) }

// readBack reads what was written since the last time.
func (w *worker) readBack(ctx context.Context, into *tally) {
	w.tally = into
	for _, p := range w.patients {
		if p.changed {
			p.changed = !w.read(ctx, p, lost)
		}
	}
}
