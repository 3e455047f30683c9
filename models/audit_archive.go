package models

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"time"
)

// Archive is the note of a file that took the place of events: with it, the seals of these events still hold, and nobody
// without the key can remove events and say that they were archived. Two things make it true: its own HMAC, and the event
// `archive` that names this HMAC and was sealed with the same key. (So a former key that has leaked makes none.)
type Archive struct {
	ID       int64
	At       time.Time `gorm:"not null"`
	Until    time.Time `gorm:"not null"` // its events are older
	File     string    `gorm:"not null"`
	SHA256   string    `gorm:"not null"` // of the file, hex
	FirstID  int64     `gorm:"not null"` // the lowest id of its events
	FinalID  int64     `gorm:"not null"` // the highest
	EventIDs IDs       `gorm:"not null"` // see ranges
	RowMACs  []byte    `gorm:"not null"` // macSize bytes for each event, as its seal has or had them
	KeyID    string    `gorm:"not null"`
	MAC      string    `gorm:"not null"` // hex

	EventID int64 `gorm:"not null"` // the event that tells of it
	Done    bool  `gorm:"not null"` // whether the rows of its events are removed
}

func (a Archive) ids() IDs { return idsOf(0, a.EventIDs) }

// archiveMAC is the HMAC of all that a note says of its file.
func (k auditKey) archiveMAC(a Archive) string {
	h := k.newMAC()
	text, err := json.Marshal([]any{
		"archive", a.At.UnixMicro(), a.Until.UnixMicro(), a.File, a.SHA256, a.FirstID, a.FinalID, []int64(a.EventIDs), a.RowMACs, a.KeyID,
	})
	if err != nil {
		panic(err) // of numbers and strings: cannot happen
	}
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// archiveKey is the key that made a note.
func (db *DB) archiveKey(a Archive) (auditKey, bool) {
	key, known := db.keyOf(a.KeyID)
	return key, known && hmac.Equal([]byte(a.MAC), []byte(key.archiveMAC(a)))
}

// archives is what a verification knows of archived events.
type archives struct {
	dir  string // of their files, "" if only the database is proved
	near []openArchive
	used map[string]Archive // by HMAC: those that the chain could not be proved without
	told map[string]string  // by HMAC: the key that sealed the event that tells of it
}

// openArchive is a note that may be needed next.
type openArchive struct {
	note   Archive
	macs   map[int64][]byte
	events map[int64]Event // of the file
}

// archived is the HMAC of an event that is not among the rows, by a note; nil if there is none whose HMAC is as known. If
// the files are at hand, it is computed of what they hold.
func (v *verification) archived(h hash.Hash, s Seal, id int64, known []byte) ([]byte, error) {
	find := func() []byte {
		for _, a := range v.archives.near {
			mac := a.macs[id]
			if mac != nil && v.archives.dir != "" {
				mac = rowMAC(h, s.Format, a.events[id])
			}
			if mac != nil && hmac.Equal(mac[:len(known)], known) {
				v.archives.used[a.note.MAC] = a.note
				return mac
			}
		}
		return nil
	}
	if mac := find(); mac != nil {
		return mac, nil
	}
	if err := v.openArchives(id); err != nil {
		return nil, err
	}
	return find(), nil
}

// openArchives opens the notes that may be of an event.
func (v *verification) openArchives(id int64) error {
	var notes []Archive
	if err := v.q.Where("first_id <= ? AND final_id >= ?", id, id).Order("id").Find(&notes).Error; err != nil {
		return err
	}
	v.archives.near = nil
	for _, note := range notes {
		ids := note.ids()
		key, ours := v.db.archiveKey(note)
		if !ours || len(note.RowMACs) != macSize*len(ids) {
			continue
		}
		a := openArchive{note: note, macs: map[int64][]byte{}}
		for i, event := range ids {
			a.macs[event] = note.RowMACs[i*macSize : (i+1)*macSize]
		}
		if a.macs[id] == nil {
			continue
		}
		if v.archives.dir != "" {
			var err error
			if a.events, err = key.readArchive(v.archives.dir, note); err != nil {
				return err
			}
		}
		v.archives.near = append(v.archives.near, a)
	}
	return nil
}

// untold names a note that was used, and that no sealed event tells of.
func (a archives) untold() error {
	for mac, note := range a.used {
		if a.told[mac] != note.KeyID {
			return fmt.Errorf("events from %d on were removed: the note that they are in %s is not part of the trail", note.FirstID, note.File)
		}
	}
	return nil
}
