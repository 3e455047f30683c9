package models

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
)

// When seals are packed: an hour after they were made, so that those that servers and people look at are as they were
// made, and as soon as a pack is full, or its first seal a week old.
const (
	packAfter  = time.Hour
	packAtLast = 7 * 24 * time.Hour
	packFull   = sealBatch / 2 // events
	packAlone  = 100           // events of a seal that is worth to be packed alone
)

// PackSeals packs the seals that were made until a time. It proves each before, and packs nothing from a change on; VerifyAudit
// names it. Several instances may do so at once. What a key has sealed that is not at hand stays as it is.
func (db *DB) PackSeals(ctx context.Context, until time.Time) error {
	q := db.read.WithContext(ctx)
	var newest, anew Seal
	err := errors.Join(newestSeal(q, &newest), newestSeal(q.Where("anew = ?", true), &anew))
	for after := anew.ID; err == nil; {
		var run []Seal
		var full bool
		if run, full, err = unpacked(q, after, newest.ID, until); err != nil || len(run) == 0 {
			break
		}
		events := 0
		for _, s := range run {
			events += len(s.EventIDs)
		}
		full = full || until.Sub(run[0].At) > packAtLast
		if after = run[len(run)-1].ID; full && (len(run) > 1 || events >= packAlone) {
			began := time.Now()
			if err = db.packRun(ctx, run); err == nil {
				err = pause(ctx, time.Since(began))
			}
		}
	}
	return err
}

// unpacked finds the next seals that can be packed together, and tells whether none will come to them.
func unpacked(q *gorm.DB, after, newest int64, until time.Time) (run []Seal, full bool, err error) {
	can := func(q *gorm.DB) *gorm.DB {
		return q.Where("id < ? AND at < ? AND coalesce(length(packed), 0) = 0 AND coalesce(next_key_id, '') = ''", newest, until)
	}
	for events := 0; events < packFull; {
		var s Seal
		next := q.Where("id > ?", after).Order("id").Limit(1)
		if len(run) == 0 {
			next = next.Scopes(can)
		}
		if err := next.Find(&s).Error; err != nil {
			return nil, false, err
		}
		events += len(s.EventIDs)
		first := len(run) == 0
		switch {
		case s.ID == 0 || s.ID >= newest || s.At.After(until):
			return run, false, nil
		case !first && (s.KeyID != run[0].KeyID || s.Format != run[0].Format || s.NextKeyID != "" || s.Anew || len(s.Packed) > 0 || events > sealBatch):
			return run, true, nil
		}
		run, after = append(run, s), s.ID
	}
	return run, true, nil
}

// packRun proves seals that follow one another, and packs them.
func (db *DB) packRun(ctx context.Context, run []Seal) error {
	first, last := run[0], run[len(run)-1]
	v := db.newVerification(ctx, "")
	if err := newestSeal(v.q.Where("id < ?", first.ID), &v.last); err != nil {
		return err
	}
	before := v.last.LastID
	var known bool
	if v.key, known = db.madeBy(v.last.MAC, first); !known {
		if _, ours := db.keyOf(first.KeyID); ours {
			return changedSeal(first)
		}
		return nil // its key is not at hand, or it is too old to name it
	}
	for _, s := range run {
		if err := v.row(s); err != nil {
			return err
		}
	}
	packed, err := v.key.pack(before, run)
	if err != nil {
		return err
	}
	errPacked := errors.New("another instance has packed these seals")
	err = db.Write(ctx, Actor{}, func(tx *Tx) error {
		if err := tx.serialize("seal"); err != nil {
			return err
		}
		return tx.lift(func() error {
			gone := tx.Where("id >= ? AND id < ? AND coalesce(length(packed), 0) = 0", first.ID, last.ID).Delete(&Seal{})
			if gone.Error != nil || gone.RowsAffected < int64(len(run)-1) {
				return errors.Join(gone.Error, errPacked)
			}
			return tx.Model(&Seal{}).Where("id = ?", last.ID).Select("event_ids", "pending", "row_ma_cs", "packed").Updates(&packed).Error
		})
	})
	if errors.Is(err, errPacked) {
		return nil
	}
	return err
}
