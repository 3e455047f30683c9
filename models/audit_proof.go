package models

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm/clause"
)

// AuditProof is how far the trail was proved, so that the next proof goes on from there. It is one row. As it lives in the
// database, it is believed only with the HMAC of the key that seals now: nobody else can say that a trail was proved, and
// after rotate-key, a former key that has leaked cannot either. It is bound to a seal, so it is no good for another trail;
// an older one in its place only means that more is read again.
type AuditProof struct {
	ID   int64
	Text string `gorm:"not null"` // JSON of a proved
	MAC  string `gorm:"not null"` // hex
}

// proved is what an AuditProof says.
type proved struct {
	At      time.Time   // when it was proved
	WholeAt time.Time   // when all of it was last read
	Seal    Seal        // up to which, without what it covers
	Report  AuditReport // what was found so far
	Archive int64       // the newest note of an archive: all later ones have removed events
}

// proofMAC is the HMAC of an AuditProof's text.
func (k auditKey) proofMAC(text string) string {
	h := k.newMAC()
	h.Write([]byte("proof " + text))
	return hex.EncodeToString(h.Sum(nil))
}

// begin notes which archives there are. They are none that can be gone on from while the rows of one are being removed.
func (v *verification) begin() error {
	var newest Archive
	if err := v.q.Select("id").Order("id DESC").Limit(1).Find(&newest).Error; err != nil {
		return err
	}
	notes, err := unfinished(v.q)
	v.archive, v.archiving = newest.ID, len(notes) > 0
	return err
}

// readAgain is how many events are read again all the same, because that takes less than a second.
const readAgain = 10_000

// goOn begins where the last proof ended, if there was one that is believed and nothing was archived since. Remembered
// is the seal that the server remembers: an older one is to be looked for in the whole trail.
func (v *verification) goOn(remembered *auditEnd) error {
	var row AuditProof
	if err := v.q.Where("id = ?", 1).Find(&row).Error; err != nil {
		return err
	}
	key := v.db.auditKeys[0]
	if !hmac.Equal([]byte(row.MAC), []byte(key.proofMAC(row.Text))) {
		return nil
	}
	var p proved
	if err := json.Unmarshal([]byte(row.Text), &p); err != nil {
		return err
	}
	if p.Report.Events < readAgain || p.Archive != v.archive || v.archiving || remembered.id != 0 && remembered.id < p.Seal.ID ||
		remembered.id == p.Seal.ID && remembered.mac != p.Seal.MAC {
		return nil
	}
	err := v.db.inPlace(v.q, p.Seal.ID, p.Seal.MAC, Seal{})
	if errors.Is(err, errEndGone) {
		return fmt.Errorf("the seal %s, up to which the trail was proved at %s, is not part of the chain: its end was cut off, or all of it replaced",
			p.Seal.MAC, p.At.Format(time.RFC3339))
	}
	if err != nil {
		return err
	}
	delete(v.noted, p.Seal.MAC)
	*v.report = p.Report
	v.report.Before, v.report.BeforeAt, v.report.WholeAt = p.Report.Events+p.Report.Archived, p.At, p.WholeAt
	v.last, v.key = p.Seal, key
	return nil
}

// keep remembers that the trail was proved. If that fails, the next proof only has more to read.
func (v *verification) keep(ctx context.Context) {
	if v.archiving || v.last.ID == 0 {
		return
	}
	p := proved{At: now(), WholeAt: v.report.WholeAt, Seal: v.last, Report: *v.report, Archive: v.archive}
	if p.WholeAt.IsZero() {
		p.WholeAt = p.At
	}
	p.Seal.EventIDs, p.Seal.RowMACs, p.Seal.Packed = nil, "", nil
	text, err := json.Marshal(p)
	if err == nil {
		row := AuditProof{ID: 1, Text: string(text), MAC: v.db.auditKeys[0].proofMAC(string(text))}
		err = v.db.Write(ctx, Actor{}, func(tx *Tx) error { return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error })
	}
	if err != nil {
		slog.Warn("that the audit trail was proved cannot be remembered", "error", err)
	}
}

// removed tells of events that were removed after they were proved: there are fewer than that many.
func (v *verification) removed(all int64) error {
	if missing := v.report.Events - all; v.report.Before > 0 && missing > 0 {
		return fmt.Errorf("%d events that were proved at %s were removed (audit verify --full names the first)", missing, v.report.BeforeAt.Format(time.RFC3339))
	}
	return nil
}
