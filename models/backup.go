package models

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm/schema"

	"healthcare/config"
)

// A backup is one zip file: the database (an SQLite file, or a dump of pg_dump's custom format) and a manifest that
// tells the rows and a checksum of each table, so that it can be proved later that it restores to what it was made of.
const (
	backupManifest = "manifest.json"
	backupData     = "database"
)

// Manifest describes a backup.
type Manifest struct {
	MadeAt time.Time           `json:"made_at"`
	Kind   string              `json:"kind"` // sqlite or postgres
	Tables map[string]TableSum `json:"tables"`
}

// TableSum is what one table held.
type TableSum struct {
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

// Rows is the number of rows of all tables.
func (m *Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// Progress is told how much of some long work is done.
type Progress func(done, of int64)

// Backup writes the configured database into a new file while servers go on using it.
func Backup(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	if _, err := os.Stat(file); err == nil {
		return nil, fmt.Errorf("%s exists already; a backup never replaces a file", file)
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".backup-*") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := filepath.Join(dir, backupData)
	m := &Manifest{MadeAt: now(), Kind: kindOf(cfg)}
	if m.Kind == "postgres" {
		m.Tables, err = dumpPostgres(ctx, cfg.Database.Postgres, data, progress)
	} else {
		m.Tables, err = copySQLite(ctx, cfg.Database.SQLite, data, progress)
	}
	if err != nil {
		return nil, err
	}
	packed := filepath.Join(dir, "packed")
	if err := pack(packed, data, m); err != nil {
		return nil, err
	}
	// A link appears whole or not at all, and never replaces another file.
	return m, os.Link(packed, file)
}

func kindOf(cfg *config.Config) string {
	if cfg.Database.Postgres != "" {
		return "postgres"
	}
	return "sqlite"
}

func pack(file, data string, m *Manifest) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	in, err := os.Open(data)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	z := zip.NewWriter(out)
	for name, from := range map[string]io.Reader{backupManifest: bytes.NewReader(text), backupData: in} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: m.MadeAt})
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, from); err != nil {
			return err
		}
	}
	return errors.Join(z.Close(), out.Sync(), out.Close())
}

// unpack reads a backup's manifest and writes its database to a file.
func unpack(file, data string) (*Manifest, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s is not a backup: %w", file, err)
	}
	defer func() { _ = z.Close() }()
	text, err := fs.ReadFile(z, backupManifest)
	if err != nil {
		return nil, fmt.Errorf("%s is not a backup: %w", file, err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", file, err)
	}
	in, err := z.Open(backupData)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", file, err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(data, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(out, in) // which also checks zip's checksum
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", file, err)
	}
	return m, nil
}

// Restore puts a backup into the configured database, which must be empty, and compares what arrived.
func Restore(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	if kindOf(cfg) == "postgres" {
		return restorePostgres(ctx, cfg.Database.Postgres, file, progress)
	}
	path := cfg.Database.SQLite
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
	for _, side := range []string{"-wal", "-shm"} { // of the empty database that is replaced
		if err := os.Remove(path + side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return m, os.Rename(data, path)
}

// CheckBackup restores a backup into a throw-away database and compares every table with the manifest: into a
// temporary file, or beside the configured database on the same PostgreSQL server.
func CheckBackup(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	dir, err := os.MkdirTemp("", "healthcare-check-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if kindOf(cfg) == "sqlite" {
		return checkSQLite(ctx, file, filepath.Join(dir, backupData), progress)
	}
	server, err := sql.Open("pgx", cfg.Database.Postgres)
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Close() }()
	name := "healthcare_check_" + strings.ToLower(rand.Text())
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("a throw-away database cannot be made: %w", err)
	}
	defer func() {
		_, _ = server.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)")
	}()
	u, err := url.Parse(cfg.Database.Postgres)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a valid PostgreSQL address")
	}
	u.Path = "/" + name
	return restorePostgres(ctx, u.String(), file, progress)
}

// SQLite.

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

// PostgreSQL.

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

// Sums.

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// sum counts and hashes every table, row by row in the order of its primary key.
func sum(ctx context.Context, q querier, progress Progress) (map[string]TableSum, error) {
	sums := map[string]TableSum{}
	for i, table := range tables {
		s, err := schema.Parse(table, &sync.Map{}, schema.NamingStrategy{})
		if err != nil {
			return nil, err
		}
		if sums[s.Table], err = sumTable(ctx, q, s); err != nil {
			return nil, fmt.Errorf("table %s: %w", s.Table, err)
		}
		progress(int64(i+1), int64(len(tables)))
	}
	return sums, nil
}

func sumTable(ctx context.Context, q querier, s *schema.Schema) (TableSum, error) {
	columns := slices.Sorted(slices.Values(s.DBNames))
	query := `SELECT "` + strings.Join(columns, `", "`) + `" FROM ` + s.Table + ` ORDER BY "` + strings.Join(s.PrimaryFieldDBNames, `", "`) + `"`
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return TableSum{}, err
	}
	defer func() { _ = rows.Close() }()
	hash := sha256.New()
	values := make([]any, len(columns))
	pointers := make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	var n int64
	for ; rows.Next(); n++ {
		if err := rows.Scan(pointers...); err != nil {
			return TableSum{}, err
		}
		for i, v := range values {
			if t, ok := v.(time.Time); ok {
				values[i] = t.UTC().Format(time.RFC3339Nano)
			}
		}
		if err := json.NewEncoder(hash).Encode(values); err != nil {
			return TableSum{}, err
		}
	}
	return TableSum{Rows: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, rows.Err()
}

// compare tells which table differs from the manifest.
func (m *Manifest) compare(sums map[string]TableSum) error {
	for table, want := range m.Tables {
		if got := sums[table]; got != want {
			return fmt.Errorf("table %s differs from the backup's manifest: %d rows, not %d, or other content", table, got.Rows, want.Rows)
		}
	}
	return nil
}
