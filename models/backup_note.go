package models

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/config"
)

// BackupNote is when this database was last backed up, for the metrics: the backup is a process of its own. It is one row.
// A restore and a move take it along, so a database may have a newer backup than it says, but never only an older one.
type BackupNote struct {
	ID        int64
	MadeAt    time.Time  `gorm:"not null"` // as of when the newest backup is
	CheckedAt *time.Time // when a backup was last proved to restore
}

// NoteBackup notes a backup that was finished, or checked, in the configured database, which must be there.
func NoteBackup(ctx context.Context, cfg *config.Config, madeAt time.Time, checked bool) error {
	if err := CheckDatabase(ctx, cfg, false); err != nil {
		return err
	}
	asItIs := *cfg
	asItIs.Migrated = true
	db := &DB{cfg: &asItIs}
	open := db.openSQLite
	if cfg.Database.Postgres != "" {
		open = db.openPostgres
	}
	err := open(ctx)
	if err == nil {
		err = db.transaction(ctx, func(tx *gorm.DB) error { return noteBackup(tx, madeAt, checked) }) // whose errors nobody hides from the operator
	}
	return errors.Join(err, db.Close())
}

func noteBackup(tx *gorm.DB, madeAt time.Time, checked bool) error {
	note := &BackupNote{ID: 1, MadeAt: madeAt}
	err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(note).Error
	if err == nil {
		err = tx.Model(note).Where("made_at < ?", madeAt).Update("made_at", madeAt).Error
	}
	if err == nil && checked {
		err = tx.Model(note).Update("checked_at", now()).Error
	}
	return err
}

// lastBackup is zero if none was ever noted.
func (db *DB) lastBackup(ctx context.Context) (n BackupNote, err error) {
	err = db.probe.QueryRowContext(ctx, "SELECT made_at, checked_at FROM backup_notes WHERE id = 1").Scan(&n.MadeAt, &n.CheckedAt)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, err
}
