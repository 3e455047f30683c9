package models

import (
	"context"
	"database/sql"
	"time"

	"healthcare/apierror"
)

// readyLimit is how long the database may take to say that it is there: who asks does so every second or two.
const readyLimit = time.Second

// limitProbe keeps one connection for Ready, which is closed when nobody has asked for a while.
func limitProbe(pool *sql.DB) {
	pool.SetMaxOpenConns(1)
	pool.SetConnMaxIdleTime(time.Minute)
}

var (
	errReadOnly = apierror.NewUnavailable(apierror.Database, 2, "The database can only be read.")
	errNoEvents = apierror.NewUnavailable(apierror.Audit, 5, "The audit trail cannot be written. Try again soon.")
)

// Ready tells whether this instance can do its work: the database is still the one that was opened, it answers within a
// second and can be written to, and the audit trail is stored. It asks on a connection of its own, so that an instance whose
// connections are all at work is ready all the same: else a probe would take all instances out at once.
func (db *DB) Ready(ctx context.Context) error {
	if err := db.file.check(); err != nil {
		return err
	}
	if db.recorder.fails() {
		return errNoEvents
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	query := "SELECT 1"
	if db.group == nil {
		query = "SELECT count(*) FROM (SELECT 1) AS one WHERE NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
	}
	var writable int
	if err := db.probe.QueryRowContext(ctx, query).Scan(&writable); err != nil {
		return apierror.FromDatabase(err)
	}
	if writable == 0 {
		return errReadOnly
	}
	return nil
}
