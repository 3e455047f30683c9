package models

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"healthcare/apierror"
)

// Event says who did what, when and from where. Events are only ever added; they are both the history of a record
// and the audit trail. A write's event is stored in the write's own transaction, a read's within a second.
type Event struct {
	ID     int64     `json:"id" gorm:"index:events_at,priority:2;index:events_patient,priority:2;index:events_of_object,priority:3;index:events_user,priority:2"`
	At     time.Time `json:"at" gorm:"not null;index:events_at,priority:1"`
	UserID *int64    `json:"-" gorm:"index:events_user,priority:1"`
	Action string    `json:"action" gorm:"not null"`
	Object string    `json:"object" gorm:"not null;index:events_of_object,priority:2"`
	// ObjectID is null for a list. The index leaves patients out, whose events PatientID finds.
	ObjectID *int64 `json:"object_id" gorm:"index:events_of_object,priority:1,where:object_id IS NOT NULL AND object <> 'patient'"`
	// PatientID is whose data it was about, PatientIDs which patients a list showed.
	PatientID  *int64  `json:"-" gorm:"index:events_patient,priority:1,where:patient_id IS NOT NULL"`
	PatientIDs IDs     `json:"patient_ids"`
	Changes    Changes `json:"-" gorm:"not null"`
	Address    string  `json:"address" gorm:"not null"`
	Outcome    string  `json:"outcome" gorm:"not null"`
	RequestID  string  `json:"request_id" gorm:"not null"`
}

// The actions of events: those of a history first.
const (
	ActionCreate   = "create"
	ActionUpdate   = "update"
	ActionDelete   = "delete"
	ActionRestore  = "restore"
	ActionAssign   = "assign"
	ActionUnassign = "unassign"
	ActionRead     = "read"
	ActionList     = "list"
)

const (
	objectPatient = "patient"
	objectDoctor  = "doctor"
	objectMapping = "mapping"
	outcomeOK     = "ok"
)

// IDs is a list of ids: bigint[] on PostgreSQL, a JSON array on SQLite, which both can look into.
type IDs []int64

// GormDataType tells GORM that this is a type of our own.
func (IDs) GormDataType() string { return "ids" }

// GormDBDataType names the column's type.
func (IDs) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	if db.Name() == "postgres" {
		return "bigint[]"
	}
	return "text"
}

// GormValue is what is stored.
func (ids IDs) GormValue(_ context.Context, db *gorm.DB) clause.Expr {
	if ids == nil {
		return clause.Expr{SQL: "NULL"}
	}
	text, _ := json.Marshal([]int64(ids)) // of integers: cannot fail
	if db.Name() == "postgres" {
		text[0], text[len(text)-1] = '{', '}'
		return clause.Expr{SQL: "?::bigint[]", Vars: []any{string(text)}}
	}
	return clause.Expr{SQL: "?", Vars: []any{string(text)}}
}

// SetDimensions lets pgx read an array of PostgreSQL straight into it, together with ScanIndex and ScanIndexType.
func (ids *IDs) SetDimensions(dimensions []pgtype.ArrayDimension) error {
	*ids = nil
	if dimensions != nil {
		*ids = IDs{}
	}
	for _, d := range dimensions {
		*ids = make(IDs, d.Length) // of which there is one
	}
	return nil
}

// ScanIndex is where the element goes.
func (ids *IDs) ScanIndex(i int) any { return &(*ids)[i] }

// ScanIndexType is a pointer to what an element is.
func (ids *IDs) ScanIndexType() any { return new(int64) }

// Scan reads either form from database/sql.
func (ids *IDs) Scan(src any) error {
	text, ok := src.(string)
	if raw, isRaw := src.([]byte); isRaw {
		text, ok = string(raw), true
	}
	if src == nil || !ok {
		*ids = nil
		return nil
	}
	if text[0] == '{' {
		text = "[" + text[1:len(text)-1] + "]"
	}
	return json.Unmarshal([]byte(text), (*[]int64)(ids))
}

// Changes tells of each changed field from what to what it changed.
type Changes map[string]FromTo

// FromTo is the change of one field.
type FromTo struct {
	From any `json:"from"`
	To   any `json:"to"`
}

// GormDataType makes the column plain text, so that what is sealed is read back byte by byte.
func (Changes) GormDataType() string { return "text" }

// Value is what is stored.
func (c Changes) Value() (driver.Value, error) {
	if c == nil {
		return "", nil
	}
	text, err := json.Marshal(c)
	return string(text), err
}

// Scan reads what is stored.
func (c *Changes) Scan(src any) error {
	*c = nil
	switch v := src.(type) {
	case string:
		if v == "" {
			return nil
		}
		return json.Unmarshal([]byte(v), c)
	case []byte:
		return c.Scan(string(v))
	}
	return fmt.Errorf("changes cannot be read from %T", src)
}

