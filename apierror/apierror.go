// Package apierror holds the errors that a client may see: each has a code, an HTTP status and a sentence. FromDatabase
// makes one of a database's error. Begin with Error.
package apierror

import "net/http"

// Error is an error that a client may see.
type Error struct {
	Code   Code
	Detail string // a sentence for people
	Fields Fields // what is wrong with which field; nil for most errors
	// RetryAfter is when to come back, in seconds; 0 says nothing.
	RetryAfter int
	// Cause and Reason are for the log and the metrics, not for the client: why it is a 503 or 429, and what the database said
	// (a code or words of the operating system, never values).
	Cause  Cause
	Reason string
	// Candidates are the patients that a new one is probably one of; nil for all other errors.
	Candidates any
	// MergedInto is where a patient is who was merged; 0 for all other errors.
	MergedInto int64
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }

// Code is the word that programs branch on; DRF's and SimpleJWT's where they have one.
type Code string

// The codes of this API.
const (
	Invalid              Code = "invalid"
	ParseError           Code = "parse_error"
	NotAuthenticated     Code = "not_authenticated"
	TokenNotValid        Code = "token_not_valid"
	NoActiveAccount      Code = "no_active_account"
	InvalidToken         Code = "invalid_token"
	PermissionDenied     Code = "permission_denied"
	NotFound             Code = "not_found"
	Gone                 Code = "gone"
	MethodNotAllowed     Code = "method_not_allowed"
	NotAcceptable        Code = "not_acceptable"
	Conflict             Code = "conflict"
	PossibleDuplicate    Code = "possible_duplicate"
	PreconditionFailed   Code = "precondition_failed"
	MultipleMatches      Code = "multiple_matches"
	KeyReused            Code = "idempotency_key_reused"
	RequestTooLarge      Code = "request_too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	Throttled            Code = "throttled"
	ServerError          Code = "error"
	Unavailable          Code = "unavailable"
)

// statuses is the one table from a code to its HTTP status.
var statuses = map[Code]int{
	Invalid:              http.StatusBadRequest,
	ParseError:           http.StatusBadRequest,
	NotAuthenticated:     http.StatusUnauthorized,
	TokenNotValid:        http.StatusUnauthorized,
	NoActiveAccount:      http.StatusUnauthorized,
	InvalidToken:         http.StatusBadRequest,
	PermissionDenied:     http.StatusForbidden,
	NotFound:             http.StatusNotFound,
	Gone:                 http.StatusGone,
	MethodNotAllowed:     http.StatusMethodNotAllowed,
	NotAcceptable:        http.StatusNotAcceptable,
	Conflict:             http.StatusConflict,
	PossibleDuplicate:    http.StatusConflict,
	PreconditionFailed:   http.StatusPreconditionFailed,
	MultipleMatches:      http.StatusPreconditionFailed,
	KeyReused:            http.StatusUnprocessableEntity,
	RequestTooLarge:      http.StatusRequestEntityTooLarge,
	UnsupportedMediaType: http.StatusUnsupportedMediaType,
	Throttled:            http.StatusTooManyRequests,
	ServerError:          http.StatusInternalServerError,
	Unavailable:          http.StatusServiceUnavailable,
}

// Status is the HTTP status of the error.
func (e *Error) Status() int { return statuses[e.Code] }

// The errors that several places return.
var (
	ErrNotFound  = &Error{Code: NotFound, Detail: "Not found."}
	ErrForbidden = &Error{Code: PermissionDenied, Detail: "You do not have permission to perform this action."}
	// ErrSessionEnded answers a token that was good once.
	ErrSessionEnded = &Error{Code: TokenNotValid, Detail: "The session has ended or the account is disabled."}
	ErrServer       = &Error{Code: ServerError, Detail: "A server error occurred."}
)

// Fields maps each field that is wrong to the messages about it.
type Fields map[string][]string

// Add appends messages about a field.
func (f Fields) Add(field string, messages ...string) {
	if len(messages) > 0 {
		f[field] = append(f[field], messages...)
	}
}

// Err is nil as long as no field is wrong.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: Invalid, Detail: "Invalid input.", Fields: f}
}
