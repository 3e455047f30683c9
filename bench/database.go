//go:build programs

package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/glebarez/go-sqlite" // the driver "sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib" // and the driver "pgx"
)

// database is one that the measurement made.
type database struct {
	kind string // sqlite or postgres
	url  string // as DATABASE_URL
	drop func(context.Context) error
	*sql.DB
}

const usualPostgres = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"

// newDatabase makes an empty database: a file in dir, or one on the PostgreSQL server at TEST_DATABASE_URL.
func newDatabase(ctx context.Context, kind, dir string) (*database, error) {
	if kind == "sqlite" {
		path := filepath.Join(dir, "bench-"+strings.ToLower(rand.Text()[:8])+".db")
		db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)&_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
		if err != nil {
			return nil, err
		}
		remove := func(context.Context) error {
			return errors.Join(os.Remove(path), removeIfThere(path+"-wal", path+"-shm"))
		}
		return &database{kind, "sqlite:" + path, remove, db}, nil
	}
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		address = usualPostgres
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("TEST_DATABASE_URL is no address")
	}
	admin, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	name := "clinic_bench_" + strings.ToLower(rand.Text()[:8])
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, errors.Join(fmt.Errorf("PostgreSQL at TEST_DATABASE_URL or 127.0.0.1:5432: %w", err), admin.Close())
	}
	u.Path = "/" + name
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	drop := func(ctx context.Context) error {
		_, err := admin.ExecContext(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		return errors.Join(err, admin.Close())
	}
	return &database{kind, u.String(), drop, db}, nil
}

func removeIfThere(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// fill inserts many rows, without the indexes that only make reading quick, which are made again afterwards.
func (db *database) fill(ctx context.Context, tables []table) error {
	for _, t := range tables {
		indexes, err := db.indexes(ctx, t.name)
		if err != nil {
			return err
		}
		for name := range indexes {
			if _, err := db.ExecContext(ctx, "DROP INDEX "+name); err != nil {
				return err
			}
		}
		if err := db.insert(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		for _, definition := range indexes {
			if _, err := db.ExecContext(ctx, definition); err != nil {
				return err
			}
		}
		if db.kind == "postgres" && t.columns[0] == "id" {
			_, err := db.ExecContext(ctx, "SELECT setval(pg_get_serial_sequence('"+t.name+"', 'id'), max(id)) FROM "+t.name)
			if err != nil {
				return err
			}
		}
	}
	analyze := "ANALYZE"
	if db.kind == "postgres" {
		analyze = "VACUUM (ANALYZE)" // what autovacuum does soon after
	}
	_, err := db.ExecContext(ctx, analyze)
	return err
}

// indexes are a table's indexes but for those of its keys, with the statements that make them.
func (db *database) indexes(ctx context.Context, table string) (_ map[string]string, err error) {
	query := "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = $1"
	if db.kind == "postgres" {
		query = "SELECT indexname, indexdef FROM pg_indexes WHERE indexname NOT LIKE '%\\_pkey' AND tablename = $1"
	}
	rows, err := db.QueryContext(ctx, query, table)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found := map[string]string{}
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return nil, err
		}
		found[name] = definition
	}
	return found, rows.Err()
}

func (db *database) insert(ctx context.Context, t table) (err error) {
	if db.kind == "postgres" {
		return db.copyRows(ctx, t)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	places := strings.Repeat(", ?", len(t.columns))[2:]
	//nolint:gosec // no name comes from outside
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+") VALUES ("+places+")")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	for row := range t.rows {
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (db *database) copyRows(ctx context.Context, t table) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	next, stop := iter.Pull(t.rows)
	defer stop()
	source := pgx.CopyFromFunc(func() ([]any, error) {
		row, more := next()
		if !more {
			return nil, nil
		}
		return row, nil
	})
	return conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, source)
		return err
	})
}

// processes are the PostgreSQL processes that work on this database, if they are on this machine; none on SQLite.
func (db *database) processes() []int {
	if db.kind != "postgres" {
		return nil
	}
	rows, err := db.QueryContext(context.Background(), "SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
	if err != nil {
		return nil
	}
	defer func() { _ = rows.Close() }()
	var pids []int
	for rows.Next() {
		var pid int
		if rows.Scan(&pid) == nil {
			pids = append(pids, pid)
		}
	}
	if rows.Err() != nil {
		return nil
	}
	return pids
}
