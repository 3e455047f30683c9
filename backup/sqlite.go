package backup

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
)

// copySQLite makes a consistent copy while others read and write, and sums it up.
func copySQLite(ctx context.Context, path, data string, progress Progress) (map[string]TableSum, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", data); err != nil {
		return nil, err
	}
	return sumSQLite(ctx, data, progress)
}

func sumSQLite(ctx context.Context, path string, progress Progress) (map[string]TableSum, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var says string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&says); err != nil {
		return nil, err
	}
	if says != "ok" {
		return nil, errors.New("the database file is damaged: " + says)
	}
	return sum(ctx, db, progress)
}

// checkSQLite unpacks a backup and compares it with its manifest.
func checkSQLite(ctx context.Context, file, data string, progress Progress) (*Manifest, error) {
	m, err := unpack(file, data)
	if err != nil {
		return nil, err
	}
	if m.Kind != "sqlite" {
		return nil, errors.New("this is a backup of PostgreSQL; set DATABASE_URL to a PostgreSQL database")
	}
	sums, err := sumSQLite(ctx, data, progress)
	if err != nil {
		return nil, err
	}
	err = m.compare(sums)
	return m, err
}

func emptySQLite(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return empty(ctx, db, "SELECT count(*) FROM sqlite_master WHERE name = 'users'")
}

var errNotEmpty = errors.New("the configured database is not empty; a backup is only restored into an empty one")

func empty(ctx context.Context, db *sql.DB, usersTable string) error {
	var n int
	if err := db.QueryRowContext(ctx, usersTable).Scan(&n); err != nil || n == 0 {
		return err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return errNotEmpty
	}
	return nil
}
