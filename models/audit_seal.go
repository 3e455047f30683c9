package models

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"
)

// Seal covers a batch of events: it holds an HMAC of each (see rowMAC), and one of itself and of the seal before it, so that no
// event and no seal can be changed or removed without the key and stay unnoticed. (The newest ones could be cut off;
// see audit_end.go.)
type Seal struct {
	ID       int64
	At       time.Time `gorm:"not null"`
	EventIDs IDs       `gorm:"not null"` // in the order of RowMACs
	LastID   int64     `gorm:"not null"` // the highest event id so far
	Pending  IDs       `gorm:"not null"` // what Gaps are now, in the seals of earlier versions: each id by itself
	RowMACs  string    `gorm:"not null"` // hex, macSize bytes each
	MAC      string    `gorm:"not null"` // hex
	Gaps     IDs       // see gap; null in the seals of earlier versions

	// What follows is null in the seals of earlier versions, too.
	Format    int    // see sealFormat
	KeyID     string // of the key that made MAC
	NextKeyID string // of the key that makes all later seals; a seal that has it is a handover
	NextMAC   string // hex, with which that key accepts it
	Anew      bool   // the trail was begun anew, because its key is lost: the seals from here on cover all events again
	Packed    []byte // the seals before this one that it stands for, and what it covers itself, see pack
}

const (
	macSize   = 16 // bytes of each row's HMAC that are kept (128 bits)
	sealBatch = 2000
	sealEvery = time.Second
	sealLimit = time.Minute // a database that hangs must not keep the sealer for ever
)

// KeepSealed seals new events every second until ctx ends; Close does so a last time.
func (db *DB) KeepSealed(ctx context.Context, log *slog.Logger) {
	var told time.Time
	for tick := time.NewTicker(sealEvery); ; {
		select {
		case <-tick.C:
			limit, cancel := context.WithTimeout(ctx, sealLimit)
			err := db.SealAll(limit)
			if err != nil && ctx.Err() == nil && time.Since(told) > tellEvery {
				told = time.Now()
				log.Error("the audit trail could not be sealed, it will be tried again", "error", err)
			}
			cancel()
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// errOthersSeal says that another instance is sealing or packing, or has just sealed.
var errOthersSeal = errors.New("another instance seals the audit trail")

// SealAll seals the events that are committed and not sealed yet. One instance at a time does it: this one waits for another.
func (db *DB) SealAll(ctx context.Context) error {
	for {
		sealed, err := db.seal(ctx)
		if errors.Is(err, errOthersSeal) {
			if err = pause(ctx, 20*time.Millisecond); err == nil {
				continue
			}
		}
		db.noteEnd(err)
		if err != nil || sealed < sealBatch {
			return err
		}
	}
}

// tellEvery is how often the log tells of what goes on.
const tellEvery = time.Minute

func newestSeal(q *gorm.DB, s *Seal) error {
	return q.Order("id DESC").Limit(1).Find(s).Error
}

// seal makes one seal, and returns how many events it covers. Events do not change, so all but the last step is done
// while others write.
func (db *DB) seal(ctx context.Context) (int, error) {
	q := db.read.WithContext(ctx)
	last, err := db.newestOfOurs(q)
	if err != nil {
		return 0, err
	}
	at, gaps := now(), gapsOf(last)
	events, err := unsealed(q, last.LastID, gaps)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	gaps, err = openGaps(q, at, gaps)
	if err != nil {
		return 0, err
	}
	s := db.newSeal(at, last, events, gaps, q.Name() == "postgres")
	if err := db.Write(ctx, Actor{}, func(tx *Tx) error { return tx.addSeal(s, last.ID) }); err != nil {
		return 0, err
	}
	return len(events), db.rememberEnd(*s)
}

// unsealed finds the next events to seal: those in the gaps, and new ones. Ids beyond what the database has given out
// were put in by hand; they stay unsealed, which VerifyAudit tells.
func unsealed(q *gorm.DB, lastID int64, gaps []gap) ([]Event, error) {
	late, err := lateEvents(q, gaps)
	if err != nil {
		return nil, err
	}
	given := q.Where("id > ?", lastID)
	if q.Name() == "postgres" {
		given = given.Where("id <= (SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('events', 'id')::regclass), 0))")
	}
	var events []Event
	err = given.Order("id").Limit(sealBatch - len(late)).Find(&events).Error
	return append(late, events...), err
}

// newSeal covers events, in the order of their ids, with a seal that follows the last one.
func (db *DB) newSeal(at time.Time, last Seal, events []Event, gaps []gap, mayCome bool) *Seal {
	key := db.auditKeys[0]
	s := &Seal{At: at, EventIDs: IDs{}, Pending: IDs{}, LastID: last.LastID, Format: sealFormat, KeyID: key.id}
	var macs bytes.Buffer
	h := key.newMAC()
	for _, e := range events {
		if mayCome && e.ID > s.LastID+1 {
			gaps = append(gaps, gap{s.LastID + 1, e.ID - 1, -at.Unix()})
		}
		if e.ID < s.LastID {
			gaps = without(gaps, e.ID)
		}
		s.EventIDs = append(s.EventIDs, e.ID)
		macs.WriteString(hex.EncodeToString(rowMAC(h, s.Format, e)))
		s.LastID = max(s.LastID, e.ID)
	}
	s.Gaps = flat(gaps)
	s.RowMACs = macs.String()
	s.MAC = key.chain(last.MAC, *s)
	return s
}

// addSeal stores a seal, unless another instance has gone on from the last one, or is about to.
func (tx *Tx) addSeal(s *Seal, last int64) error {
	if tx.Name() == "postgres" {
		var mine bool
		if err := tx.Raw("SELECT pg_try_advisory_xact_lock(hashtextextended('seal', 0))").Scan(&mine).Error; err != nil {
			return err
		}
		if !mine {
			return errOthersSeal
		}
	}
	var newest Seal
	if err := newestSeal(tx.DB, &newest); err != nil {
		return err
	}
	if newest.ID != last {
		return errOthersSeal
	}
	s.ID = 0 // of an attempt before
	return tx.Create(s).Error
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
