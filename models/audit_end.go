package models

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"healthcare/config"
)

// Whoever holds the database, but not the key, can remove seals from the end of the chain, and then change the events
// that they covered. If the server went on from there, it would seal the forgery itself. So it remembers the newest seal
// that it has seen, in the process and in a file where the database's holder cannot reach it, and refuses to seal when
// this one is gone.
type auditEnd struct {
	file string // "" where there is none

	mu      sync.Mutex
	id      int64 // of the seal; 0 remembers none
	mac     string
	history string    // which history of PostgreSQL's the seal is of, see followHistory
	problem string    // why nothing is sealed, for people
	sealed  time.Time // when all was found to be sealed; when this began, before
}

// errEndGone names what to do, because a restored backup looks just like this.
var errEndGone = errors.New("the newest seal of the audit trail that this server has seen is gone from the database, or is another one." +
	" Nothing is sealed any more. If an older copy of the database was put back on purpose, stop the server, remove the file of AUDIT_SEAL_FILE, and start it again")

// readEnd reads what the file remembers. A file that does not exist remembers nothing.
func readEnd(file string) (*auditEnd, error) {
	end := &auditEnd{file: file, sealed: now()}
	if file == "" {
		return end, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return end, nil
	}
	if err != nil {
		return nil, config.Errors{"AUDIT_SEAL_FILE: cannot be read: " + err.Error()}
	}
	id, mac, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if end.id, err = strconv.ParseInt(id, 10, 64); err != nil {
		return nil, fmt.Errorf("%s does not hold the number and the HMAC of a seal", file)
	}
	end.mac = mac
	return end, nil
}

// checkFolder refuses a folder in which the file cannot be made.
func (end *auditEnd) checkFolder() error {
	if end.file == "" {
		return nil
	}
	try, err := os.CreateTemp(filepath.Dir(end.file), filepath.Base(end.file)+".*")
	if err != nil {
		return noFile("AUDIT_SEAL_FILE", err)
	}
	return errors.Join(try.Close(), os.Remove(try.Name()))
}

// rememberEnd remembers a seal as the newest.
func (db *DB) rememberEnd(s Seal) error {
	end := db.end
	end.mu.Lock()
	defer end.mu.Unlock()
	if s.ID <= end.id { // another sealer of this process was faster
		return nil
	}
	end.id, end.mac = s.ID, s.MAC
	if end.file == "" {
		return nil
	}
	return config.WriteWhole(end.file, fmt.Appendf(nil, "%d %s\n", s.ID, s.MAC), os.Rename)
}

// newestOfOurs finds the newest seal, and refuses to go on from it unless it is our key's turn and the one that is
// remembered still is in its place.
func (db *DB) newestOfOurs(q *gorm.DB) (last Seal, err error) {
	if db.group == nil { // all of it of one server
		err = db.read.OnOneConnection(q.Statement.Context, func(one *gorm.DB) error {
			last, err = db.newestThere(one)
			return err
		})
		return last, err
	}
	return db.newestThere(q)
}

// newestThere is newestOfOurs on one connection.
func (db *DB) newestThere(q *gorm.DB) (last Seal, err error) {
	if err := db.followHistory(q); err != nil {
		return last, err
	}
	id, mac := db.remembered()                   // before the newest is read: else another sealer could be ahead of it
	err = inSnapshot(q, func(q *gorm.DB) error { // as seals may be packed meanwhile
		if err := newestSeal(q, &last); err != nil {
			return err
		}
		if err := db.sealedByUs(q, last); err != nil {
			return err
		}
		return db.inPlace(q, id, mac, last)
	})
	if err != nil {
		return last, err
	}
	return last, db.rememberEnd(last)
}

// followHistory forgets the remembered seal when PostgreSQL has begun another history, a timeline, as it does when a standby
// is promoted. That one may lack the newest seals, and what is remembered of a lost history says nothing about the new one.
// Who has a file for the newest seal wants to be asked, as after a restore.
func (db *DB) followHistory(q *gorm.DB) error {
	end := db.end
	if q.Name() != "postgres" || end.file != "" {
		return nil
	}
	var history string
	err := q.Raw("SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END").Scan(&history).Error
	if err != nil || history == "" {
		return err
	}
	end.mu.Lock()
	defer end.mu.Unlock()
	if end.history != "" && end.history != history && end.id != 0 {
		slog.Warn("the database has failed over: whether the newest seal of the audit trail that was seen is still in it must be asked with audit verify --seal", "seal", end.mac)
		end.id, end.mac = 0, ""
	}
	end.history = history
	return nil
}

// remembered is the number and the HMAC of the seal that is remembered.
func (db *DB) remembered() (id int64, mac string) {
	db.end.mu.Lock()
	defer db.end.mu.Unlock()
	return db.end.id, db.end.mac
}

// inPlace refuses a trail without the seal that is remembered.
func (db *DB) inPlace(q *gorm.DB, id int64, mac string, last Seal) error {
	if id == 0 || id == last.ID && mac == last.MAC {
		return nil
	}
	var row Seal
	if err := q.Where("id >= ?", id).Order("id").Limit(1).Find(&row).Error; err != nil {
		return err
	}
	if row.ID != id && len(row.Packed) > 0 {
		return db.inPack(q, mac, row)
	}
	if row.ID != id || row.MAC != mac {
		return errEndGone
	}
	return nil
}

// inPack refuses a trail unless the seal that is remembered is one of those that were packed into a row.
func (db *DB) inPack(q *gorm.DB, mac string, row Seal) error {
	v := db.newVerification(q.Statement.Context, "")
	v.q, v.noted[mac] = q, false
	if err := newestSeal(q.Where("id < ?", row.ID), &v.last); err != nil {
		return err
	}
	var known bool
	if v.key, known = db.madeBy("", row); !known {
		return &AuditKeyError{Needs: row.KeyID, Has: db.auditKeys[0].id, part: true}
	}
	if err := v.row(row); err != nil {
		return err
	}
	if !v.noted[mac] {
		return errEndGone
	}
	return nil
}

// noteEnd keeps why nothing is sealed, for AuditProblem.
func (db *DB) noteEnd(err error) {
	db.end.mu.Lock()
	defer db.end.mu.Unlock()
	switch {
	case err == nil:
		db.end.problem, db.end.sealed = "", now()
	case errors.Is(err, errEndGone), errors.Is(err, errSealChanged):
		db.end.problem = err.Error()
	case errors.As(err, new(*AuditKeyError)):
		db.end.problem = "the audit trail has gone over to another AUDIT_KEY. This server seals nothing until it is started again" +
			" with that key; the log says more"
	}
}

// AuditProblem says why the audit trail cannot be sealed, "" if it can.
func (db *DB) AuditProblem() string {
	db.end.mu.Lock()
	defer db.end.mu.Unlock()
	return db.end.problem
}
