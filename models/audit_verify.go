package models

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Events   int64  // that are sealed and unchanged
	Seals    int64  // that cover them
	Unsealed int64  // that no seal covers yet
	Last     string // the newest seal's HMAC: noted elsewhere, it shows later whether the end was cut off
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
	noted  map[string]bool // HMACs of seals that must be in the chain, and whether they were
	old    []string        // what is suspicious, but not proof
	ages   bool            // whether ages are looked at: not of events up to the seal that a person noted and so has looked at
}

// VerifyAudit proves the chain of seals against the events. The error names the first event or seal that was changed,
// removed or put in. Noted is the HMAC of a seal that must be part of the chain, "" for none; so must be the one that
// the server remembers. Progress is told of each seal.
func (db *DB) VerifyAudit(ctx context.Context, noted string, progress func(done, of int64)) (*AuditReport, error) {
	v := &verification{db: db, q: db.read.WithContext(ctx), report: &AuditReport{}, noted: map[string]bool{}, ages: noted == ""}
	remembered, err := readEnd(db.end.file)
	if err != nil {
		return nil, err
	}
	for _, mac := range []string{noted, remembered.mac} {
		if mac != "" {
			v.noted[mac] = false
		}
	}
	var total int64
	if err := v.q.Model(&Seal{}).Count(&total).Error; err != nil {
		return nil, err
	}
	for {
		var s Seal
		if err := v.q.Where("id > ?", v.last.ID).Order("id").Limit(1).Find(&s).Error; err != nil {
			return nil, err
		}
		if s.ID == 0 {
			break
		}
		if err := v.seal(s); err != nil {
			return nil, err
		}
		progress(v.report.Seals, total)
		v.ages = v.ages || s.MAC == noted
	}
	v.report.Last = v.last.MAC
	return v.report, v.end(noted)
}

// seal verifies that a seal follows the last one, and the events that it covers.
func (v *verification) seal(s Seal) error {
	if s.MAC != v.db.chain(v.last.MAC, s) {
		return fmt.Errorf("seal %d, made at %s, was changed, or the one before it was removed (or AUDIT_KEY is another)", s.ID, s.At.Format(time.RFC3339))
	}
	macs, err := hex.DecodeString(s.RowMACs)
	if err != nil || len(macs) != macSize*len(s.EventIDs) {
		return fmt.Errorf("seal %d was changed", s.ID)
	}
	var found []Event
	if err := v.q.Where("id IN ?", []int64(s.EventIDs)).Find(&found).Error; err != nil { // at most sealBatch
		return err
	}
	events := map[int64]Event{}
	for _, e := range found {
		events[e.ID] = e
	}
	h := v.db.newMAC()
	for i, id := range s.EventIDs {
		e, there := events[id]
		if !there {
			return fmt.Errorf("event %d was removed", id)
		}
		if !hmac.Equal(rowMAC(h, e), macs[i*macSize:(i+1)*macSize]) {
			return fmt.Errorf("event %d was changed", id)
		}
		if v.ages && s.At.Sub(e.At) > muchOlder {
			v.old = append(v.old, fmt.Sprintf("event %d is of %s, but was sealed at %s", id, e.At.Format(time.RFC3339), s.At.Format(time.RFC3339)))
		}
	}
	if err := v.between(s, events); err != nil {
		return err
	}
	v.report.Events += int64(len(s.EventIDs))
	v.report.Seals++
	if _, wanted := v.noted[s.MAC]; wanted {
		v.noted[s.MAC] = true
	}
	v.last = s
	return nil
}

// between looks for events that no seal knows, among those that the seal should have covered.
func (v *verification) between(s Seal, events map[int64]Event) error {
	var ids []int64
	err := v.q.Model(&Event{}).Where("id > ? AND id <= ?", v.last.LastID, s.LastID).Order("id").Pluck("id", &ids).Error
	gaps := gapsOf(s)
	for _, id := range ids {
		if _, sealed := events[id]; !sealed && !holds(gaps, id) {
			return fmt.Errorf("event %d was put in after its time", id)
		}
	}
	return err
}

// end looks at what no seal covers, and at what the chain should have had in it.
func (v *verification) end(noted string) error {
	var all int64
	if err := v.q.Model(&Event{}).Count(&all).Error; err != nil {
		return err
	}
	late, err := lateEvents(v.q, gapsOf(v.last))
	if err != nil {
		return err
	}
	newer := func() *gorm.DB { return v.q.Model(&Event{}).Where("id > ?", v.last.LastID) }
	if err := newer().Count(&v.report.Unsealed).Error; err != nil {
		return err
	}
	v.report.Unsealed += int64(len(late))
	if extra := all - v.report.Unsealed - v.report.Events; extra > 0 {
		return fmt.Errorf("%d events were put in after their time", extra)
	}
	for mac, found := range v.noted {
		if !found && mac == noted {
			return fmt.Errorf("the seal %s is not part of the chain: its end was cut off, or all of it replaced", mac)
		}
		if !found {
			return fmt.Errorf("the newest seal that the server remembers in %s is not part of the chain: its end was cut off, or all of it replaced", v.db.end.file)
		}
	}
	var oldest []Event
	if err := newer().Order("at").Limit(1).Find(&oldest).Error; err != nil {
		return err
	}
	for _, e := range append(late, oldest...) {
		if now().Sub(e.At) > sealedWithin {
			v.old = append(v.old, fmt.Sprintf("event %d of %s is not sealed yet (does a server run?)", e.ID, e.At.Format(time.RFC3339)))
		}
	}
	if len(v.old) > 0 {
		return &AuditDoubtsError{v.old}
	}
	return nil
}

// AuditDoubtsError is the error of a chain that holds, with events that are older than they should be.
type AuditDoubtsError struct{ Events []string }

func (d *AuditDoubtsError) Error() string {
	shown := d.Events[:min(len(d.Events), 10)]
	return fmt.Sprintf("%d events are older than they should be:\n  %s", len(d.Events), strings.Join(shown, "\n  "))
}

// appendOnly makes the database itself refuse to change or remove events and seals. A holder of the database can
// lift that; the seals show it.
func appendOnly(g *gorm.DB) error {
	for _, table := range []string{"events", "seals"} {
		if g.Name() == "postgres" {
			var there int64
			err := g.Raw("SELECT count(*) FROM pg_trigger WHERE tgname = ? AND tgrelid = to_regclass(?)", table+"_append_only", table).Scan(&there).Error
			if err != nil {
				return err
			}
			if there > 0 {
				continue
			}
			err = errors.Join(
				g.Exec(`CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
					$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$`).Error,
				g.Exec("CREATE TRIGGER "+table+"_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "+table+
					" FOR EACH STATEMENT EXECUTE FUNCTION append_only()").Error)
			if err != nil {
				return err
			}
			continue
		}
		for _, change := range []string{"UPDATE", "DELETE"} {
			err := g.Exec("CREATE TRIGGER IF NOT EXISTS " + table + "_no_" + strings.ToLower(change) + " BEFORE " + change +
				" ON " + table + " BEGIN SELECT RAISE(ABORT, '" + table + " is append-only'); END").Error
			if err != nil {
				return err
			}
		}
	}
	return nil
}
