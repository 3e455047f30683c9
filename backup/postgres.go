package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// dumpPostgres runs pg_dump on the very snapshot that the sums are of.
func dumpPostgres(ctx context.Context, address, data string, progress Progress) (map[string]TableSum, error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	var snapshot string
	if err := tx.QueryRowContext(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
		return nil, err
	}
	if err := runTool(ctx, "pg_dump", address, "--format=custom", "--no-owner", "--no-privileges", "--snapshot="+snapshot, "--file="+data); err != nil {
		return nil, err
	}
	return sum(ctx, tx, progress)
}

func restorePostgres(ctx context.Context, address, file string, progress Progress) (*Manifest, error) {
	dir, err := os.MkdirTemp("", "healthcare-restore-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := filepath.Join(dir, backupData)
	m, err := unpack(file, data)
	if err != nil {
		return nil, err
	}
	if m.Kind != "postgres" {
		return nil, errors.New("this is a backup of SQLite; unset DATABASE_URL, or set it to sqlite:path")
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if err := empty(ctx, db, "SELECT count(to_regclass('users'))"); err != nil {
		return nil, err
	}
	err = runTool(ctx, "pg_restore", address, "--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", data)
	if err != nil {
		return nil, err
	}
	sums, err := sum(ctx, db, progress)
	if err != nil {
		return nil, err
	}
	err = m.compare(sums)
	return m, err
}

// runTool runs one of PostgreSQL's client programs; the password goes through the environment, where ps cannot see it.
func runTool(ctx context.Context, tool, address string, args ...string) error {
	path, err := findTool(tool)
	if err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("DATABASE_URL is not a valid PostgreSQL address")
	}
	env := os.Environ()
	if password, ok := u.User.Password(); ok {
		env = append(env, "PGPASSWORD="+password)
		u.User = url.User(u.User.Username())
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--dbname=" + u.String()}, args...)...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", tool, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func findTool(tool string) (string, error) {
	if path, err := exec.LookPath(tool); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + tool)
	if len(found) == 0 {
		return "", fmt.Errorf("%s is not installed; it comes with PostgreSQL's client programs (Debian: postgresql-client)", tool)
	}
	return slices.Max(found), nil
}
