package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strings"

	gosqlite "github.com/glebarez/go-sqlite"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	sqlite3 "modernc.org/sqlite/lib"
)

// Code is the word that programs branch on; DRF's and SimpleJWT's where they have one.
type Code string

// The codes of this API. middleware.Problems knows the HTTP status of each.
const (
	Invalid              Code = "invalid"
	ParseError           Code = "parse_error"
	NotAuthenticated     Code = "not_authenticated"
	TokenNotValid        Code = "token_not_valid"
	NoActiveAccount      Code = "no_active_account"
	PermissionDenied     Code = "permission_denied"
	NotFound             Code = "not_found"
	MethodNotAllowed     Code = "method_not_allowed"
	Conflict             Code = "conflict"
	PreconditionFailed   Code = "precondition_failed"
	KeyReused            Code = "idempotency_key_reused"
	RequestTooLarge      Code = "request_too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	Throttled            Code = "throttled"
	ServerError          Code = "error"
	Unavailable          Code = "unavailable"
)

// Fields maps each wrong field to sentences that say what is wrong with it.
type Fields map[string][]string

// Add appends one sentence about a field.
func (f Fields) Add(field, sentence string) { f[field] = append(f[field], sentence) }

func (f Fields) addAll(field string, sentences []string) {
	for _, says := range sentences {
		f.Add(field, says)
	}
}

// check adds what the `validate` tags of in refuse, for fields that nothing is known of yet.
func (f Fields) check(in any) {
	for field, sentences := range Validate(in) {
		if f[field] == nil {
			f[field] = sentences
		}
	}
}

// Err is nil as long as no field is wrong.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: Invalid, Detail: "Invalid input.", Fields: f}
}

// Change applies what a client sent to the fields of a row, and returns what is wrong with it already; the rest is
// checked afterwards, so that the client is told all at once. The map is never nil.
type Change[T any] func(*T) Fields

// apply runs a change and checks its outcome.
func (change Change[T]) apply(in *T) Fields {
	wrong := change(in)
	wrong.check(in)
	return wrong
}

// Read is a change applied to an empty row, for bodies that no row is stored of.
func Read[T any](change Change[T]) (T, error) {
	var in T
	err := change.apply(&in).Err()
	return in, err
}

// Error is an error that a client may see.
type Error struct {
	Code   Code
	Detail string
	Fields Fields
	// RetryAfter is when to come back, in seconds; 0 says nothing.
	RetryAfter int
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }

// The errors that several places return.
var (
	ErrNotFound  = &Error{Code: NotFound, Detail: "Not found."}
	ErrForbidden = &Error{Code: PermissionDenied, Detail: "You do not have permission to perform this action."}
	// ErrSessionEnded answers a token that was good once.
	ErrSessionEnded = &Error{Code: TokenNotValid, Detail: "The session has ended or the account is disabled."}
)

// Classify turns an error of the database into one that a client may see, and leaves every other as it is.
func Classify(err error) error {
	var known *Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, gorm.ErrRecordNotFound):
		return ErrNotFound
	case unreachable(err):
		return &Error{Code: Unavailable, Detail: "The database does not answer. Try again soon.", RetryAfter: 2}
	}
	return err
}

// pgClass and sqliteCode name an error of either database: the SQLSTATE, or the primary result code.
func pgState(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

func sqliteCode(err error) int {
	var se *gosqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

// isDuplicate: a unique index refused the row.
func isDuplicate(err error) bool {
	code := sqliteCode(err)
	return pgState(err) == "23505" || code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// isRetryable: the transaction lost to another one, and may win when it runs again; or it met what the failed COMMIT
// of another had left open, which is rolled back by now.
func isRetryable(err error) bool {
	state := pgState(err)
	return state == "40001" || state == "40P01" || sqliteCode(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "within a transaction")
}

// unreachable: the database is away, shutting down, full, read-only or did not answer in time, or nobody waits for
// its answer any more.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true // whatever the server says to a refused login
	}
	if state := pgState(err); state != "" {
		switch state[:2] {
		case "08", "40", "53", "58": // connection, lost to others too often, resources, system
			return true
		}
		return strings.HasPrefix(state, "57") || state == "25006" // shutting down, cancelled; read-only
	}
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT:
		return true
	}
	var network net.Error
	return errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || // the time ended before the commit
		errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}
