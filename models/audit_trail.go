package models

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// AuditEntry is one line of the audit trail.
type AuditEntry struct {
	Event
	User *UserName `json:"user" gorm:"embedded;embeddedPrefix:by_"`
}

var auditList = listing.List{
	Table:     "events",
	Columns:   listing.Columns[Event]() + ", events.patient_id, " + byColumns,
	Joins:     "LEFT JOIN users ON users.id = events.user_id",
	Newest:    "events.at",
	Orderings: map[string]string{"created_at": "events.at"},
	Filters: map[string]listing.Filter{
		"user_id": listing.Number("events.user_id"),
		"action": listing.OneOf("events.action", ActionCreate, ActionUpdate, ActionDelete, ActionRestore, ActionAssign, ActionUnassign,
			ActionRead, ActionList),
	},
}

// Audit lists who did what to whose data, for staff.
func (db *DB) Audit(ctx context.Context, by Actor, values url.Values) (*listing.Page[AuditEntry], error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	scopes, err := auditScopes(db.read.Name(), values)
	if err != nil {
		return nil, err
	}
	if err := db.recorder.flush(ctx); err != nil { // what this instance has shown so far is in the answer
		return nil, apierror.FromDatabase(err)
	}
	page, err := listing.Find[AuditEntry](db.read.WithContext(ctx), auditList, values, db.client(by), scopes...)
	if err != nil {
		return nil, err
	}
	for i := range page.Results {
		e := &page.Results[i]
		if e.PatientID != nil {
			e.PatientIDs = IDs{*e.PatientID}
		} else if e.PatientIDs == nil {
			e.PatientIDs = IDs{}
		}
		if e.User.ID == 0 { // nobody: a command
			e.User = nil
		}
	}
	return page, nil
}

// auditScopes are the filters that do not just compare a column: whose data, and when.
func auditScopes(dialect string, values url.Values) ([]scope, error) {
	errs := apierror.Fields{}
	scopes := []scope{
		patientFilter(dialect, values.Get("patient_id"), errs),
		timeFilter("since", values.Get("since"), "events.at >= ?", errs),
		timeFilter("until", values.Get("until"), "events.at <= ?", errs),
	}
	return scopes, errs.Err()
}

// patientFilter lets the events through that were about a patient, or of a list that showed it.
func patientFilter(dialect, value string, errs apierror.Fields) scope {
	if value == "" {
		return everything
	}
	number := listing.Number("")
	id, ok := number.Parse(value)
	if !ok {
		errs.Add("patient_id", number.Message)
	}
	return func(q *gorm.DB) *gorm.DB {
		if id.(int64) < 1 { // nobody's, but FTS5 would read -5 as 5
			return q.Where("1 = 0")
		}
		if dialect == "postgres" {
			return q.Where("events.patient_id = ? OR events.patient_ids @> ARRAY[?]::bigint[]", id, id)
		}
		shown := "events.id IN (SELECT rowid FROM events_patients WHERE events_patients MATCH ?)"
		return q.Where("events.patient_id = ? OR "+shown, id, fmt.Sprintf(`"%v"`, id))
	}
}

// timeFilter compares the time of events with a time or a day; an event is until a day if it is until its end.
func timeFilter(name, value, comparison string, errs apierror.Fields) scope {
	if value == "" {
		return everything
	}
	at, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(value, " ", "+")) // a + that was not escaped
	if day, notDay := time.Parse(time.DateOnly, value); notDay == nil {
		at, err = day, nil
		if name == "until" {
			at = day.Add(24*time.Hour - time.Microsecond)
		}
	}
	at = at.UTC()
	if err != nil || at.Year() < 1 || at.Year() > 9999 {
		errs.Add(name, "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm:ssZ, YYYY-MM-DD.")
	}
	return func(q *gorm.DB) *gorm.DB { return q.Where(comparison, at) }
}
