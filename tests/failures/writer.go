//go:build programs

package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// writer changes its own patients, one request after the other, and remembers what was acknowledged. A request that
// was not answered, or with 503, is sent again until it is, so at every pause the writer knows what there must be.
type writer struct {
	*client
	name    string
	doctors []int
	all     []*patient
	steps   int

	pace    time.Duration // from one request to the next; 0 is none, and no reads
	reads   []string      // the ids of those that were shown
	written atomic.Int64  // when a write was last acknowledged, in nanoseconds
}

// patient is what the server must hold of one patient.
type patient struct {
	id                   int
	name, phone          string
	version              int
	doctors              map[int]bool
	assigned, unassigned int // events
	deleted              bool
	changed              bool // since the last check
}

func (w *writer) live() []*patient {
	return slices.DeleteFunc(slices.Clone(w.all), func(p *patient) bool { return p.deleted })
}

// prepare adds the doctors that this writer assigns.
func (w *writer) prepare(ctx context.Context) error {
	for i := range 3 {
		body := object{"name": fmt.Sprint("Dr. ", w.name, i), "specialization": "Surgery"}
		a, _, err := w.insist(ctx, http.MethodPost, "/api/doctors/", body, fmt.Sprint("doctor ", i), http.StatusCreated)
		if err != nil {
			return err
		}
		w.doctors = append(w.doctors, a.number("id"))
	}
	return nil
}

// insist sends a request until it is answered with one of the wanted statuses, and tells whether it took more than
// one try. Any other answer but 503 is an error.
func (w *writer) insist(ctx context.Context, method, path string, body any, key string, wanted ...int) (answer, bool, error) {
	for tries := 1; ; tries++ {
		a, err := w.call(ctx, method, path, body, key)
		if err == nil && a.status < 300 && a.status > 0 && method != http.MethodGet {
			w.written.Store(time.Now().UnixNano())
		}
		if err != nil || slices.Contains(wanted, a.status) {
			return a, tries > 1, err
		}
		if a.status != 0 && a.status != http.StatusServiceUnavailable && (a.status != http.StatusNotFound || tries == 1) {
			return a, false, fmt.Errorf("%s %s: %s", method, path, a)
		}
		if tries > 1 && a.status == http.StatusNotFound { // an earlier try had removed it
			return a, true, nil
		}
		select {
		case <-time.After(30 * time.Millisecond):
		case <-ctx.Done():
			return a, true, ctx.Err()
		}
	}
}

// work goes on until stop is closed.
func (w *writer) work(ctx context.Context, stop <-chan struct{}) error {
	for {
		next := time.After(w.pace)
		select {
		case <-stop:
			return nil
		default:
		}
		if err := w.step(ctx); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		<-next
	}
}

func (w *writer) step(ctx context.Context) error {
	w.steps++
	live := w.live()
	if len(live) < 3 || rand.IntN(4) == 0 {
		return w.create(ctx)
	}
	p := live[rand.IntN(len(live))]
	if w.pace > 0 && w.steps%2 == 0 {
		return w.read(ctx, p)
	}
	p.changed = true
	switch n := rand.IntN(20); {
	case n == 0:
		return w.delete(ctx, p)
	case n < 10 || p.version+p.assigned+p.unassigned > 80: // so that its history fits one page
		if p.version > 60 {
			return w.delete(ctx, p)
		}
		return w.update(ctx, p)
	default:
		return w.assignOrRemove(ctx, p)
	}
}

func (w *writer) create(ctx context.Context) error {
	p := &patient{name: fmt.Sprint(w.name, " ", w.steps), version: 1, doctors: map[int]bool{}, changed: true}
	a, _, err := w.insist(ctx, http.MethodPost, "/api/patients/", object{"name": p.name}, fmt.Sprint("create ", w.steps), http.StatusCreated)
	if err != nil {
		return err
	}
	if p.id = a.number("id"); a.body["name"] != p.name {
		return fmt.Errorf("not %q but %s", p.name, a)
	}
	w.all = append(w.all, p)
	return nil
}

