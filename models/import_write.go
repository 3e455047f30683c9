package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/tabular"
)

// How an import is written: as many rows in one transaction as take so long. On SQLite, others who write wait for it. Then
// they have a pause: they ask each millisecond, see fastgorm.Group, and later if the machine is busy.
const (
	writeFor     = 250 * time.Millisecond
	waitedFor    = 175 * time.Millisecond // on SQLite
	othersWrite  = 3 * time.Millisecond   // then
	writeFirst   = 50                     // rows, before that is known
	writeLeast   = 20
	writeMost    = 1000
	resumeEvery  = time.Minute
	forgetImport = time.Hour // how long an import may be read; after that, whoever read it has ended
)

// KeepImported writes the imports that are decided, now and when one is, until ctx ends. So an import goes on after a
// crash, and whoever sent a file over HTTP need not wait.
func (db *DB) KeepImported(ctx context.Context, log *slog.Logger) {
	repeat(ctx, resumeEvery, db.imports, func() {
		if err := db.WriteImports(ctx, func(int64, int64) {}); err != nil && ctx.Err() == nil {
			log.Warn("an import cannot be written, it will be tried again", "error", err)
		}
	})
}

// ImportSoon wakes KeepImported.
func (db *DB) ImportSoon() {
	select {
	case db.imports <- struct{}{}:
	default: // it has been woken already
	}
}

// WriteImports writes all imports that are decided, and tells how far each is. Several processes may do so at once.
func (db *DB) WriteImports(ctx context.Context, progress func(written, of int64)) error {
	for {
		var im Import
		found := db.read.WithContext(ctx).Scopes(isImport(ImportWriting, ImportReverting, ImportUndoing)).Order("id").Limit(1).Find(&im)
		if found.Error != nil || found.RowsAffected == 0 {
			return apierror.FromDatabase(found.Error)
		}
		if err := db.writeImport(ctx, im, progress); err != nil {
			return err
		}
	}
}

// importWriter writes one import.
type importWriter struct {
	Import
	db       *DB
	by       Actor
	oneByOne bool
	atOnce   int // rows of the next transaction
}

// writeImport writes one import to its end. Rows that become new records come first: they alone can be refused now, and
// then what was written can be taken back. While some are written, the next ones are made ready.
func (db *DB) writeImport(ctx context.Context, im Import, progress func(written, of int64)) error {
	w := &importWriter{db: db, Import: im, by: Actor{RequestID: importID(im.ID), Address: im.Address, Clinic: db.sharesPatients()}, atOnce: writeFirst}
	if err := db.read.WithContext(ctx).Take(&w.by.User, im.UserID).Error; err != nil {
		return apierror.FromDatabase(err)
	}
	ready := <-w.makeReady(ctx, readyRows{})
	for ended := im.State != ImportWriting; !ended; {
		if ready.err != nil {
			return ready.err
		}
		w.oneByOne = w.oneByOne || ready.refused // to find out which it is
		began, next := time.Now(), w.makeReady(ctx, ready)
		err := db.Write(ctx, w.by, func(tx *Tx) (err error) {
			ended, err = w.some(ctx, tx, ready)
			return err
		})
		ready = <-next
		var refused *refusedRowError
		switch {
		case apierror.IsDuplicate(err):
			ready = readyRows{refused: true}
			continue
		case errors.Is(err, errTaken):
			ready = <-w.makeReady(ctx, readyRows{})
			continue
		case errors.As(err, &refused):
			err, ended = w.revert(ctx, refused.Error()), true
		}
		if err != nil {
			return err
		}
		progress(w.Written, im.Created+im.Updated)
		if err := w.pauseAfter(ctx, time.Since(began)); err != nil {
			return err
		}
	}
	if w.State == ImportReverting || w.State == ImportUndoing {
		return w.takeBack(ctx)
	}
	return nil
}

// pauseAfter leaves others their time after a transaction, and lets the next one take as long as it should.
func (w *importWriter) pauseAfter(ctx context.Context, took time.Duration) error {
	wanted, others := writeFor, time.Duration(0)
	if w.db.group != nil {
		wanted, others = waitedFor, othersWrite
	}
	rows := int(time.Duration(w.atOnce) * wanted / max(took, time.Millisecond))
	w.atOnce = min(max(rows, writeLeast, w.atOnce/2), writeMost, 2*w.atOnce)
	return pause(ctx, others)
}

