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
	"hash"
	"log/slog"
	"slices"
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
	// widestGap is how many ids in a row failed transactions and restarts can have used up.
	widestGap = 100_000
	sealLimit = time.Minute // a database that hangs must not keep the sealer for ever
	// settled is how long after an id was first missed its transaction has certainly ended.
	settled = 15 * time.Minute
)

// rowMAC is the HMAC of an event, by a hash of newMAC.
func rowMAC(h hash.Hash, e Event) []byte {
	text, err := json.Marshal([]any{
		e.ID, e.At.UnixMicro(), e.UserID, e.Action, e.Object, e.ObjectID, e.PatientID, []int64(e.PatientIDs), string(e.Changes),
		e.Address, e.Outcome, e.RequestID,
	})
	if err != nil {
		panic(err) // of numbers and strings: cannot happen
	}
	h.Reset()
	h.Write(text)
	return h.Sum(nil)[:macSize]
}

func (db *DB) newMAC() hash.Hash { return hmac.New(sha256.New, db.auditKey) }

// chain is the HMAC of a seal and of the one before it.
func (db *DB) chain(previous string, s Seal) string {
	text, err := json.Marshal([]any{previous, s.At.UnixMicro(), []int64(s.EventIDs), s.LastID, []int64(s.Pending), s.RowMACs})
	if err != nil {
		panic(err) // of numbers and strings: cannot happen
	}
	h := db.newMAC()
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
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
		if sealed, err := db.seal(ctx); err != nil || sealed < sealBatch {
			return err
		}
	}
}

func newestSeal(q *gorm.DB, s *Seal) error {
	return q.Order("id DESC").Limit(1).Find(s).Error
}

func unsealed(q *gorm.DB, last Seal, limit int) (events []Event, err error) {
	q = q.Where("id > ?", last.LastID)
	if len(last.Pending) > 0 {
		q = q.Or("id IN ?", []int64(last.Pending))
	}
	return events, q.Order("id").Limit(limit).Find(&events).Error
}

// seal makes one seal, and returns how many events it covers. Events do not change, so all but the last step is done
// while others write.
func (db *DB) seal(ctx context.Context) (int, error) {
	q := db.read.WithContext(ctx)
	var last Seal
	if err := newestSeal(q, &last); err != nil {
		return 0, err
	}
	events, err := unsealed(q, last, sealBatch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	if err := db.sealedByUs(q, last); err != nil {
		return 0, err
	}
	at := now()
	var horizon int64 // ids up to here that are missing will never come
	err = q.Model(&Seal{}).Where("at < ?", at.Add(-settled)).Select("coalesce(max(last_id), 0)").Scan(&horizon).Error
	if err != nil {
		return 0, err
	}
	s, err := db.newSeal(at, last, events, horizon)
	if err != nil {
		return 0, err
	}
	sealed := 0
	err = db.Write(ctx, Actor{}, func(tx *Tx) (err error) {
		sealed, err = tx.addSeal(s, last.ID, len(events))
		return err
	})
	return sealed, err
}

// newSeal covers events with a seal that follows the last one.
func (db *DB) newSeal(at time.Time, last Seal, events []Event, horizon int64) (*Seal, error) {
	s := &Seal{At: at, EventIDs: IDs{}, Pending: IDs{}, LastID: last.LastID}
	var macs bytes.Buffer
	h := db.newMAC()
	for _, e := range events {
		if e.ID-s.LastID > widestGap {
			return nil, fmt.Errorf("event %d cannot follow event %d: it was put in by hand", e.ID, s.LastID)
		}
		s.EventIDs = append(s.EventIDs, e.ID)
		macs.WriteString(hex.EncodeToString(rowMAC(h, e)))
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
	s.MAC = db.chain(last.MAC, *s)
	return s, nil
}

// addSeal stores a seal, unless another instance has gone on from the last one, or is about to.
func (tx *Tx) addSeal(s *Seal, last int64, events int) (int, error) {
	if tx.Name() == "postgres" {
		var mine bool
		if err := tx.Raw("SELECT pg_try_advisory_xact_lock(hashtextextended('seal', 0))").Scan(&mine).Error; err != nil || !mine {
			return 0, err
		}
	}
	var newest Seal
	if err := newestSeal(tx.DB, &newest); err != nil || newest.ID != last {
		return 0, err
	}
	return events, tx.Create(s).Error
}

// sealedByUs refuses to go on with a chain that another key began: an instance or a command that was started with a
// wrong key would break it for good.
func (db *DB) sealedByUs(q *gorm.DB, last Seal) error {
	if last.ID == 0 {
		return nil
	}
	var before Seal
	if err := newestSeal(q.Where("id < ?", last.ID), &before); err != nil {
		return err
	}
	if last.MAC != db.chain(before.MAC, last) {
		return errors.New("the newest seal was not made with this AUDIT_KEY (or JWT_SECRET); nothing is sealed until it is")
	}
	return nil
}

// storeSealsPlain keeps PostgreSQL from trying to compress what cannot be compressed, which took a third as long as it
// takes to store the events.
func storeSealsPlain(g *gorm.DB) error {
	if g.Name() != "postgres" {
		return nil
	}
	var compressed int64
	err := g.Raw("SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('seals') AND attname IN ('row_ma_cs', 'event_ids') AND attstorage <> 'e'").
		Scan(&compressed).Error
	if err != nil || compressed == 0 {
		return err
	}
	return g.Exec("ALTER TABLE seals ALTER COLUMN row_ma_cs SET STORAGE EXTERNAL, ALTER COLUMN event_ids SET STORAGE EXTERNAL").Error
}
