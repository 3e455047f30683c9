package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm/schema"
)

// fillSQLite fills an empty database in one transaction. Nobody needs it if the machine stops meanwhile, so nothing waits
// for the disk until the end.
func (m *mover) fillSQLite(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", path+"?_pragma=synchronous(OFF)&_pragma=journal_mode(MEMORY)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if err := dropDerived(ctx, db); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	err = m.copyAll(ctx, tx, "sqlite", func(s *schema.Schema, rows *movedRows) error { return insertRows(ctx, tx, s, rows) })
	if err == nil {
		err = m.countOn(ctx, func(table string, last int64) error {
			_, gone := tx.ExecContext(ctx, "DELETE FROM sqlite_sequence WHERE name = ?", table)
			_, err := tx.ExecContext(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, last)
			return errors.Join(gone, err)
		})
	}
	if err == nil {
		err = refersToNothing(ctx, tx)
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, pragma := range []string{"synchronous=FULL", "journal_mode=WAL", "wal_checkpoint(TRUNCATE)"} {
		if _, err := db.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return err
		}
	}
	return nil
}

// dropDerived removes the triggers and the tables of full texts, which the next Migrate makes again of the rows that are
// there: faster than row by row.
func dropDerived(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT type || ' ' || name FROM sqlite_master WHERE type = 'trigger'"+
		" OR type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%' ORDER BY type DESC")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return err
		}
		all = append(all, one)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, one := range all {
		if _, err := db.ExecContext(ctx, "DROP "+one); err != nil {
			return err
		}
	}
	return nil
}

func insertRows(ctx context.Context, tx *sql.Tx, s *schema.Schema, rows *movedRows) error {
	rows.write = forSQLite
	//nolint:gosec // of names of this program's own
	text := "INSERT INTO " + s.Table + ` ("` + strings.Join(rows.columns, `", "`) + `") VALUES (?` + strings.Repeat(", ?", len(rows.columns)-1) + ")"
	insert, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// refersToNothing refuses rows that refer to rows which are not there.
func refersToNothing(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	if rows.Next() {
		var table string
		return errors.Join(rows.Scan(&table), fmt.Errorf("table %s refers to rows that are not there", table))
	}
	return rows.Err()
}

// countOn gives the number that each table's ids have come to, so that none is given twice.
func (m *mover) countOn(ctx context.Context, set func(table string, last int64) error) error {
	for _, s := range m.tables {
		if f := s.PrioritizedPrimaryField; f == nil || !f.AutoIncrement {
			continue
		}
		query := "SELECT max(seq) FROM sqlite_sequence WHERE name = $1"
		if m.source.kind == "postgres" {
			query = "SELECT pg_sequence_last_value(pg_get_serial_sequence($1, 'id')::regclass)"
		}
		var last sql.NullInt64
		if err := m.source.QueryRowContext(ctx, query, s.Table).Scan(&last); err != nil {
			return err
		}
		if last.Valid && last.Int64 > 0 {
			if err := set(s.Table, last.Int64); err != nil {
				return err
			}
		}
	}
	return nil
}
