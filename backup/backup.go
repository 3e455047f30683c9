// Package backup writes, checks and restores backups of either database, for the command line. Begin with Create.
package backup

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

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

// Create writes the configured database into a new file while servers go on using it.
func Create(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	if _, err := os.Stat(file); err == nil {
		return nil, fmt.Errorf("%s exists already; a backup never replaces a file", file)
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".backup-*") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := filepath.Join(dir, backupData)
	m := &Manifest{MadeAt: time.Now().UTC().Truncate(time.Microsecond), Kind: kindOf(cfg)}
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

// Check restores a backup into a throw-away database and compares every table with the manifest: into a
// temporary file, or beside the configured database on the same PostgreSQL server.
func Check(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
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
