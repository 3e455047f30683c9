package models

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"healthcare/config"
)

// What reads leave in the audit trail waits in memory while the database is away. When the server ends meanwhile, a file
// keeps it for the next start: one line with an HMAC, then one for each event. It holds no values of records, but who has
// read whom, so only its owner may read it.

const (
	spoolLimit   = 30 * time.Second // for a file to be stored, at the start
	largestSpool = 256 << 20        // bytes; queueLimit events take a tenth
)

// spoolName is how the names of the files begin, "" where there are none.
func (db *DB) spoolName() string {
	switch name := filepath.Base(db.cfg.Database.SQLite); {
	case db.cfg.SpoolDir == "":
		return ""
	case db.cfg.Database.Postgres != "":
		return filepath.Join(db.cfg.SpoolDir, "healthcare.spool-")
	default:
		return filepath.Join(db.cfg.SpoolDir, name+".spool-")
	}
}

// spool keeps events in a file, and tells the log what became of them: nothing is dropped in silence.
func (db *DB) spool(events []Event, why error) {
	log := db.recorder.log
	if db.spoolName() == "" {
		log.Error("audit events are lost; with SPOOL_DIR they would be kept in a file", "count", len(events), "error", why)
		return
	}
	file := db.spoolName() + rand.Text()
	if err := config.WriteWhole(file, db.auditKeys[0].spooled(events), os.Link); err != nil {
		log.Error("audit events are lost", "count", len(events), "error", errors.Join(why, err))
		return
	}
	log.Warn("audit events could not be stored; the next start does it", "count", len(events), "file", file, "error", why)
}

// spooled is the content of a file with events.
func (k auditKey) spooled(events []Event) []byte {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range events {
		if err := encoder.Encode(archivedEvent{e, e.UserID, e.PatientID, string(e.Changes)}); err != nil {
			panic(err) // of numbers, strings and times: cannot happen
		}
	}
	return append([]byte(k.spoolMAC(lines.Bytes())+"\n"), lines.Bytes()...)
}

func (k auditKey) spoolMAC(lines []byte) string {
	h := k.newMAC()
	h.Write([]byte("spool "))
	h.Write(lines)
	return hex.EncodeToString(h.Sum(nil))
}

// StoreSpooled stores what earlier runs kept in files, each event once. A file that is refused or cannot be stored stays
// where it is, and the log says why. The error is of a folder in which no file can be made.
func (db *DB) StoreSpooled(ctx context.Context) error {
	if db.spoolName() == "" {
		return nil
	}
	try := db.spoolName() + rand.Text()
	if err := config.WriteWhole(try, nil, os.Link); err != nil {
		return noFile("SPOOL_DIR", err)
	}
	if err := os.Remove(try); err != nil {
		return config.Errors{"SPOOL_DIR: no file can be removed there: " + err.Error()}
	}
	files, err := filepath.Glob(escapeGlob(db.spoolName()) + "*")
	if err != nil {
		return err
	}
	for _, file := range files {
		count, err := db.storeSpooled(ctx, file)
		switch {
		case err == nil && count > 0:
			db.recorder.log.Info("audit events of an earlier run are stored", "count", count, "file", file)
		case err != nil && !errors.Is(err, fs.ErrNotExist): // which another instance has stored just now
			err = fmt.Errorf("%s: %w", filepath.Base(file), err) // else the same of two files would be one line
			db.recorder.log.Error("audit events of an earlier run are not stored; the file stays where it is", "file", file, "error", err)
		}
	}
	return nil
}

// noFile is the error of a folder in which no file can be made. Only a full disk may be cured by a restart.
func noFile(variable string, err error) error {
	err = fmt.Errorf("%s: no file can be made there: %w", variable, err)
	if errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return config.Errors{err.Error()}
}

// escapeGlob makes a path match itself only.
func escapeGlob(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// storeSpooled stores the events of a file and then removes it. Should it not come so far, they are found to be stored
// when the file is read again.
func (db *DB) storeSpooled(ctx context.Context, file string) (int, error) {
	events, err := db.readSpool(file)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, spoolLimit)
	defer cancel()
	err = db.Write(ctx, Actor{}, func(tx *Tx) error {
		missing, err := tx.notStored(events)
		if err != nil || len(missing) == 0 {
			return err
		}
		return tx.CreateInBatches(missing, eventBatch).Error
	})
	if err != nil {
		return 0, err
	}
	return len(events), os.Remove(file)
}

// readSpool reads a file, and refuses what no server with our key wrote to its end. One that is only just being written
// is left to the next start.
func (db *DB) readSpool(file string) ([]Event, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(file, config.PartOfFile) {
		if time.Since(info.ModTime()) < time.Minute {
			return nil, nil
		}
		return nil, errors.New("its writer was killed before it was whole; remove it")
	}
	if !info.Mode().IsRegular() || info.Size() > largestSpool {
		return nil, errors.New("it is no file of this program's")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	mac, lines, _ := bytes.Cut(content, []byte("\n"))
	if _, ours := db.keyThat(func(k auditKey) bool { return hmac.Equal(mac, []byte(k.spoolMAC(lines))) }); !ours {
		return nil, errors.New("no server with this AUDIT_KEY, or one of AUDIT_OLD_KEYS, has made it, or it was changed since")
	}
	var events []Event
	for decoder := json.NewDecoder(bytes.NewReader(lines)); ; {
		var line archivedEvent
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, err
		}
		line.ID, line.Event.UserID, line.Event.PatientID, line.Event.Changes = 0, line.UserID, line.PatientID, Changes(line.Changes)
		events = append(events, line.Event)
	}
}

// notStored is which of the events, ordered by time, are not in the database. Another instance may have stored the same
// file, and a database that hung may have stored after all what it was thought to have lost.
func (tx *Tx) notStored(events []Event) ([]Event, error) {
	if err := tx.serialize("spool"); err != nil {
		return nil, err
	}
	h := auditKey{}.newMAC()
	content := func(e Event) string { e.ID = 0; return string(rowMAC(h, sealFormat, e)) }
	events = slices.SortedStableFunc(slices.Values(events), func(a, b Event) int { return a.At.Compare(b.At) })
	stored, after := map[string]int{}, events[0].At.Add(-time.Microsecond)
	for batch := range slices.Chunk(events, eventBatch) {
		var rows []Event
		until := batch[len(batch)-1].At
		if err := tx.Where("at > ? AND at <= ?", after, until).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, row := range rows {
			stored[content(row)]++
		}
		after = until
	}
	return slices.DeleteFunc(events, func(e Event) bool {
		stored[content(e)]--
		return stored[content(e)] >= 0
	}), nil
}
