package models

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"healthcare/config"
)

const manifestFile = ".manifest.json" // ends the name of a manifest

// archivedEvent is a line of an archive: all columns of an event.
type archivedEvent struct {
	Event
	UserID    *int64 `json:"user_id"`
	PatientID *int64 `json:"patient_id"`
	Changes   string `json:"changes"` // of an event that has none, as it was stored
}

// manifest tells of a file what a person wants to know, and who holds the key made it.
type manifest struct {
	File    string    `json:"file"`
	SHA256  string    `json:"sha256"`
	Events  int       `json:"events"`
	FirstID int64     `json:"first_id"`
	FinalID int64     `json:"last_id"`
	Until   time.Time `json:"before"`
	At      time.Time `json:"made_at"`
	KeyID   string    `json:"key_id"`
	MAC     string    `json:"mac"`
}

// manifest is the text of the manifest that belongs to a note.
func (k auditKey) manifest(a Archive) []byte {
	m := manifest{a.File, a.SHA256, len(a.RowMACs) / macSize, a.FirstID, a.FinalID, a.Until.UTC(), a.At.UTC(), a.KeyID, ""}
	for range 2 { // the HMAC is of the text without it
		text, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			panic(err) // of numbers, strings and times: cannot happen
		}
		if m.MAC != "" {
			return append(text, '\n')
		}
		h := k.newMAC()
		h.Write([]byte("manifest "))
		h.Write(text)
		m.MAC = hex.EncodeToString(h.Sum(nil))
	}
	return nil
}

// writeArchive writes the file of a note, reads it back, and completes the note. (Its manifest follows when the note is
// stored: of two that make the same file at once, only one comes so far.)
func (k auditKey) writeArchive(dir string, a *Archive, events []Event) error {
	var text bytes.Buffer
	z := gzip.NewWriter(&text)
	lines := json.NewEncoder(z)
	for _, e := range events {
		if err := lines.Encode(archivedEvent{e, e.UserID, e.PatientID, string(e.Changes)}); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	sum := sha256.Sum256(text.Bytes())
	a.SHA256 = hex.EncodeToString(sum[:])
	a.File = fmt.Sprintf("audit-%d-%d-%s.jsonl.gz", a.FirstID, a.FinalID, a.SHA256[:8]) // so no file takes the place of another
	a.MAC = k.archiveMAC(*a)
	if err := config.WriteWhole(filepath.Join(dir, a.File), text.Bytes(), os.Rename); err != nil {
		return err
	}
	read, err := a.events(dir)
	if err != nil {
		return err
	}
	h := k.newMAC()
	for _, e := range events {
		if !hmac.Equal(rowMAC(h, sealFormat, e), rowMAC(h, sealFormat, read[e.ID])) {
			return fmt.Errorf("event %d is not in %s as it is in the database", e.ID, a.File)
		}
	}
	return nil
}

// readArchive reads the file of a note, and proves it and its manifest.
func (k auditKey) readArchive(dir string, a Archive) (map[int64]Event, error) {
	told, err := os.ReadFile(filepath.Join(dir, a.File+manifestFile))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(told, k.manifest(a)) {
		return nil, fmt.Errorf("%s was changed", a.File+manifestFile)
	}
	return a.events(dir)
}

// events reads the file of a note, and proves it.
func (a Archive) events(dir string) (map[int64]Event, error) {
	content, err := os.ReadFile(filepath.Join(dir, a.File))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != a.SHA256 {
		return nil, fmt.Errorf("%s was changed", a.File)
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	events := map[int64]Event{}
	for lines := json.NewDecoder(z); ; {
		var line archivedEvent
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, err
		}
		line.Event.UserID, line.Event.PatientID, line.Event.Changes = line.UserID, line.PatientID, Changes(line.Changes)
		events[line.ID] = line.Event
	}
}
