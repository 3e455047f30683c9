package apierror

// Cause tells an operator why an answer was 503 or 429: the client is told to come back, and here is what it waits for. The
// log and the metrics have the same word.
type Cause string

// The causes of a 503.
const (
	Shed        Cause = "shed"        // no place to work in: too many requests, hashes, exports, files, mails or unread answers at once
	Pool        Cause = "pool"        // no connection to the database became free in time
	Database    Cause = "database"    // it is away, refuses, or can only be read
	Standby     Cause = "standby"     // the synchronous standby did not confirm a write
	Audit       Cause = "audit"       // the audit trail cannot be stored
	Limit       Cause = "limit"       // the request's time was over while the database worked
	Stopping    Cause = "stopping"    // this instance was told to stop
	Rights      Cause = "rights"      // the account's rights changed during the request
	ClientGone  Cause = "client_gone" // nobody waits for the answer any more
	CauseNotSet Cause = "other"
)

// The causes of a 429.
const (
	Locked      Cause = "lockout"        // failed logins have locked the account
	AddressRate Cause = "address_rate"   // AUTH_RATE_LIMIT
	AccountRate Cause = "account_rate"   // ACCOUNT_RATE_LIMIT
	AccountBusy Cause = "account_places" // the account has too much at work at once
)

// Causes are those of each status that has one.
var Causes = map[Code][]Cause{
	Unavailable: {Shed, Pool, Database, Standby, Audit, Limit, Stopping, Rights, ClientGone, CauseNotSet},
	Throttled:   {Locked, AddressRate, AccountRate, AccountBusy, CauseNotSet},
}

// NewUnavailable is a 503 with its cause, and the seconds after which to come back.
func NewUnavailable(cause Cause, retryAfter int, detail string) *Error {
	return &Error{Code: Unavailable, Cause: cause, Detail: detail, RetryAfter: retryAfter}
}

// NewThrottled is a 429 with its cause, and the seconds after which to come back.
func NewThrottled(cause Cause, retryAfter int, detail string) *Error {
	return &Error{Code: Throttled, Cause: cause, Detail: detail, RetryAfter: retryAfter}
}
