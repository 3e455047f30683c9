package models

import "gorm.io/gorm"

// Actor is who asks: an account, and the request that it asks with.
type Actor struct {
	User
	SessionID int64
	RequestID string
	Address   string // of the client
	Network   string // what counts as one client: an IPv4 address, or the /64 of an IPv6 address
	UserAgent string
	IfMatch   string // the If-Match header
	Retry     *Retry // the Idempotency-Key header, if there was one
}

// scope narrows a query, see GORM's Scopes.
type scope = func(*gorm.DB) *gorm.DB

// owns is the scope of the rows that belong to the actor. Staff have all.
func (a Actor) owns(column string) scope {
	return func(q *gorm.DB) *gorm.DB {
		if a.IsStaff {
			return q
		}
		return q.Where(column+" = ?", a.ID)
	}
}

// everything is the scope that leaves nothing out.
func everything(q *gorm.DB) *gorm.DB { return q }