// diff lists the fields in which two structs of one type differ, by their JSON names; without a before, those of
// after that are not empty.
func diff[T any](before *T, after T) Changes {
	changes := Changes{}
	to := reflect.ValueOf(after)
	for name, f := range JSONFields[T]() {
		is := to.FieldByIndex(f.Index)
		if before == nil {
			if !is.IsZero() {
				changes[name] = FromTo{nil, is.Interface()}
			}
			continue
		}
		was := reflect.ValueOf(*before).FieldByIndex(f.Index)
		if !reflect.DeepEqual(was.Interface(), is.Interface()) {
			changes[name] = FromTo{was.Interface(), is.Interface()}
		}
	}
	return changes
}

// ofObject are the events of one object that is no patient, by the index that leaves those out.
func ofObject(object, id string, args ...any) condition {
	return where("events.object_id = "+id+" AND events.object = '"+object+"' AND events.object <> '"+objectPatient+"'", args...)
}

// event starts an event of the actor's.
func (a Actor) event(at time.Time, action, object string, id int64) Event {
	e := Event{At: at, Action: action, Object: object, Address: a.Address, Outcome: outcomeOK, RequestID: a.RequestID}
	if a.ID != 0 {
		e.UserID = &a.ID
	}
	if id != 0 {
		e.ObjectID = &id
	}
	if object == objectPatient {
		e.PatientID = e.ObjectID
	}
	return e
}

// record stores the event of a write in the write's transaction.
func (tx *Tx) record(action, object string, id int64, changes Changes) error {
	e := tx.By.event(tx.Now, action, object, id)
	e.Changes = changes
	insert, values := inserting(tx.Statement.Context, &e, "id", "patient_ids")
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, placeholders(tx.DB, insert), values...)
	return err
}

// recordMappings stores an event for each of these assignments; they belong to the history of their patients.
func (tx *Tx) recordMappings(action string, mappings []Mapping) error {
	if len(mappings) == 0 {
		return nil
	}
	events := make([]Event, len(mappings))
	for i, m := range mappings {
		events[i] = tx.By.event(tx.Now, action, objectMapping, m.ID)
		events[i].PatientID = &m.PatientID
		doctor := FromTo{nil, m.DoctorID}
		if action == ActionUnassign {
			doctor = FromTo{m.DoctorID, nil}
		}
		events[i].Changes = Changes{"doctor_id": doctor}
	}
	return tx.CreateInBatches(events, eventBatch).Error
}

// eventBatch is how many events one statement inserts; both databases limit the parameters of a statement.
const eventBatch = 500

// UserName is an account in a history or an audit trail.
type UserName struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// HistoryEntry is one line in the history of a record.
type HistoryEntry struct {
	At      time.Time `json:"at"`
	By      UserName  `json:"by" gorm:"embedded;embeddedPrefix:by_"`
	Action  string    `json:"action"`
	Changes Changes   `json:"changes"`
}

// byColumns are the columns of a UserName, all empty where no account did it.
const byColumns = "coalesce(users.id, 0) AS by_id, coalesce(users.username, '') AS by_username"

var historyList = listing{
	table:     "events",
	columns:   "events.at, events.action, events.changes, " + byColumns,
	joins:     "LEFT JOIN users ON users.id = events.user_id",
	newest:    "events.id", // changes of one record follow one another in this order; their times are of when they began
	orderings: map[string]string{"created_at": "events.at"},
	short:     true,
}

// inHistories are the events that make up a history.
const inHistories = "events.outcome = '" + outcomeOK + "' AND events.action NOT IN ('" + ActionRead + "', '" + ActionList + "')"

// PatientHistory lists what happened to a patient and to its assignments; staff see that of deleted ones too.
func (db *DB) PatientHistory(ctx context.Context, by Actor, id int64, values url.Values) (*Page[HistoryEntry], error) {
	var page *Page[HistoryEntry]
	var p Patient
	err := take(db.read.WithContext(ctx), &p, "id", "", by.inHistory(append(by.owns("created_by"), where("id = ?", id))...)...)
	if err == nil {
		page, err = list[HistoryEntry](ctx, db.read, by, historyList, values,
			where("events.patient_id = ?", id), where(inHistories))
	}
	return page, db.audited(by.event(now(), ActionRead, objectPatient, id), err)
}

// DoctorHistory lists what happened to a doctor, for its creator and staff.
func (db *DB) DoctorHistory(ctx context.Context, by Actor, id int64, values url.Values) (*Page[HistoryEntry], error) {
	var d Doctor
	if err := take(db.read.WithContext(ctx), &d, "created_by", "", by.inHistory(where("id = ?", id))...); err != nil {
		return nil, apierror.FromDatabase(err)
	}
	if d.CreatedBy != by.ID && !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	return list[HistoryEntry](ctx, db.read, by, historyList, values,
		ofObject(objectDoctor, "?", id), where(inHistories))
}

// inHistory narrows a query to the rows whose history the actor may read: deleted ones are for staff.
func (a Actor) inHistory(conditions ...condition) []condition {
	if a.IsStaff {
		return conditions
	}
	return append(conditions, undeleted)
}
