package models

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"
)

// readsSince is from when on the trail has all events; nil if none were archived.
func (db *DB) readsSince(ctx context.Context) (*time.Time, error) {
	var newest []Archive
	err := db.read.WithContext(ctx).Select("until").Order("until DESC").Limit(1).Find(&newest).Error
	if err != nil || len(newest) == 0 {
		return nil, err
	}
	return &newest[0].Until, nil
}

// storeArchive stores a note together with its event, and seals that.
func (db *DB) storeArchive(ctx context.Context, a *Archive, after int64) error {
	err := db.Write(ctx, Actor{}, func(tx *Tx) error {
		if err := tx.serialize("archive"); err != nil {
			return err
		}
		var newest Archive
		if err := tx.Select("id").Order("id DESC").Limit(1).Find(&newest).Error; err != nil {
			return err
		}
		if newest.ID != after {
			return errors.New("another archive is being made: this one has ended; nothing is lost")
		}
		e := tx.By.event(tx.Now, ActionArchive, Subject{Object: objectArchive})
		e.Changes = NewChanges(map[string]FromTo{"file": {nil, a.File}, "events": {nil, len(a.RowMACs) / macSize}, "mac": {nil, a.MAC}})
		if err := tx.Create(&e).Error; err != nil {
			return err
		}
		a.ID, a.EventID = 0, e.ID // of an attempt before
		return tx.Create(a).Error
	})
	if err != nil {
		return err
	}
	return db.sealArchive(ctx, *a)
}

// sealArchive seals the event of a note, with the key of the note. If it was with another (rotate-key came
// between), the note is worth nothing and goes.
func (db *DB) sealArchive(ctx context.Context, a Archive) error {
	if err := db.SealAll(ctx); err != nil {
		return err
	}
	s, err := db.sealingIn(db.read.WithContext(ctx))
	if err != nil {
		return err
	}
	key, _, err := s.of(a.EventID)
	if err != nil || key.id == a.KeyID {
		return err
	}
	err = db.Write(ctx, Actor{}, func(tx *Tx) error { return tx.Where("id = ?", a.ID).Delete(&Archive{}).Error })
	return errors.Join(err, errors.New("the audit key was replaced meanwhile: do this again"))
}

// removeArchived removes the rows of the events in an archive, some at a time.
func (db *DB) removeArchived(ctx context.Context, a Archive) error {
	for some := range slices.Chunk(a.ids(), eventBatch) {
		began := time.Now()
		err := db.Write(ctx, Actor{}, func(tx *Tx) error {
			return tx.lift(func() error { return tx.removeEvents(some) })
		})
		if err == nil {
			err = pause(ctx, time.Since(began))
		}
		if err != nil {
			return err
		}
	}
	return db.Write(ctx, Actor{}, func(tx *Tx) error {
		return tx.Model(&Archive{}).Where("id = ?", a.ID).UpdateColumn("done", true).Error
	})
}

func (tx *Tx) removeEvents(ids IDs) error {
	if tx.Name() != "postgres" { // whose index follows by itself
		err := tx.Exec("INSERT INTO events_patients(events_patients, rowid, patient_ids)"+
			" SELECT 'delete', id, patient_ids FROM events WHERE id IN ? AND patient_ids IS NOT NULL", []int64(ids)).Error
		if err != nil {
			return err
		}
	}
	return tx.Where("id IN ?", []int64(ids)).Delete(&Event{}).Error
}

// unfinished are the notes whose rows a run has not removed. (Those of before the trail was begun anew stay: its new
// seals cover the rows.)
func unfinished(q *gorm.DB) (notes []Archive, err error) {
	var anew Seal
	if err := newestSeal(q.Where("anew = ?", true), &anew); err != nil {
		return nil, err
	}
	return notes, q.Where("done = ? AND at > ?", false, anew.At).Order("id").Find(&notes).Error
}
