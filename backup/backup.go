// Package backup writes, checks and restores backups of either database, for the command line. Begin with Create.
package backup

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"healthcare/config"
)

// A backup is one zip file: the database (an SQLite file, or a dump of pg_dump's custom format) and a manifest that
// tells the rows and a checksum of each table, so that it can be proved later that it restores to what it was made of.
const (
	backupManifest = "manifest.json"
	backupData     = "database"
)

// Progress is told how much of some long work is done.
type Progress func(done, of int64)

// Create writes the configured database into a new file while servers go on using it.
func Create(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	if _, err := os.Stat(file); err == nil {
		return nil, fmt.Errorf("%s exists already; give the backup another name, or --force to replace that one", file)
	}
	return create(ctx, cfg, file, progress, func(packed string) error { return publish(packed, file, os.Link) })
}

// Replace is Create for a file that may be there already. Only a backup is replaced, when the new one is whole.
func Replace(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	if _, err := os.Lstat(file); err == nil {
		z, err := zip.OpenReader(file)
		if err == nil {
			_, err = fs.Stat(z, backupManifest)
			_ = z.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("%s exists and is no backup, so it is not replaced: %w", file, err)
		}
	}
	return create(ctx, cfg, file, progress, func(packed string) error { return os.Rename(packed, file) })
}

func create(ctx context.Context, cfg *config.Config, file string, progress Progress, publish func(packed string) error) (*Manifest, error) {
	dir, err := os.MkdirTemp(filepath.Dir(file), ".backup-*") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := filepath.Join(dir, backupData)
	m := &Manifest{MadeAt: time.Now().UTC().Truncate(time.Microsecond), Kind: kindOf(cfg)}
	if m.Kind == "postgres" {
		m.Tables, err = dumpPostgres(ctx, cfg.Database, data, progress)
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
	if err := publish(packed); err != nil {
		return nil, err
	}
	if folder, err := os.Open(filepath.Dir(file)); err == nil { // so that the name survives a power loss, where folders can be synced
		_ = folder.Sync()
		_ = folder.Close()
	}
	return m, nil
}

// publish gives a finished file its name, under which it appears whole and replaces no other: a link does both. Where
// the file system has no links, an empty file takes the name, if it is free, and only that one is replaced.
func publish(packed, file string, link func(from, to string) error) error {
	if err := link(packed, file); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	place, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_ = place.Close()
	if err := os.Rename(packed, file); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
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

// unpack reads a backup's manifest and, if that is right, writes its database to a file.
func unpack(file, data, kind string) (*Manifest, error) {
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
	if err := m.check(kind); err != nil {
		return nil, err
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
	config.HandOver(out, filepath.Dir(filepath.Dir(data))) // it is in a folder of its own, beside what it becomes
	_, err = io.Copy(out, in)                              // which also checks zip's checksum
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", file, err)
	}
	return m, nil
}

// Restore puts a backup into the configured database, which must be empty, and compares what arrived.
func Restore(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	if kindOf(cfg) == "postgres" {
		if kindOfBackup(file) == "sqlite" {
			return moveBackup(ctx, cfg, file, progress)
		}
		return restorePostgres(ctx, cfg.Database, file, fillConfigured, progress)
	}
	return restoreSQLite(ctx, cfg.Database.SQLite, file, progress)
}

// kindOfBackup is what the manifest says, or "" if the file is no backup, which unpack tells.
func kindOfBackup(file string) string {
	m, err := manifestOf(file)
	if err != nil {
		return ""
	}
	return m.Kind
}

// moveBackup puts a backup of SQLite into the configured PostgreSQL database: it is unpacked and proved, then moved.
func moveBackup(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	dir, err := os.MkdirTemp("", "healthcare-restore-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	unpacked := *cfg
	unpacked.Database = config.Database{SQLite: filepath.Join(dir, backupData)}
	m, err := checkSQLite(ctx, file, unpacked.Database.SQLite, func(int64, int64) {})
	if err != nil {
		return nil, err
	}
	_, err = Move(ctx, &unpacked, cfg, progress)
	return m, err
}

// Check restores a backup into a throw-away database and compares every table with the manifest: one of SQLite into a
// temporary file, one of PostgreSQL beside the configured database on the same server.
func Check(ctx context.Context, cfg *config.Config, file string, progress Progress) (*Manifest, error) {
	if kindOf(cfg) == "postgres" && kindOfBackup(file) != "sqlite" {
		return restorePostgres(ctx, cfg.Database, file, fillThrowaway, progress)
	}
	dir, err := os.MkdirTemp("", "healthcare-check-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return checkSQLite(ctx, file, filepath.Join(dir, backupData), progress)
}
