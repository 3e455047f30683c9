package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"healthcare/apierror"
	"healthcare/models"
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
	return sum(ctx, db, "BINARY", progress)
}

// checkSQLite unpacks a backup and compares it with its manifest.
func checkSQLite(ctx context.Context, file, data string, progress Progress) (*Manifest, error) {
	m, err := unpack(file, data, "sqlite")
	if err != nil {
		return nil, err
	}
	sums, err := sumSQLite(ctx, data, progress)
	if err != nil {
		return nil, err
	}
	err = m.compare(sums)
	return m, err
}

// restoreSQLite puts a backup in the place of a file that is empty or not there, and that nobody has open.
func restoreSQLite(ctx context.Context, path, file string, progress Progress) (*Manifest, error) {
	lock, err := models.LockSQLite(path, true)
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = os.Remove(lock.Name()), lock.Close() }()
	path = strings.TrimSuffix(lock.Name(), models.LockSuffix) // a link is not replaced, but what it leads to
	if err := emptySQLite(ctx, path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".restore-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := filepath.Join(dir, backupData)
	m, err := checkSQLite(ctx, file, data, progress)
	if err != nil {
		return nil, err
	}
	return m, intoPlace(ctx, data, path)
}

// intoPlace puts a finished database where an empty one was, or none.
func intoPlace(ctx context.Context, data, path string) error {
	for _, side := range []string{"-wal", "-shm"} { // of the empty database that is replaced
		if err := os.Remove(path + side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.Rename(data, path)
}

// emptySQLite refuses a file that holds any table, as all of it is replaced. It asks for the file alone: what has it
// open without our lock, another program or an earlier version, is noticed by SQLite's own.
func emptySQLite(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", path+"?_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var n int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n)
	if apierror.SQLiteCode(err) == sqlite3.SQLITE_BUSY {
		return fmt.Errorf("%s is in use by another program: %w", path, err)
	}
	if err == nil && n > 0 {
		err = fmt.Errorf("%s is not empty; a backup is only restored into an empty database, or none", path)
	}
	return err
}
