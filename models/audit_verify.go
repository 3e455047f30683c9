package models

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
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

// VerifyAudit proves the chain of seals against the events. The error names the first event or seal that was changed,
// removed or put in. Progress is told of each seal.
func (db *DB) VerifyAudit(ctx context.Context, progress func(done, of int64)) (*AuditReport, error) {
	q := db.read.WithContext(ctx)
	report := &AuditReport{}
	var total int64
	if err := q.Model(&Seal{}).Count(&total).Error; err != nil {
		return nil, err
	}
	var last Seal
	for {
		var s Seal
		if err := q.Where("id > ?", last.ID).Order("id").Limit(1).Find(&s).Error; err != nil {
			return nil, err
		}
		if s.ID == 0 {
			break
		}
		if s.MAC != db.chain(last.MAC, s) {
			return nil, fmt.Errorf("seal %d, made at %s, was changed, or the one before it was removed (or AUDIT_KEY is another)", s.ID, s.At.Format(time.RFC3339))
		}
		if err := db.verifySeal(q, last, s); err != nil {
			return nil, err
		}
		report.Events += int64(len(s.EventIDs))
		report.Seals++
		last = s
		progress(report.Seals, total)
	}
	report.Last = last.MAC
	return report, db.countUnsealed(q, last, report)
}

// verifySeal compares the events of one seal with their HMACs, and looks for events between them that no seal knows.
func (db *DB) verifySeal(q *gorm.DB, last, s Seal) error {
	macs, err := hex.DecodeString(s.RowMACs)
	if err != nil || len(macs) != macSize*len(s.EventIDs) {
		return fmt.Errorf("seal %d was changed", s.ID)
	}
	var found []Event
	if err := q.Where("id IN ?", []int64(s.EventIDs)).Find(&found).Error; err != nil { // at most sealBatch
		return err
	}
	events := map[int64]Event{}
	for _, e := range found {
		events[e.ID] = e
	}
	h := db.newMAC()
	for i, id := range s.EventIDs {
		e, there := events[id]
		if !there {
			return fmt.Errorf("event %d was removed", id)
		}
		if !hmac.Equal(rowMAC(h, e), macs[i*macSize:(i+1)*macSize]) {
			return fmt.Errorf("event %d was changed", id)
		}
	}
	var between []int64
	err = q.Model(&Event{}).Where("id > ? AND id <= ?", last.LastID, s.LastID).Order("id").Pluck("id", &between).Error
	for _, id := range between {
		if _, sealed := events[id]; !sealed && !slices.Contains(s.Pending, id) {
			return fmt.Errorf("event %d was put in after its time", id)
		}
	}
	return err
}

func (db *DB) countUnsealed(q *gorm.DB, last Seal, report *AuditReport) error {
	var all int64
	if err := q.Model(&Event{}).Count(&all).Error; err != nil {
		return err
	}
	var waiting int64
	w := q.Model(&Event{}).Where("id > ?", last.LastID)
	if len(last.Pending) > 0 {
		w = w.Or("id IN ?", []int64(last.Pending))
	}
	if err := w.Count(&waiting).Error; err != nil {
		return err
	}
	report.Unsealed = waiting
	if extra := all - waiting - report.Events; extra > 0 {
		return fmt.Errorf("%d events were put in after their time", extra)
	}
	return nil
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
