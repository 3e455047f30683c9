package models

import (
	"context"
	"net/url"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// HistoryEntry is one line in the history of a record.
type HistoryEntry struct {
	At      time.Time `json:"at"`
	By      UserName  `json:"by" gorm:"embedded;embeddedPrefix:by_"`
	Action  string    `json:"action"`
	Changes Changes   `json:"changes"`
}

// UserName is an account in a history or in the audit trail.
type UserName struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// byColumns are the columns of a UserName, all empty where no account did it.
const byColumns = "coalesce(users.id, 0) AS by_id, coalesce(users.username, '') AS by_username"

// The changes of one record follow one another in the order of their ids; their times are of when they began.
var historyList = listing.List{
	Table:     "events",
	Columns:   "events.at, events.action, events.changes, " + byColumns,
	Joins:     "LEFT JOIN users ON users.id = events.user_id",
	Newest:    "events.id",
	Orderings: map[string]string{"created_at": "events.at"},
	Short:     true,
}

// PatientHistory lists what happened to a patient and to its assignments. Staff see that of deleted ones too.
func (db *DB) PatientHistory(ctx context.Context, by Actor, id int64, values url.Values) (*listing.Page[HistoryEntry], error) {
	var page *listing.Page[HistoryEntry]
	err := db.read.WithContext(ctx).Scopes(by.owns("created_by"), by.seesDeleted).Select("id").Take(&Patient{}, id).Error
	if err == nil {
		page, err = listing.Find[HistoryEntry](db.read.WithContext(ctx), db.cursors, historyList, values, by.IsStaff, ofPatient(id), changesOnly)
	}
	return page, db.audit(by.event(now(), ActionRead, Subject{Object: objectPatient, ID: id}), err)
}

// DoctorHistory lists what happened to a doctor, for its creator and staff.
func (db *DB) DoctorHistory(ctx context.Context, by Actor, id int64, values url.Values) (*listing.Page[HistoryEntry], error) {
	var d Doctor
	if err := db.read.WithContext(ctx).Scopes(by.seesDeleted).Take(&d, id).Error; err != nil {
		return nil, apierror.FromDatabase(err)
	}
	if !d.changeableBy(by) {
		return nil, apierror.ErrForbidden
	}
	return listing.Find[HistoryEntry](db.read.WithContext(ctx), db.cursors, historyList, values, by.IsStaff, ofObject(objectDoctor, id), changesOnly)
}

// seesDeleted is the scope by which staff find deleted rows too.
func (a Actor) seesDeleted(q *gorm.DB) *gorm.DB {
	if a.IsStaff {
		return q.Unscoped()
	}
	return q
}

// changesOnly is the scope of the events that make up a history.
func changesOnly(q *gorm.DB) *gorm.DB {
	return q.Where("events.outcome = '" + outcomeOK + "' AND events.action NOT IN ('" + ActionRead + "', '" + ActionList + "')")
}

// ofPatient is the scope of a patient's events.
func ofPatient(id int64) scope {
	return func(q *gorm.DB) *gorm.DB { return q.Where("events.patient_id = ?", id) }
}

// ofObject is the scope of the events of one object that is no patient. It says so, because the index leaves patients out.
func ofObject(object string, id int64) scope {
	return func(q *gorm.DB) *gorm.DB {
		return q.Where("events.object_id = ? AND events.object = '"+object+"' AND events.object <> 'patient'", id)
	}
}

// assignedAt is the scope of the assignments that stood at the end of a day (UTC): whose last event until then is an
// assignment, whatever has become of them since.
func assignedAt(day string) (scope, error) {
	start, err := time.Parse(time.DateOnly, day)
	if err != nil || start.Year() < 1 {
		return nil, apierror.Fields{"as_of": {"Date has wrong format. Use one of these formats instead: YYYY-MM-DD."}}.Err()
	}
	end := start.Add(24*time.Hour - time.Microsecond)
	return func(q *gorm.DB) *gorm.DB {
		return q.Where("(SELECT action FROM events WHERE events.object_id = mappings.id AND events.object = 'mapping' AND events.object <> 'patient'"+
			" AND outcome = ? AND at <= ? ORDER BY id DESC LIMIT 1) = ?", outcomeOK, end, ActionAssign)
	}, nil
}
