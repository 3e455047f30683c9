package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// scrub removes from the database's files what was erased before. A row that is gone leaves its bytes in the free space of
// its page, or in another, until something else takes that place.
func (db *DB) scrub(ctx context.Context) error {
	if db.group == nil {
		return db.scrubPostgres(ctx)
	}
	if err := db.tidySearch(ctx); err != nil { // the pieces of names
		return err
	}
	if err := onceFree(ctx, 2*time.Minute, func() error { return db.write.WithContext(ctx).Exec("VACUUM").Error }); err != nil {
		return err
	}
	return awaited(ctx, "another program still reads what the file was before", func() (bool, error) {
		var found struct{ Busy int }
		err := db.write.WithContext(ctx).Raw("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&found).Error
		return found.Busy == 0, err
	})
}

// scrubPostgres rewrites the tables. It waits for the transactions that have begun before, in
// other databases of the server too: what runs, or reads as of then, would have PostgreSQL keep the rows.
func (db *DB) scrubPostgres(ctx context.Context) error {
	q := db.write.WithContext(ctx)
	var now string
	if err := q.Raw("SELECT pg_current_xact_id()::text").Scan(&now).Error; err != nil {
		return err
	}
	err := awaited(ctx, "a transaction that began before (a backup?) still sees the rows", func() (over bool, err error) {
		err = q.Raw("SELECT pg_snapshot_xmin(pg_current_snapshot()) > ?::text::xid8 AND NOT EXISTS (SELECT 1 FROM pg_stat_activity"+
			" WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"+
			" AND age(backend_xmin) > age(?::text::xid8::xid))", now, now).Scan(&over).Error
		return over, err
	})
	if err != nil {
		return err
	}
	for _, model := range Tables { // each may have held something of a patient, if only for a while
		stmt := &gorm.Statement{DB: q}
		if err := stmt.Parse(model); err != nil {
			return err
		}
		if err := q.Exec("VACUUM (FULL, ANALYZE) " + stmt.Table).Error; err != nil {
			return err
		}
	}
	return q.Exec("VACUUM FULL pg_statistic").Error // which holds values of the columns that were analyzed
}

// eraseLimit is how long an erasure waits for others: sealers, old transactions, readers of a file.
const eraseLimit = time.Minute

// awaited waits until something is so, or fails; otherwise is what it says if it waited in vain.
func awaited(ctx context.Context, otherwise string, isSo func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, eraseLimit)
	defer cancel()
	for {
		so, err := isSo()
		if so || err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%s: %w", otherwise, err)
		}
	}
}
