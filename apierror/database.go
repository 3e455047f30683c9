package apierror

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"

	gosqlite "github.com/glebarez/go-sqlite"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	sqlite3 "modernc.org/sqlite/lib"

	"healthcare/timing"
)

// FromDatabase turns an error of the database into one that a client may see. It leaves every other error as it is.
func FromDatabase(err error) error {
	var known *Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, gorm.ErrRecordNotFound):
		return ErrNotFound
	case isUnavailable(err):
		known = NewUnavailable(causeOf(err), 2, "The database does not answer. Try again soon.")
		known.Reason = reasonOf(err)
		return known
	}
	return err
}

// causeOf tells whether the database is at fault, or nobody gave the request a connection, or the database was at work when
// the request's time was over.
func causeOf(err error) Cause {
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, timing.ErrNoConnection):
		return Pool
	case errors.As(err, &connect):
		return Database
	case pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, sql.ErrTxDone),
		SQLState(err) == "57014", SQLiteCode(err)&0xff == sqlite3.SQLITE_INTERRUPT: // 57014: the statement was cancelled
		return Limit
	}
	return Database
}

// reasonOf is what may be logged of an error: the database's code, or what the operating system says.
func reasonOf(err error) string {
	var system syscall.Errno
	switch state, code := SQLState(err), SQLiteCode(err); {
	case state != "":
		return "SQLSTATE " + state
	case code != 0:
		return "SQLite " + strconv.Itoa(code)
	case errors.As(err, &system):
		return system.Error()
	}
	return ""
}

// SQLState is the SQLSTATE of an error of PostgreSQL's, "" for any other error.
func SQLState(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

// SQLiteCode is the result code of an error of SQLite's (https://sqlite.org/rescode.html), 0 for any other error.
func SQLiteCode(err error) int {
	var se *gosqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

// IsDuplicate tells whether a unique index refused the row.
func IsDuplicate(err error) bool {
	code := SQLiteCode(err)
	return SQLState(err) == "23505" || code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// ConflictIfDuplicate makes a conflict of the refusal of a unique index.
func ConflictIfDuplicate(err error, detail string) error {
	if IsDuplicate(err) {
		return &Error{Code: Conflict, Detail: detail}
	}
	return err
}

// IsRetryable tells whether the transaction lost to another one and may succeed when it runs again. It also may when
// it met what a failed COMMIT had left open: that is rolled back by now.
func IsRetryable(err error) bool {
	switch SQLState(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	}
	return SQLiteCode(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "within a transaction")
}

// isUnavailable tells whether the database is away, shutting down, full or read-only, whether it did not answer in
// time, or whether nobody waits for its answer any more.
func isUnavailable(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true // whatever the server says to a refused login
	}
	if state := SQLState(err); state != "" {
		switch state[:2] {
		case "08", "40", "53", "57", "58": // connection, lost to others too often, resources, shutting down or cancelled, system
			return true
		}
		switch state {
		case "25006", "25P03", "25P04", "55P03": // read-only; a transaction that was idle or took too long, no lock in time
			return true
		}
		return false
	}
	switch SQLiteCode(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT:
		return true
	}
	var network net.Error
	return errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || // the time ended before the commit
		errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}
