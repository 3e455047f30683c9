package models

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"gorm.io/gorm"
)

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Events   int64     // that are sealed and unchanged
	Archived int64     // that are sealed, and archived instead of removed
	Seals    int64     // that cover them
	Unsealed int64     // that no seal covers yet
	Unproved int64     // seals of a key that is lost, which newer seals have taken the place of
	Anew     time.Time // when they did; zero if they did not
	Before   int64     // of the events, those that an earlier proof has read, and not this one
	BeforeAt time.Time // when the last of these was made; zero if this one has read all
	WholeAt  time.Time // when the last one was made that has read all
	Last     string    // the newest seal's HMAC: noted elsewhere, it shows later whether the end was cut off
}

// How old an event may be. The server seals every second. An event that was much older than its seal was put in later
// than it says, or waited in a server's memory while the database was away.
const (
	sealedWithin = time.Minute
	muchOlder    = time.Hour
)

// verification is what VerifyAudit knows while it walks along the chain.
type verification struct {
	db     *DB
	q      *gorm.DB
	report *AuditReport
	last   Seal
	key    auditKey        // whose turn it is
	noted  map[string]bool // HMACs of seals that must be in the chain, and whether they were
	old    []string        // what is suspicious, but not proof
	ages   bool            // whether ages are looked at: not of events up to the seal that a person noted and so has looked at
	since  string          // the HMAC of that seal

	archives  archives
	archive   int64                           // the newest note of one when this proof began
	archiving bool                            // the rows of one were being removed then
	each      func(e Event, mac []byte) error // is given each event that was proved, if it is not nil
}

// newVerification begins at the start of the chain. Dir is where the files of archived events are, "" to do without them.
func (db *DB) newVerification(ctx context.Context, dir string) *verification {
	return &verification{
		db: db, q: db.read.WithContext(ctx), report: &AuditReport{}, noted: map[string]bool{},
		archives: archives{dir: dir, used: map[string]Archive{}, told: map[string]string{}},
	}
}

// VerifyAudit proves the whole chain of seals against the events. The error names the first event or seal that was changed,
// removed or put in. Noted is the HMAC of a seal that must be part of the chain, "" for none; so must be the one that
// the server remembers. Progress is told of each seal. Of archived events, it proves that they were archived.
func (db *DB) VerifyAudit(ctx context.Context, noted string, progress func(done, of int64)) (*AuditReport, error) {
	v := db.newVerification(ctx, "")
	return v.report, v.prove(noted, true, progress)
}

// VerifyAuditAndFiles does what VerifyAudit does, and proves archived events from their files in a folder, unless it is "".
// It remembers that the trail was proved, for VerifyNewAudit.
func (db *DB) VerifyAuditAndFiles(ctx context.Context, noted, dir string, progress func(done, of int64)) (*AuditReport, error) {
	v := db.newVerification(ctx, dir)
	err := v.prove(noted, true, progress)
	if err == nil {
		v.keep(ctx)
	}
	return v.report, err
}

// VerifyNewAudit does what VerifyAudit does, but does not read again what was proved before. It cannot find what was
// changed there since then.
func (db *DB) VerifyNewAudit(ctx context.Context, progress func(done, of int64)) (*AuditReport, error) {
	v := db.newVerification(ctx, "")
	err := v.prove("", false, progress)
	if err == nil {
		v.keep(ctx)
	}
	return v.report, err
}

// prove is VerifyAudit and its like. An error that is of type AuditDoubtsError comes with a report that is whole.
func (v *verification) prove(noted string, whole bool, progress func(done, of int64)) error {
	v.ages, v.since = noted == "", noted
	remembered, err := readEnd(v.db.end.file)
	if err != nil {
		return err
	}
	for _, mac := range []string{noted, remembered.mac} {
		if mac != "" {
			v.noted[mac] = false
		}
	}
	err = v.begin()
	if err == nil && !whole {
		err = v.goOn(remembered)
	}
	if err != nil {
		return err
	}
	var rows int64
	if err := v.q.Model(&Seal{}).Where("id > ?", v.last.ID).Count(&rows).Error; err != nil {
		return err
	}
	if err := v.walk(func(done int64) { progress(min(done, rows), max(rows, 1)) }); err != nil {
		return err
	}
	v.report.Last = v.last.MAC
	return v.end(noted)
}