// importID is the id of the request that is told in the events of an import. No client can send one with a colon.
func importID(id int64) string { return fmt.Sprintf("%s%d", importRequests, id) }

const importRequests = "import:"

// refusedRowError is a row that could be written when the file was read, and no longer.
type refusedRowError struct {
	row int
	err *apierror.Error
}

func (e *refusedRowError) Error() string {
	var why []string
	for field, messages := range e.err.Fields {
		why = append(why, field+": "+strings.Join(messages, " "))
	}
	if len(why) == 0 {
		why = append(why, e.err.Detail)
	}
	return fmt.Sprintf("Row %d cannot be written any more, as others were faster. %s", e.row, strings.Join(why, " "))
}

// some writes rows that are ready, or else the next ones. It ends the import if there are none.
func (w *importWriter) some(ctx context.Context, tx *Tx, ready readyRows) (ended bool, err error) {
	if err := tx.serialize(importID(w.ID)); err != nil {
		return false, err
	}
	if err := tx.Take(&w.Import, w.ID).Error; err != nil || w.State != ImportWriting {
		return true, err // another process has ended it
	}
	if len(ready.rows) > 0 {
		made, err := ready.store(tx)
		if err != nil {
			return false, err
		}
		return false, w.note(tx, tx.Where("import_id = ? AND target IS NULL AND id <= ?", w.ID, ready.last), ready.rows, made, len(ready.rows))
	}
	rows, err := tx.nextRows(w.ID, w.atOnce)
	if err != nil {
		return false, err
	}
	if len(rows) == 0 {
		return true, tx.Model(&w.Import).Updates(map[string]any{"state": ImportDone, "ended_at": tx.Now}).Error
	}
	records, err := recordsOf(rows)
	if err != nil {
		return false, err
	}
	made, written, err := w.each(ctx, tx, rows, records)
	if err != nil {
		return false, err
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return false, w.note(tx, tx.Where("id IN ?", ids), rows, made, written)
}

// nextRows are those that become new records; after these, those that change records.
func (tx *Tx) nextRows(id int64, most int) (rows []ImportRow, err error) {
	for _, which := range []string{"target IS NULL", "target IS NOT NULL"} {
		err = tx.Where("import_id = ?", id).Where(which).Order("target, id").Limit(most).Find(&rows).Error
		if err != nil || len(rows) > 0 {
			break
		}
	}
	return rows, err
}

// each writes rows one by one, and returns the ids of new records, and how many it has written. A change that is refused by
// now, mostly because the record was deleted meanwhile, is left out.
func (w *importWriter) each(ctx context.Context, tx *Tx, rows []ImportRow, records []tabular.Record) (made []int64, written int, err error) {
	by := w.by
	by.within = tx
	for i, row := range rows {
		id, err := importKinds[w.Of].write(ctx, w.db, by, &records[i], row.Target)
		var refused *apierror.Error
		if errors.As(apierror.FromDatabase(err), &refused) && refused.Status() < 500 {
			if row.Target == nil {
				return nil, 0, &refusedRowError{row.Row, refused}
			}
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		written++
		if row.Target == nil {
			made = append(made, id)
		}
	}
	return made, written, nil
}

// note takes rows off the list, by what finds them there.
func (w *importWriter) note(tx *Tx, there *gorm.DB, rows []ImportRow, made []int64, written int) error {
	records := make([]ImportedRow, len(made))
	for i, id := range made {
		records[i] = ImportedRow{w.ID, id}
	}
	gone := there.Delete(&ImportRow{})
	if gone.Error == nil && gone.RowsAffected != int64(len(rows)) {
		return errTaken
	}
	if gone.Error != nil {
		return gone.Error
	}
	if len(made) > 0 {
		if err := tx.Create(&records).Error; err != nil {
			return err
		}
	}
	w.Written += int64(written)
	return tx.Model(&Import{ID: w.ID}).Update("written", w.Written).Error
}

// revert decides that an import comes to nothing, because one of its rows cannot be written.
func (w *importWriter) revert(ctx context.Context, why string) error {
	w.State = ImportReverting
	return w.db.Write(ctx, w.by, func(tx *Tx) error {
		if err := tx.serialize(importID(w.ID)); err != nil {
			return err
		}
		return tx.Model(&Import{}).Where("id = ? AND state = ?", w.ID, ImportWriting).
			Updates(map[string]any{"state": ImportReverting, "reason": why}).Error
	})
}

// takeBack deletes what an import has created and nobody has touched since, and ends it.
func (w *importWriter) takeBack(ctx context.Context) error {
	columns := map[string]any{"state": ImportFailed, "ended_at": now()}
	if w.State == ImportUndoing {
		columns = map[string]any{"state": ImportUndone, "undone_at": now()}
		w.by.User = User{IsStaff: true} // of the command line
		if w.UndoneBy != nil {
			if err := w.db.read.WithContext(ctx).Take(&w.by.User, *w.UndoneBy).Error; err != nil {
				return err
			}
		}
	}
	for last, more := int64(0), true; more; {
		began := time.Now()
		err := w.db.Write(ctx, w.by, func(tx *Tx) (err error) {
			last, more, err = w.deleteSome(ctx, tx, last)
			return err
		})
		if err != nil {
			return err
		}
		if err := w.pauseAfter(ctx, time.Since(began)); err != nil {
			return err
		}
	}
	return w.db.Write(ctx, w.by, func(tx *Tx) error {
		if err := tx.Where("import_id = ?", w.ID).Delete(&ImportRow{}).Error; err != nil {
			return err
		}
		return tx.Model(&Import{ID: w.ID}).Updates(columns).Error
	})
}

// deleteSome deletes the next records that an import has created. What it leaves is taken off the list, too.
func (w *importWriter) deleteSome(ctx context.Context, tx *Tx, last int64) (next int64, more bool, err error) {
	if err := tx.serialize(importID(w.ID)); err != nil {
		return 0, false, err
	}
	var records []int64
	made := tx.Model(&ImportedRow{}).Where("import_id = ? AND record_id > ?", w.ID, last).Order("record_id").Limit(w.atOnce)
	if err := made.Pluck("record_id", &records).Error; err != nil || len(records) == 0 {
		return 0, false, err
	}
	var deleted int64
	by := w.by
	by.within = tx
	for _, id := range records {
		gone, err := importKinds[w.Of].undo(ctx, w.db, by, id)
		if err != nil {
			return 0, false, err
		}
		if gone {
			deleted++
		}
	}
	if err := tx.Where("import_id = ? AND record_id IN ?", w.ID, records).Delete(&ImportedRow{}).Error; err != nil {
		return 0, false, err
	}
	counts := map[string]any{"deleted": gorm.Expr("deleted + ?", deleted), "left": gorm.Expr(`"left" + ?`, int64(len(records))-deleted)}
	return records[len(records)-1], true, tx.Model(&Import{ID: w.ID}).Updates(counts).Error
}

// UndoImport decides that what an import has created goes again, unless somebody has touched it since. WriteImports does
// it. It is for staff.
func (db *DB) UndoImport(ctx context.Context, by Actor, id int64) (*ImportBy, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	err := db.Write(ctx, by, func(tx *Tx) error {
		var im Import
		if err := tx.Scopes(tx.forUpdate).Take(&im, id).Error; err != nil {
			return err
		}
		if im.State != ImportDone {
			return &apierror.Error{Code: apierror.Conflict, Detail: "Only an import that is done can be undone. This one is in the state " + im.State + "."}
		}
		columns := map[string]any{"state": ImportUndoing}
		if by.ID != 0 {
			columns["undone_by"] = by.ID
		}
		return tx.Model(&im).Updates(columns).Error
	})
	if err != nil {
		return nil, err
	}
	db.ImportSoon()
	return db.Import(ctx, by, id)
}

// forgetImports removes imports that were not decided, with their rows.
func (db *DB) forgetImports(ctx context.Context, which scope) error {
	return db.Write(ctx, Actor{}, func(tx *Tx) error {
		var ids []int64
		if err := tx.Model(&Import{}).Scopes(isImport(ImportReading), which).Pluck("id", &ids).Error; err != nil || len(ids) == 0 {
			return err
		}
		if err := tx.Where("import_id IN ?", ids).Delete(&ImportRow{}).Error; err != nil {
			return err
		}
		return tx.Where("id IN ?", ids).Delete(&Import{}).Error
	})
}

// readTooLong is the scope of imports whose reader has ended without a word.
func readTooLong(q *gorm.DB) *gorm.DB { return q.Where("at < ?", now().Add(-forgetImport)) }
