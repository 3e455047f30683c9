package config

import (
	"cmp"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Database is DATABASE_URL: just one of the two is set.
type Database struct {
	Postgres string // the whole postgres:// address
	SQLite   string // the path of the embedded database's file
	// Migration is MIGRATION_DATABASE_URL: the same PostgreSQL database, not through a pooler. "" is the same as Postgres.
	Migration string
	// Replica is READ_DATABASE_URL: a standby of the same database, for lists. "" is none.
	Replica string
}

// Direct is the address for what needs a session of PostgreSQL's own: migrations, backups, restores and moves.
func (d Database) Direct() string { return cmp.Or(d.Migration, d.Postgres) }

// UnmarshalText reads postgres://…, postgresql://… or sqlite:path.
func (d *Database) UnmarshalText(text []byte) error {
	s := string(text)
	switch {
	case strings.HasPrefix(s, "postgres://"), strings.HasPrefix(s, "postgresql://"):
		pc, err := pgx.ParseConfig(s)
		if err != nil { // which may quote the password
			return errors.New("is no address such as postgres://user:password@host:5432/name?sslmode=verify-full, or names a file that" +
				" cannot be read; write %40 for a @ in the password")
		}
		if pc.Database == "" {
			return errors.New("must name a database, as in postgres://user:password@host:5432/name")
		}
		d.Postgres = s
		return nil
	case strings.HasPrefix(s, "sqlite:"):
		// sqlite:///path is what Django users know; sqlite:path is the short form.
		path := strings.TrimPrefix(strings.TrimPrefix(s, "sqlite:"), "//")
		// SQLite would read file:path as a URI, and make a file of another name.
		if path == "" || path == "/" || strings.HasPrefix(path, "file:") || strings.Contains(path, ":memory:") || strings.Contains(path, "?") {
			return errors.New("sqlite: needs the path of a file, neither a file: URI nor options")
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return errors.New("the folder of the sqlite file does not exist")
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return errors.New("sqlite: needs the path of a file, and this is a folder")
		}
		d.SQLite = path
		return nil
	}
	return errors.New("must begin with postgres:// or sqlite: and name a database")
}

// String names the database, without its credentials.
func (d Database) String() string {
	if d.Postgres == "" {
		return "SQLite, file " + absolute(d.SQLite)
	}
	u, err := url.Parse(d.Postgres)
	if err != nil {
		return "PostgreSQL"
	}
	database := "PostgreSQL, database " + cmp.Or(strings.TrimPrefix(u.Path, "/"), u.Query().Get("dbname"))
	if u.Host == "" {
		return database
	}
	return database + " at " + u.Host
}

// absolute is a path as it is from everywhere: a command that runs in another folder than was meant shows it.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
