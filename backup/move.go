package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm/schema"

	"healthcare/config"
	"healthcare/models"
)

// Move copies every row of one database into another one, which has none yet, of either kind. Both are brought up to date
// first. What arrives is read again and compared. Nobody else may use either database meanwhile. If it fails, no row stays.
func Move(ctx context.Context, from, to *config.Config, progress Progress) (*Manifest, error) {
	if from.Database == to.Database {
		return nil, errors.New("both are the same database")
	}
	source, err := openSource(ctx, from)
	if err != nil {
		return nil, err
	}
	defer source.close()
	all, err := schemas()
	if err != nil {
		return nil, err
	}
	m := &mover{source: source, tables: all, progress: progress}
	if err := m.count(ctx); err != nil {
		return nil, err
	}
	if to.Database.Postgres != "" {
		err = m.toPostgres(ctx, to)
	} else {
		err = m.toSQLite(ctx, to)
	}
	return &Manifest{Kind: kindOf(from), Tables: m.sums}, err
}

// source is the database that is read: one snapshot of it.
type source struct {
	*sql.Tx
	kind  string
	close func()
}

func (s *source) collation() string { return collationOf(s.kind) }

// collationOf is the database's name for the order of bytes.
func collationOf(kind string) string {
	if kind == "postgres" {
		return "C"
	}
	return "BINARY"
}

func openSource(ctx context.Context, cfg *config.Config) (*source, error) {
	if cfg.Database.Postgres != "" {
		return openPostgresSource(ctx, cfg)
	}
	path := cfg.Database.SQLite
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	lock, err := models.LockSQLite(path, true)
	if err != nil {
		return nil, err
	}
	if err := models.Migrate(ctx, cfg); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	db, err := sql.Open("sqlite", path+"?_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &source{kind: "sqlite", close: func() { _, _ = db.Close(), lock.Close() }}
	if s.Tx, err = db.BeginTx(ctx, nil); err != nil {
		s.close()
	}
	return s, err
}

func openPostgresSource(ctx context.Context, cfg *config.Config) (*source, error) {
	db, err := openQuiet(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &source{kind: "postgres", close: func() { _ = db.Close() }}
	if s.Tx, err = db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}); err != nil {
		s.close()
	}
	return s, err
}

// openQuiet brings a PostgreSQL database up to date and opens it, unless a server is connected.
func openQuiet(ctx context.Context, cfg *config.Config) (*sql.DB, error) {
	pc, err := models.DirectConfig(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*pc)
	err = notInUse(ctx, db, pc.RuntimeParams["application_name"])
	if err == nil {
		err = models.Migrate(ctx, cfg)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// notInUse refuses a database that a server is connected to. One that was stopped just now may take a moment to be gone.
func notInUse(ctx context.Context, db *sql.DB, program string) error {
	var others int
	for range 20 {
		err := db.QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"+
			" AND pid <> pg_backend_pid() AND application_name = $1", program).Scan(&others)
		if err != nil || others == 0 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("PostgreSQL is in use: %s has %d connections to the database; stop every server", program, others)
}

// mover copies the tables, each after those it refers to.
type mover struct {
	source   *source
	tables   []*schema.Schema
	sums     map[string]TableSum
	progress Progress
	done, of int64
}

// count makes progress known: each row is read, written, and read again.
func (m *mover) count(ctx context.Context) error {
	for _, s := range m.tables {
		var n int64
		if err := m.source.QueryRowContext(ctx, "SELECT count(*) FROM "+s.Table).Scan(&n); err != nil {
			return err
		}
		m.of += 2 * n
	}
	m.of = max(1, m.of)
	return nil
}

func (m *mover) step() {
	m.done++
	if m.done%1000 == 0 || m.done == m.of {
		m.progress(m.done, m.of)
	}
}

// copyAll gives the rows of each table to insert, and then compares what is in the target.
func (m *mover) copyAll(ctx context.Context, target querier, kind string, insert func(s *schema.Schema, rows *movedRows) error) error {
	m.sums = map[string]TableSum{}
	for _, s := range m.tables {
		rows, err := readTable(ctx, m.source, s, m.source.collation(), m.step)
		if err != nil {
			return fmt.Errorf("table %s: %w", s.Table, err)
		}
		err = insert(s, rows)
		if err = errors.Join(err, rows.close()); err != nil {
			return fmt.Errorf("table %s: %w", s.Table, err)
		}
		m.sums[s.Table] = rows.sum()
	}
	arrived := map[string]TableSum{}
	for _, s := range m.tables {
		rows, err := readTable(ctx, target, s, collationOf(kind), m.step)
		if err != nil {
			return err
		}
		for rows.Next() { // only the sum is wanted
		}
		if err := rows.close(); err != nil {
			return fmt.Errorf("table %s: %w", s.Table, err)
		}
		arrived[s.Table] = rows.sum()
	}
	return (&Manifest{Tables: m.sums}).compare(arrived)
}

// derived are indexes that are made faster after the rows than with them. The next Migrate makes them.
var derived = []string{"patients_search", "doctors_search", "events_patients"}

// toPostgres does all in one transaction.
func (m *mover) toPostgres(ctx context.Context, cfg *config.Config) error {
	db, err := openQuiet(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, s := range slices.Backward(m.tables) {
		if _, err := tx.ExecContext(ctx, "LOCK TABLE "+s.Table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
			return err
		}
	}
	if err := hasNoRows(ctx, tx, m.tables, cfg); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DROP INDEX IF EXISTS "+strings.Join(derived, ", ")); err != nil {
		return err
	}
	err = m.copyAll(ctx, tx, "postgres", func(s *schema.Schema, rows *movedRows) error {
		return conn.Raw(func(c any) error {
			rows.write = forPostgres
			_, err := c.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{s.Table}, rows.columns, rows)
			return err
		})
	})
	if err == nil {
		err = m.countOn(ctx, func(table string, last int64) error {
			_, err := tx.ExecContext(ctx, "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)", table, last)
			return err
		})
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return err // all is rolled back, and the indexes are there again
	}
	return models.Migrate(context.WithoutCancel(ctx), cfg)
}

func hasNoRows(ctx context.Context, tx *sql.Tx, tables []*schema.Schema, cfg *config.Config) error {
	for _, s := range tables {
		var found bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+s.Table+")").Scan(&found); err != nil {
			return err
		}
		if found {
			return fmt.Errorf("%s is not empty: it has %s", cfg.Database, s.Table)
		}
	}
	return nil
}

// toSQLite fills a temporary file beside the target and renames it.
func (m *mover) toSQLite(ctx context.Context, cfg *config.Config) error {
	lock, err := models.LockSQLite(cfg.Database.SQLite, true)
	if err != nil {
		return err
	}
	defer func() { _, _ = os.Remove(lock.Name()), lock.Close() }()
	path := strings.TrimSuffix(lock.Name(), models.LockSuffix)
	if err := emptySQLite(ctx, path); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".move-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	beside := *cfg
	beside.Database.SQLite = filepath.Join(dir, backupData)
	file, err := os.OpenFile(beside.Database.SQLite, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	config.HandOver(file, filepath.Dir(path))
	if err := errors.Join(file.Close(), models.Migrate(ctx, &beside)); err != nil {
		return err
	}
	if err := m.fillSQLite(ctx, beside.Database.SQLite); err != nil {
		return err
	}
	if err := models.Migrate(ctx, &beside); err != nil { // makes the triggers and what is derived again
		return err
	}
	return intoPlace(ctx, beside.Database.SQLite, path)
}