// row verifies the seals that a row stands for, mostly one, and the events that they cover.
func (v *verification) row(s Seal) error {
	p := newPart([]Seal{s}, v.last.LastID, nil)
	p.load(v.q, v.db)
	return v.part(p)
}

// part verifies the seals of a part that was loaded.
func (v *verification) part(p *part) error {
	if p.rows == nil {
		return p.err
	}
	for i, s := range p.rows {
		if !v.key.made(v.last.MAC, s) {
			return changedSeal(s)
		}
		if p.err != nil {
			return p.err
		}
		if err := v.seals(p, s, p.seals[i]); err != nil {
			return err
		}
	}
	return nil
}

// seals verifies the seals that a row of a part stands for.
func (v *verification) seals(p *part, row Seal, seals []Seal) error {
	for _, one := range seals {
		known, size := p.marks, markSize
		if one.RowMACs != "" {
			var err error
			if known, err = hex.DecodeString(one.RowMACs); err != nil {
				return changedSeal(row)
			}
			size = macSize
		}
		if len(known) < size*len(one.EventIDs) {
			return changedSeal(row)
		}
		known = known[:size*len(one.EventIDs)]
		if one.RowMACs == "" {
			p.marks = p.marks[len(known):]
		}
		if one.ID <= v.last.ID { // which was verified before others packed it
			continue
		}
		if err := v.seal(p, one, known); err != nil {
			return err
		}
	}
	if v.last.MAC != row.MAC { // of seals that were packed
		return changedSeal(row)
	}
	return nil
}

func changedSeal(s Seal) error {
	return fmt.Errorf("seal %d, made at %s, was changed, or the one before it was removed", s.ID, s.At.Format(time.RFC3339))
}

// seal verifies the events that a seal covers, and goes on from it. Known is what is known of the HMAC of each.
func (v *verification) seal(p *part, s Seal, known []byte) error {
	h, macs := v.key.newMAC(), []byte{}
	for i, id := range s.EventIDs {
		size := len(known) / len(s.EventIDs)
		mac, err := v.event(h, p, s, id, known[i*size:(i+1)*size])
		if err != nil {
			return err
		}
		macs = append(macs, mac...)
	}
	for gaps := gapsOf(s); len(p.between) > 0 && p.between[0] <= s.LastID; p.between = p.between[1:] {
		if _, sealed := p.events[p.between[0]]; !sealed && !holds(gaps, p.between[0]) {
			return fmt.Errorf("event %d was put in after its time", p.between[0])
		}
	}
	previous := v.last.MAC
	if s.MAC == "" { // it was packed
		s.RowMACs = hex.EncodeToString(macs)
		s.MAC = v.key.chain(previous, s)
	}
	v.report.Seals++
	v.ages = v.ages || s.MAC == v.since
	if _, wanted := v.noted[s.MAC]; wanted {
		v.noted[s.MAC] = true
	}
	v.last = s
	return v.handOver(previous, s)
}

// event verifies an event that a seal covers, and returns its HMAC, of which some bytes are known.
func (v *verification) event(h hash.Hash, p *part, s Seal, id int64, known []byte) ([]byte, error) {
	e, there := p.events[id]
	if !there {
		mac, err := v.archived(h, s, id, known)
		if err == nil && mac == nil {
			err = fmt.Errorf("event %d was removed", id)
		}
		v.report.Archived++
		return mac, err
	}
	mac := p.macs[id]
	if p.key != v.key.id || s.Format != p.rows[0].Format {
		mac = rowMAC(h, s.Format, e)
	}
	if mac == nil || !hmac.Equal(mac[:len(known)], known) {
		return nil, fmt.Errorf("event %d was changed", id)
	}
	v.report.Events++
	if e.Action == ActionArchive {
		v.archives.told[e.Changes.to("mac")] = v.key.id
	}
	if v.ages && s.At.Sub(e.At) > muchOlder && e.At.After(v.report.Anew) {
		v.old = append(v.old, fmt.Sprintf("event %d is of %s, but was sealed at %s", id, e.At.Format(time.RFC3339), s.At.Format(time.RFC3339)))
	}
	if v.each == nil {
		return mac, nil
	}
	return mac, v.each(e, mac)
}
