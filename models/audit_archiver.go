package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"healthcare/config"
)

const (
	archiveAfter = 24 * time.Hour // how old an event must be
	archiveFull  = 50_000         // events in a file, at most
)

// Archived is what ArchiveAudit has done.
type Archived struct {
	Events int
	Files  []string
}

// archiver gathers the events of the next file while the chain is proved.
type archiver struct {
	db     *DB
	until  time.Time
	dir    string
	newest int64 // the note that all of this follows: see storeArchive
	events []Event
	macs   []byte
	done   Archived
}

// ArchiveAudit moves the events before a time that no history needs into files of a folder: reads, lists, and what was
// refused. It proves the whole trail first; noted is as for VerifyAudit. Servers may be running. When it was interrupted,
// do it again: no row is removed before a file that was read back, and a sealed note of it, take its place.
func (db *DB) ArchiveAudit(ctx context.Context, until time.Time, noted, dir string, progress func(done, of int64)) (*Archived, error) {
	if now().Sub(until) < archiveAfter {
		return nil, errors.New("only what is older than a day can be archived")
	}
	if found, err := os.Stat(dir); err != nil || !found.IsDir() {
		return nil, fmt.Errorf("there is no folder %s", dir)
	}
	if err := db.SealAll(ctx); err != nil {
		return nil, err
	}
	if _, err := db.VerifyAudit(ctx, noted, progress); err != nil {
		return nil, fmt.Errorf("nothing is archived, because the audit trail is not proved: %w", err)
	}
	var newest Archive // as of before the unfinished ones are looked for, so that one that another run makes from here on is noticed
	if err := db.read.WithContext(ctx).Select("id").Order("id DESC").Limit(1).Find(&newest).Error; err != nil {
		return nil, err
	}
	a := &archiver{db: db, until: until.UTC(), dir: dir, newest: newest.ID}
	if err := a.finish(ctx); err != nil {
		return nil, err
	}
	v := db.newVerification(ctx, "")
	v.each = func(e Event, mac []byte) error { return a.add(ctx, e, mac) }
	err := v.walk(func(int64) {})
	if err == nil {
		err = a.flush(ctx)
	}
	return &a.done, err
}

// finish removes the rows that an interrupted run has left, if their files are at hand.
func (a *archiver) finish(ctx context.Context) error {
	parts, _ := filepath.Glob(filepath.Join(a.dir, "audit-*"+config.PartOfFile)) // the pattern is right
	for _, part := range parts {
		_ = os.Remove(part)
	}
	notes, err := unfinished(a.db.read.WithContext(ctx))
	if err != nil {
		return err
	}
	for _, note := range notes {
		key, ours := a.db.archiveKey(note)
		if !ours {
			return fmt.Errorf("the note of the archive %s was changed, or its key is not at hand (AUDIT_OLD_KEYS)", note.File)
		}
		if _, err := note.events(a.dir); err != nil {
			return fmt.Errorf("an archive that was interrupted cannot be ended: %w", err)
		}
		if err := a.remove(ctx, key, note, a.db.sealArchive(ctx, note)); err != nil {
			return err
		}
	}
	return nil
}

// add takes an event that a seal was just proved with.
func (a *archiver) add(ctx context.Context, e Event, mac []byte) error {
	needed := e.Outcome == outcomeOK && e.Action != ActionRead && e.Action != ActionList
	if needed || !e.At.Before(a.until) || e.Changes != "" && e.Changes != noChanges { // no file holds values
		return nil
	}
	a.events, a.macs = append(a.events, e), append(a.macs, mac...)
	if len(a.events) < archiveFull {
		return nil
	}
	return a.flush(ctx)
}

// flush makes one archive of what was gathered.
func (a *archiver) flush(ctx context.Context) error {
	if len(a.events) == 0 {
		return nil
	}
	key := a.db.auditKeys[0]
	note := Archive{At: now(), Until: a.until, FirstID: a.events[0].ID, FinalID: a.events[0].ID, RowMACs: a.macs, KeyID: key.id}
	var ids IDs
	for _, e := range a.events {
		note.FirstID, note.FinalID, ids = min(note.FirstID, e.ID), max(note.FinalID, e.ID), append(ids, e.ID)
	}
	note.EventIDs = ranges(0, ids)
	if err := key.writeArchive(a.dir, &note, a.events); err != nil {
		return err
	}
	a.events, a.macs = nil, nil
	err := a.db.storeArchive(ctx, &note, a.newest)
	a.newest = note.ID
	return a.remove(ctx, key, note, err)
}

// remove ends an archive whose note was stored without an error: it writes the manifest, and removes the rows.
func (a *archiver) remove(ctx context.Context, key auditKey, note Archive, err error) error {
	if err == nil {
		err = config.WriteWhole(filepath.Join(a.dir, note.File+manifestFile), key.manifest(note), os.Rename)
	}
	if err == nil {
		_, err = key.readArchive(a.dir, note)
	}
	if err == nil {
		err = a.db.removeArchived(ctx, note)
	}
	if err == nil {
		a.done.Events += len(note.RowMACs) / macSize
		a.done.Files = append(a.done.Files, note.File)
	}
	return err
}
