package models

import (
	"context"
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
	User   *UserName `json:"user" gorm:"embedded;embeddedPrefix:by_"`
	Reason string    `json:"reason"` // of an erasure
}

var auditList = listing.List{
	Table:     "events",
	Columns:   listing.Columns[Event]() + ", events.patient_id, " + byColumns + ", CASE events.action WHEN '" + ActionErase + "' THEN events.changes ELSE '' END AS reason",
	Joins:     "LEFT JOIN users ON users.id = events.user_id",
	Newest:    "events.at",
	CountTo:   10_000,
	Orderings: map[string]string{"created_at": "events.at"},
	Filters: map[string]listing.Filter{
		"user_id": listing.Number("events.user_id"),
		"action": listing.OneOf("events.action", ActionCreate, ActionUpdate, ActionDelete, ActionRestore, ActionAssign, ActionUnassign,
			ActionMerge, ActionUnmerge, ActionRead, ActionList, ActionExport, ActionRotate, ActionErase, ActionReset, ActionAccept, ActionArchive),
	},
}

// Audit lists who did what to whose data, for staff.
func (db *DB) Audit(ctx context.Context, by Actor, values url.Values) (*listing.Page[AuditEntry], error) {
	scopes, err := auditScopes(values)
	if err != nil && by.IsStaff {
		return nil, err
	}
	return db.trail(ctx, by, values, scopes...)
}

// FindAudit lists the lines of the audit trail of which the condition is true, for staff.
func (db *DB) FindAudit(ctx context.Context, by Actor, where Condition, values url.Values, count bool) (*Found[AuditEntry], error) {
	found := &Found[AuditEntry]{Total: -1}
	var err error
	if found.Page, err = db.trail(ctx, by, values, where.scope); err == nil && count {
		err = db.read.WithContext(ctx).Model(&Event{}).Scopes(where.scope).Count(&found.Total).Error
	}
	return found, apierror.FromDatabase(err)
}

func (db *DB) trail(ctx context.Context, by Actor, values url.Values, scopes ...scope) (*listing.Page[AuditEntry], error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	if err := db.recorder.flush(ctx); err != nil { // what this instance has shown so far is in the answer
		return nil, apierror.FromDatabase(err)
	}
	page, err := listing.Find[AuditEntry](db.read.WithContext(ctx), auditList, values, db.client(by), scopes...)
	if err != nil {
		return nil, err
	}
	if page.ReadsSince, err = db.readsSince(ctx); err != nil {
		return nil, apierror.FromDatabase(err)
	}
	for i := range page.Results {
		page.Results[i].tidy()
	}
	return page, nil
}

// tidy makes an entry of its row what clients see.
func (e *AuditEntry) tidy() {
	if e.PatientIDs == nil {
		e.PatientIDs = IDs{}
		if e.PatientID != nil {
			e.PatientIDs = IDs{*e.PatientID}
		}
	}
	if e.User != nil && e.User.ID == 0 { // nobody: a command
		e.User = nil
	}
	e.Reason = Changes(e.Reason).to("reason")
}

// AuditEntry finds one line of the audit trail, for staff.
func (db *DB) AuditEntry(ctx context.Context, by Actor, id int64) (*AuditEntry, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	if err := db.recorder.flush(ctx); err != nil {
		return nil, apierror.FromDatabase(err)
	}
	var found AuditEntry
	err := db.read.WithContext(ctx).Model(&Event{}).Select(auditList.Columns).Joins(auditList.Joins).Where("events.id = ?", id).Take(&found).Error
	if err != nil {
		return nil, apierror.FromDatabase(err)
	}
	found.tidy()
	return &found, nil
}

// auditScopes are the filters that do not just compare a column: whose data, and when.
func auditScopes(values url.Values) ([]scope, error) {
	errs := apierror.Fields{}
	scopes := []scope{
		actionFilter(values.Get("action")),
		patientFilter(values.Get("patient_id"), errs),
		timeFilter("since", values.Get("since"), "events.at >= ?", errs),
		timeFilter("until", values.Get("until"), "events.at <= ?", errs),
	}
	return scopes, errs.Err()
}

// actionFilter tells the database that the index of what is rare is enough, see IsAction.
func actionFilter(action string) scope {
	switch action {
	case "", ActionRead, ActionList:
		return everything
	}
	return isRare.scope
}

// patientFilter lets the events through that were about a patient, or of a list that showed it.
func patientFilter(value string, errs apierror.Fields) scope {
	if value == "" {
		return everything
	}
	number := listing.Number("")
	id, ok := number.Parse(value)
	if !ok {
		errs.Add("patient_id", number.Message)
	}
	if !ok || id.(int64) < 1 { // nobody's, but FTS5 would read -5 as 5
		return Never.scope
	}
	return namesPatient(id.(int64))
}

// namesPatient is the scope of the events that were about one of some patients, or of a list or an export that showed it.
func namesPatient(ids ...int64) scope {
	about := make([]Condition, len(ids))
	for i, id := range ids {
		about[i] = IsAbout(id)
	}
	return AnyOf(about...).scope
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
