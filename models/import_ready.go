package models

import (
	"context"
	"encoding/json"
	"errors"

	"gorm.io/gorm"

	"healthcare/tabular"
)

// readyRows are rows of which all is known that is stored but for what the database tells.
type readyRows struct {
	rows  []ImportRow
	store func(tx *Tx) (ids []int64, err error)
	last  int64
	size  int // of one of them, on average, in bytes

	refused bool // one of them; then there are none
	err     error
}

// errTaken says that rows which were made ready have been written by another process meanwhile.
var errTaken = errors.New("another process has written these rows")

// makeReady makes the next rows after others ready, of those that become new records and are written many at once.
func (w *importWriter) makeReady(ctx context.Context, after readyRows) <-chan readyRows {
	made := make(chan readyRows, 1)
	kind := importKinds[w.Of]
	if kind.createAll == nil || w.oneByOne {
		made <- readyRows{}
		return made
	}
	by, id, most := w.by, w.ID, min(w.atOnce, max(writeLeast, bytesAtOnce/max(after.size, 1)))
	q := w.db.read.WithContext(ctx).Where("import_id = ? AND target IS NULL AND id > ?", id, after.last).Order("id").Limit(most)
	go func() { made <- readyFrom(q, by, kind) }()
	return made
}

func readyFrom(q *gorm.DB, by Actor, kind importKind) (r readyRows) {
	if r.err = q.Find(&r.rows).Error; r.err != nil || len(r.rows) == 0 {
		return r
	}
	records, err := recordsOf(r.rows)
	if err != nil {
		r.err = err
		return r
	}
	r.last = r.rows[len(r.rows)-1].ID
	for _, row := range r.rows {
		r.size += len(row.Record) / len(r.rows)
	}
	if r.store, err = kind.createAll(by, records); err != nil {
		return readyRows{refused: true}
	}
	return r
}

// recordsOf are what rows say.
func recordsOf(rows []ImportRow) ([]tabular.Record, error) {
	records := make([]tabular.Record, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row.Record), &records[i]); err != nil {
			return nil, err
		}
	}
	return records, nil
}
