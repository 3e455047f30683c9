package models

import (
	"context"
	"net/url"
	"strconv"
	"strings"
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
	Object  string    `json:"object,omitempty"` // of what is neither the record itself nor an assignment
	Changes Changes   `json:"changes"`
	Import  int64     `json:"import,omitempty"` // by which import it was done
	Request string    `json:"-"`
	// Doctor is whom an assignment, or its end, was of; deleted since or not. No other entry has one.
	Doctor *DoctorName `json:"doctor,omitempty" gorm:"embedded;embeddedPrefix:the_doctor_"`
	// MergedFrom is the merged patient whose event it was; nothing of the record's own.
	MergedFrom *int64 `json:"merged_from,omitempty"`
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
	Table: "events",
	Columns: "events.at, events.action, events.changes, events.request_id AS request, " + byColumns +
		", CASE WHEN events.object IN ('patient', 'doctor', 'mapping') THEN '' ELSE events.object END AS object" +
		", coalesce(doctors.id, 0) AS the_doctor_id, coalesce(doctors.name, '') AS the_doctor_name" +
		", coalesce(doctors.specialization, '') AS the_doctor_specialization, events.patient_id AS merged_from",
	Joins: "LEFT JOIN users ON users.id = events.user_id" +
		" LEFT JOIN mappings ON mappings.id = events.object_id AND events.object = '" + objectMapping + "'" +
		" LEFT JOIN doctors ON doctors.id = mappings.doctor_id",
	Newest:    "events.id",
	Orderings: map[string]string{"created_at": "events.at"},
	Short:     true,
}

// PatientHistory lists what happened to a patient and to its assignments, and to those who have been merged into it. Staff
// see that of deleted ones too.
func (db *DB) PatientHistory(ctx context.Context, by Actor, id int64, values url.Values) (*listing.Page[HistoryEntry], error) {
	var page *listing.Page[HistoryEntry]
	err := db.readList(ctx, by, values, func(q *gorm.DB, client listing.Client) error {
		err := q.Scopes(by.owns("created_by"), by.seesDeleted).Select("id").Take(&Patient{}, id).Error
		if err == nil {
			page, err = historyOf(q, client, id, values)
		}
		return err
	})
	return page, db.audit(by.event(now(), ActionRead, Subject{Object: objectPatient, ID: id}), err)
}

func historyOf(q *gorm.DB, client listing.Client, patient int64, values url.Values) (*listing.Page[HistoryEntry], error) {
	all, err := allOf(q, patient)
	if err != nil {
		return nil, err
	}
	page, err := history(q, client, values, among("events.patient_id", all))
	if err != nil {
		return nil, err
	}
	for i := range page.Results {
		if e := &page.Results[i]; *e.MergedFrom == patient {
			e.MergedFrom = nil
		}
	}
	return page, nil
}

// DoctorHistory lists what happened to a doctor, for its creator and staff.
func (db *DB) DoctorHistory(ctx context.Context, by Actor, id int64, values url.Values) (*listing.Page[HistoryEntry], error) {
	var page *listing.Page[HistoryEntry]
	err := db.readList(ctx, by, values, func(q *gorm.DB, client listing.Client) error {
		var d Doctor
		err := q.Scopes(by.seesDeleted).Take(&d, id).Error
		if err == nil && !d.changeableBy(by) {
			err = apierror.ErrForbidden
		}
		if err == nil {
			page, err = history(q, client, values, ofObject(objectDoctor, id))
		}
		return err
	})
	return page, apierror.FromDatabase(err)
}

// history lists the changes among some events.
func history(q *gorm.DB, client listing.Client, values url.Values, of scope) (*listing.Page[HistoryEntry], error) {
	page, err := listing.Find[HistoryEntry](q, historyList, values, client, of, changesOnly)
	if err != nil {
		return nil, err
	}
	for i := range page.Results {
		e := &page.Results[i]
		if id, ok := strings.CutPrefix(e.Request, importRequests); ok {
			e.Import, _ = strconv.ParseInt(id, 10, 64)
		}
		if e.Doctor.ID == 0 {
			e.Doctor = nil
		}
	}
	return page, nil
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
	return q.Where("events.outcome = '" + outcomeOK + "' AND events.action NOT IN ('" + ActionRead + "', '" + ActionList + "', '" + ActionExport + "')")
}

// ofPatient is the scope of a patient's events.
func ofPatient(id int64) scope {
	return func(q *gorm.DB) *gorm.DB { return q.Where("events.patient_id = ?", id) }
}

// among is the scope of the rows of which a column has one of these ids. It is plain SQL for both databases, so it needs no
// Condition's scope, which looks for what is not.
func among(column string, ids []int64) scope {
	one := IsOneOf(column, ids...)
	return func(q *gorm.DB) *gorm.DB { return q.Where(one.sql, one.values...) }
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
		return nil, apierror.Fields{"as_of": {wrongDate}}.Err()
	}
	end := start.Add(24*time.Hour - time.Microsecond)
	return func(q *gorm.DB) *gorm.DB {
		return q.Where("(SELECT action FROM events WHERE events.object_id = mappings.id AND events.object = 'mapping' AND events.object <> 'patient'"+
			" AND outcome = ? AND at <= ? AND action IN (?, ?) ORDER BY id DESC LIMIT 1) = ?", outcomeOK, end, ActionAssign, ActionUnassign, ActionAssign)
	}, nil
}
