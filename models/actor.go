package models

import (
	"time"

	"gorm.io/gorm"

	"healthcare/listing"
)

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
	Clinic    bool   // PATIENT_ACCESS is clinic: everybody who is signed in sees all patients
	Strict    bool   // Prefer: handling=strict

	onPrimary bool // reads nothing from a replica
	within    *Tx  // the transaction that its writes are part of; nil where each is one of its own
}

// scope narrows a query, see GORM's Scopes.
type scope = func(*gorm.DB) *gorm.DB

// owns is the scope of the patients, and of the assignments, that the actor may see and change: its own ones, all of them
// for staff and where PATIENT_ACCESS is clinic. It is the one place that decides this.
func (a Actor) owns(column string) scope {
	return func(q *gorm.DB) *gorm.DB {
		if a.IsStaff || a.Clinic {
			return q
		}
		return q.Where(column+" = ?", a.ID)
	}
}

// client is the actor as a list knows it.
func (db *DB) client(a Actor) listing.Client {
	return listing.Client{Account: a.ID, Staff: a.IsStaff, Turns: db.turns, Cursors: db.cursors, OldTexts: db.oldTexts.Load()}
}

// everything is the scope that leaves nothing out.
func everything(q *gorm.DB) *gorm.DB { return q }

// event is something that the actor does.
func (a Actor) event(at time.Time, action string, about Subject) Event {
	e := Event{At: at, Action: action, Object: about.Object, Address: a.Address, Outcome: outcomeOK, RequestID: a.RequestID}
	if a.ID != 0 {
		e.UserID = &a.ID
	}
	if about.ID != 0 {
		e.ObjectID = &about.ID
	}
	if patient := about.patient(); patient != 0 {
		e.PatientID = &patient
	}
	return e
}
