package fastgorm

import (
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// rows is what both pgx and database/sql return.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// withRows runs a query and has its rows read: by pgx on a connection of PostgreSQL's pool, because database/sql takes as
// long as the driver; by database/sql on SQLite and within a transaction.
func withRows(stmt *gorm.Statement, text string, read func(names []string, found rows) error) error {
	if isPGX(stmt) {
		return onPGX(stmt, func(conn *pgx.Conn) error {
			found, err := conn.Query(stmt.Context, text, stmt.Vars...)
			if err != nil {
				return err
			}
			defer found.Close()
			columns := found.FieldDescriptions()
			names := make([]string, len(columns))
			for i := range columns {
				names[i] = columns[i].Name
			}
			if err := read(names, found); err != nil {
				return err
			}
			found.Close() // which finds the error of a statement that fails at its end
			return found.Err()
		})
	}
	from := stmt.ConnPool
	if pool, ok := from.(*sql.DB); ok {
		conn, giveBack, err := take(stmt.Context, pool)
		if err != nil {
			return err
		}
		defer giveBack()
		from = conn
	}
	found, err := from.QueryContext(stmt.Context, text, stmt.Vars...)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	names, err := found.Columns()
	if err != nil {
		return err
	}
	if err := read(names, found); err != nil {
		return err
	}
	if err := found.Err(); err != nil {
		return err
	}
	return found.Close()
}

// exec runs a statement that returns no rows, and tells how many it changed: of a change and its Also, how many of these
// were stored.
func exec(stmt *gorm.Statement, text string) (count int64, err error) {
	if isPGX(stmt) {
		err = onPGX(stmt, func(conn *pgx.Conn) error {
			tag, err := conn.Exec(stmt.Context, text, stmt.Vars...)
			count = tag.RowsAffected()
			return err
		})
		return count, err
	}
	result, err := stmt.ConnPool.ExecContext(stmt.Context, text, stmt.Vars...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// isPGX tells whether a statement runs on PostgreSQL outside of a transaction of database/sql.
func isPGX(stmt *gorm.Statement) bool {
	switch stmt.ConnPool.(type) {
	case *sql.DB, *sql.Conn:
		return stmt.Name() == "postgres"
	}
	return false
}

// onPGX runs fn on the statement's connection, or on one of its pool, which goes on to own it.
func onPGX(stmt *gorm.Statement, fn func(*pgx.Conn) error) error {
	conn, ok := stmt.ConnPool.(*sql.Conn)
	if !ok {
		taken, giveBack, err := take(stmt.Context, stmt.ConnPool.(*sql.DB))
		if err != nil {
			return err
		}
		defer giveBack()
		conn = taken
	}
	return conn.Raw(func(driver any) error { return fn(driver.(*stdlib.Conn).Conn()) })
}
