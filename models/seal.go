package models

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Seal covers a batch of events: it holds an HMAC of each, and one of itself and of the seal before it, so that no
// event and no seal can be changed or removed without the key and stay unnoticed, but for the newest ones.
type Seal struct {
	ID       int64
	At       time.Time `gorm:"not null;index:seals_at"`
	EventIDs IDs       `gorm:"not null"` // in the order of RowMACs
	LastID   int64     `gorm:"not null"` // the highest event id seen so far
	Pending  IDs       `gorm:"not null"` // ids below LastID that had no row yet: their transactions may still commit
	RowMACs  string    `gorm:"not null"` // hex, macSize bytes each
	MAC      string    `gorm:"not null"` // hex
}

const (
	macSize   = 16 // bytes of each row's HMAC that are kept (128 bits)
	sealBatch = 2000
	sealEvery = time.Second
	sealLimit = time.Minute // a database that hangs must not keep the sealer for ever
	// settled is how long after an id was first missed its transaction has certainly ended.
	settled = 15 * time.Minute
)

// sealedEvent is an event as it stands in the table.
type sealedEvent struct {
	ID         int64
	At         time.Time
	UserID     *int64
	Action     string
	Object     string
	ObjectID   *int64
	PatientID  *int64
	PatientIDs IDs
	Changes    string
	Address    string
	Outcome    string
	RequestID  string
}

func (sealedEvent) TableName() string { return "events" }

func (db *DB) rowMAC(e sealedEvent) []byte {
	text, err := json.Marshal([]any{
		e.ID, e.At.UnixMicro(), e.UserID, e.Action, e.Object, e.ObjectID, e.PatientID, []int64(e.PatientIDs), e.Changes,
		e.Address, e.Outcome, e.RequestID,
	})
	if err != nil {
		panic(err) // of numbers and strings: cannot happen
	}
	return db.mac(text)[:macSize]
}

func (db *DB) mac(text []byte) []byte {
	h := hmac.New(sha256.New, db.auditKey)
	h.Write(text)
	return h.Sum(nil)
}

// chain is the HMAC of a seal and of the one before it.
func (db *DB) chain(previous string, s Seal) string {
	text, err := json.Marshal([]any{previous, s.At.UnixMicro(), []int64(s.EventIDs), s.LastID, []int64(s.Pending), s.RowMACs})
	if err != nil {
		panic(err) // of numbers and strings: cannot happen
	}
	return hex.EncodeToString(db.mac(text))
}

// KeepSealed seals new events every second until ctx ends; Close does so a last time.
func (db *DB) KeepSealed(ctx context.Context, log *slog.Logger) {
	for tick := time.NewTicker(sealEvery); ; {
		select {
		case <-tick.C:
			limit, cancel := context.WithTimeout(ctx, sealLimit)
			if err := db.SealAll(limit); err != nil && ctx.Err() == nil {
				log.Warn("the audit trail could not be sealed, it will be tried again", "error", err)
			}
			cancel()
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// SealAll seals the events that are committed and not sealed yet. One instance at a time does it; if another is at
// work, nothing is done.
func (db *DB) SealAll(ctx context.Context) error {
	for {
		var last Seal
		if err := newestSeal(db.read.WithContext(ctx), &last); err != nil {
			return err
		}
		if waiting, err := unsealed(db.read.WithContext(ctx), last, 1); err != nil || len(waiting) == 0 {
			return err
		}
		var sealed int
		err := db.Write(ctx, Actor{}, func(tx *Tx) (err error) {
			sealed, err = db.seal(tx)
			return err
		})
		if err != nil || sealed < sealBatch {
			return err
		}
	}
}

func newestSeal(q *gorm.DB, s *Seal) error {
	err := q.Order("id DESC").Limit(1).Find(s).Error
	return err
}

func unsealed(q *gorm.DB, last Seal, limit int) ([]sealedEvent, error) {
	var events []sealedEvent
	q = q.Where("id > ?", last.LastID)
	if len(last.Pending) > 0 {
		q = q.Or("id IN ?", []int64(last.Pending))
	}
	return events, q.Order("id").Limit(limit).Find(&events).Error
}

// seal makes one seal, and returns how many events it covers.
func (db *DB) seal(tx *Tx) (int, error) {
	if tx.Name() == "postgres" {
		var mine bool
		if err := tx.Raw("SELECT pg_try_advisory_xact_lock(hashtextextended('seal', 0))").Scan(&mine).Error; err != nil || !mine {
			return 0, err
		}
	}
	var last Seal
	if err := newestSeal(tx.DB, &last); err != nil {
		return 0, err
	}
	events, err := unsealed(tx.DB, last, sealBatch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	if err := db.sealedByUs(tx, last); err != nil {
		return 0, err
	}
	var horizon int64 // ids up to here that are missing will never come
	err = tx.Model(&Seal{}).Where("at < ?", tx.Now.Add(-settled)).Select("coalesce(max(last_id), 0)").Scan(&horizon).Error
	if err != nil {
		return 0, err
	}
	s := Seal{At: tx.Now, EventIDs: IDs{}, Pending: IDs{}, LastID: last.LastID}
	var macs bytes.Buffer
	for _, e := range events {
		s.EventIDs = append(s.EventIDs, e.ID)
		macs.WriteString(hex.EncodeToString(db.rowMAC(e)))
		for id := s.LastID + 1; id < e.ID; id++ {
			s.Pending = append(s.Pending, id)
		}
		s.LastID = max(s.LastID, e.ID)
	}
	for _, id := range last.Pending {
		if id > horizon && !slices.Contains(s.EventIDs, id) {
			s.Pending = append(s.Pending, id)
		}
	}
	s.RowMACs = macs.String()
	s.MAC = db.chain(last.MAC, s)
	return len(events), tx.Create(&s).Error
}

// sealedByUs refuses to go on with a chain that another key began: an instance or a command that was started with a
// wrong key would break it for good.
func (db *DB) sealedByUs(tx *Tx, last Seal) error {
	if last.ID == 0 {
		return nil
	}
	var before Seal
	if err := newestSeal(tx.Where("id < ?", last.ID), &before); err != nil {
		return err
	}
	if last.MAC != db.chain(before.MAC, last) {
		return errors.New("the newest seal was not made with this AUDIT_KEY (or JWT_SECRET); nothing is sealed until it is")
	}
	return nil
}

// Verification of the audit trail.

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
	var found []sealedEvent
	if err := q.Where("id IN ?", []int64(s.EventIDs)).Find(&found).Error; err != nil { // at most sealBatch
		return err
	}
	events := map[int64]sealedEvent{}
	for _, e := range found {
		events[e.ID] = e
	}
	for i, id := range s.EventIDs {
		e, there := events[id]
		if !there {
			return fmt.Errorf("event %d was removed", id)
		}
		if !hmac.Equal(db.rowMAC(e), macs[i*macSize:(i+1)*macSize]) {
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
			if err != nil || there > 0 {
				return err
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
