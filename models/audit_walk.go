package models

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"gorm.io/gorm"
)

// part is a row of seals, or several small ones that follow one another, with the events that they cover. Parts are read,
// and the HMACs of their events made, beside one another; the chain is then proved along them in order.
type part struct {
	rows    []Seal
	after   int64 // the highest event id that is covered before them
	seals   [][]Seal
	marks   []byte
	events  map[int64]Event
	between []int64 // the ids that the database has in their range, in their order
	key     string  // whose HMACs these are
	macs    map[int64][]byte
	err     error

	loaded chan struct{}
}

// sealsAtOnce is how many rows of seals are read at a time.
const sealsAtOnce = 64

// walk goes along the chain.
func (v *verification) walk(progress func(done int64)) error {
	done := int64(0)
	if v.report.BeforeAt.IsZero() {
		if err := v.start(); err != nil {
			return err
		}
		done = v.report.Unproved
	}
	ctx, cancel := context.WithCancel(v.q.Statement.Context)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	parts := make(chan *part, runtime.GOMAXPROCS(0)) // so few are in memory at a time
	after, lastID := v.last.ID, v.last.LastID
	work.Go(func() {
		defer close(parts)
		v.readParts(ctx, after, lastID, func(p *part) bool {
			work.Go(func() { p.load(v.q.WithContext(ctx), v.db) })
			select {
			case parts <- p:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	for p := range parts {
		<-p.loaded
		if err := v.part(p); err != nil {
			return err
		}
		done += int64(len(p.rows))
		progress(done)
	}
	return v.q.Statement.Context.Err()
}

// readParts reads the rows of seals after one, and yields them part by part until the end, an error or a yield that is false.
func (v *verification) readParts(ctx context.Context, after, lastID int64, yield func(*part) bool) {
	for {
		var rows []Seal
		err := v.q.WithContext(ctx).Where("id > ?", after).Order("id").Limit(sealsAtOnce).Find(&rows).Error
		if err != nil {
			yield(newPart(nil, 0, err))
			return
		}
		if len(rows) == 0 {
			return
		}
		short := len(rows) < sealsAtOnce
		var loading []chan struct{}
		for len(rows) > 0 {
			n, events := 1, len(rows[0].EventIDs)
			for n < len(rows) && rows[n].goesWith(rows[0]) && events+len(rows[n].EventIDs) <= sealBatch {
				events += len(rows[n].EventIDs)
				n++
			}
			p := newPart(rows[:n], lastID, nil)
			if !yield(p) {
				return
			}
			if short {
				loading = append(loading, p.loaded)
			}
			after, lastID, rows = rows[n-1].ID, rows[n-1].LastID, rows[n:]
		}
		// The events of the newest seals may be archived while they are read. A newer seal tells so, so it is looked for afterwards.
		for _, loaded := range loading {
			<-loaded
		}
	}
}

// goesWith tells whether a row can be in a part with others: each pack is a part by itself.
func (s Seal) goesWith(first Seal) bool {
	return len(s.Packed) == 0 && len(first.Packed) == 0 && s.KeyID == first.KeyID && s.Format == first.Format
}

func newPart(rows []Seal, after int64, err error) *part {
	return &part{rows: rows, after: after, err: err, loaded: make(chan struct{})}
}

// load reads what the part needs, and makes the HMACs of its events. It takes a pack apart only if a key has made it.
func (p *part) load(q *gorm.DB, db *DB) {
	defer close(p.loaded)
	if p.err != nil {
		return
	}
	first := p.rows[0]
	key, known := db.keyOf(first.KeyID)
	if len(first.Packed) > 0 {
		if key, known = db.madeBy("", first); !known {
			p.err = changedSeal(first)
			return
		}
	}
	var ids []int64
	for _, row := range p.rows {
		seals, marks, err := row.unpack()
		if err != nil {
			p.err = err
			return
		}
		p.seals, p.marks = append(p.seals, seals), marks // which only a pack has
		for _, s := range seals {
			ids = append(ids, s.EventIDs...)
		}
	}
	if p.err = p.find(q, ids); p.err == nil && known {
		p.seal(key)
	}
}

// find finds the events of the part, and the ids between: mostly with one query of a range.
func (p *part) find(q *gorm.DB, ids []int64) error {
	var found []Event
	last := p.rows[len(p.rows)-1].LastID
	inRange := func() *gorm.DB { return q.Model(&Event{}).Where("id > ? AND id <= ?", p.after, last).Order("id") }
	p.events = make(map[int64]Event, len(ids))
	if last-p.after <= 2*sealBatch {
		if err := inRange().Find(&found).Error; err != nil {
			return err
		}
		covered := make(map[int64]bool, len(ids))
		for _, id := range ids {
			covered[id] = true
		}
		for _, e := range found {
			p.between = append(p.between, e.ID)
			if covered[e.ID] {
				p.events[e.ID] = e
			}
		}
		ids = slices.DeleteFunc(ids, func(id int64) bool { return id > p.after && id <= last })
	} else if err := inRange().Pluck("id", &p.between).Error; err != nil {
		return err
	}
	if len(ids) == 0 { // none has come late
		return nil
	}
	var others []Event
	if err := q.Where("id IN ?", ids).Find(&others).Error; err != nil { // at most sealBatch
		return err
	}
	for _, e := range others {
		p.events[e.ID] = e
	}
	return nil
}

// seal makes the HMACs of the events with a key.
func (p *part) seal(key auditKey) {
	p.key, p.macs = key.id, make(map[int64][]byte, len(p.events))
	h := key.newMAC()
	for id, e := range p.events {
		p.macs[id] = rowMAC(h, p.rows[0].Format, e)
	}
}