func (w *writer) update(ctx context.Context, p *patient) error {
	p.phone = fmt.Sprint(w.steps)
	a, _, err := w.insist(ctx, http.MethodPatch, fmt.Sprintf("/api/patients/%d/", p.id), object{"phone": p.phone}, "", http.StatusOK)
	if err != nil {
		return err
	}
	// When an earlier try had done it, this one changed nothing: the version counts one update in any case.
	if p.version++; a.number("version") != p.version || a.body["phone"] != p.phone {
		return fmt.Errorf("not version %d with phone %s but %s", p.version, p.phone, a)
	}
	return nil
}

func (w *writer) delete(ctx context.Context, p *patient) error {
	_, _, err := w.insist(ctx, http.MethodDelete, fmt.Sprintf("/api/patients/%d/", p.id), nil, "", http.StatusNoContent)
	p.deleted = true
	p.unassigned += len(p.doctors)
	clear(p.doctors)
	return err
}

func (w *writer) assignOrRemove(ctx context.Context, p *patient) error {
	doctor := w.doctors[rand.IntN(len(w.doctors))]
	if p.doctors[doctor] {
		path := fmt.Sprintf("/api/doctor/mappings/%d/remove/", p.id)
		_, _, err := w.insist(ctx, http.MethodPost, path, object{"doctor_id": doctor}, "", http.StatusOK)
		delete(p.doctors, doctor)
		p.unassigned++
		return err
	}
	path := []string{"/api/mappings/", "/api/doctor/mappings/"}[w.steps%2]
	body := object{"patient_id": p.id, "doctor_id": doctor}
	a, _, err := w.insist(ctx, http.MethodPost, path, body, fmt.Sprint("assign ", w.steps), http.StatusCreated)
	if err != nil {
		return err
	}
	if a.number("patient_id") != p.id || a.number("doctor_id") != doctor {
		return fmt.Errorf("not %d with %d but %s", p.id, doctor, a)
	}
	p.doctors[doctor] = true
	p.assigned++
	return nil
}

// check compares what the server holds with what was acknowledged: every row, assignment and event, and no more.
func (w *writer) check(ctx context.Context, staff *client) error {
	assignments := 0
	for _, p := range w.all {
		assignments += len(p.doctors)
		if !p.changed {
			continue
		}
		if err := w.checkPatient(ctx, staff, p); err != nil {
			return fmt.Errorf("%s, patient %d: %w", w.name, p.id, err)
		}
		p.changed = false
	}
	for path, want := range map[string]int{"/api/patients/": len(w.live()), "/api/mappings/": assignments} {
		if a, err := w.get(ctx, path+"?page_size=1", http.StatusOK); err != nil || a.number("count") != want {
			return fmt.Errorf("%s, %s: not %d but %s %w", w.name, path, want, a, err)
		}
	}
	return nil
}

func (w *writer) checkPatient(ctx context.Context, staff *client, p *patient) error {
	path := fmt.Sprintf("/api/patients/%d/", p.id)
	want := map[string]int{"create": 1, "update": p.version - 1, "assign": p.assigned, "unassign": p.unassigned}
	if p.deleted {
		want["delete"] = 1
		if _, err := w.get(ctx, path, http.StatusNotFound); err != nil {
			return err
		}
	} else {
		a, err := w.get(ctx, path, http.StatusOK)
		if err != nil || a.body["name"] != p.name || a.body["phone"] != p.phone || a.number("version") != p.version {
			return fmt.Errorf("not %q, phone %q, version %d but %s %w", p.name, p.phone, p.version, a, err)
		}
		a, err = w.get(ctx, fmt.Sprintf("/api/mappings/%d/?page_size=100", p.id), http.StatusOK)
		if err != nil {
			return err
		}
		doctors := map[int]bool{}
		for _, d := range a.results() {
			doctors[int(d["id"].(float64))] = true
		}
		if !maps.Equal(doctors, p.doctors) {
			return fmt.Errorf("not the doctors %v but %v", p.doctors, doctors)
		}
	}
	history, err := staff.get(ctx, path+"history/?page_size=100", http.StatusOK)
	if err != nil {
		return err
	}
	got, phone := map[string]int{}, ""
	for _, e := range history.results() { // newest first
		action := e["action"].(string)
		if got[action]++; action == "update" && got[action] == 1 {
			phone, _ = e["changes"].(object)["phone"].(object)["to"].(string)
		}
	}
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	if !maps.Equal(got, want) || phone != p.phone {
		return fmt.Errorf("not the events %v and the phone %q in the history but %v and %q", want, p.phone, got, phone)
	}
	return nil
}
