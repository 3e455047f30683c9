package models

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"healthcare/fastgorm"
)

// Event says who did what, when and from where. Events are only ever added. They are both the history of a record and
// the audit trail. The event of a write is stored together with the write, that of a read within a second.
//
// Indexes:
//
//	events_at         (at, id)                                    the trail, newest first
//	events_by_user    (user_id, at, id)                           ?user_id=, newest first
//	events_by_action  (action, at, id) of neither read nor list   ?action= of what is rare beside them, newest first
//	events_patient    (patient_id, id)                            a patient's history, ?patient_id=
//	events_of_object  (object_id, object, id) of no patient       a doctor's history, ?as_of=
//	events_patients   (patient_ids)                               who was shown a patient in a list, see migrate.go
type Event struct {
	ID         int64     `json:"id" gorm:"index:events_at,priority:2;index:events_patient,priority:2;index:events_of_object,priority:3;index:events_by_user,priority:3;index:events_by_action,priority:3"`
	At         time.Time `json:"at" gorm:"not null;index:events_at,priority:1;index:events_by_user,priority:2;index:events_by_action,priority:2"`
	UserID     *int64    `json:"-" gorm:"index:events_by_user,priority:1"`
	Action     string    `json:"action" gorm:"not null;index:events_by_action,priority:1,where:action <> 'read' AND action <> 'list'"`
	Object     string    `json:"object" gorm:"not null;index:events_of_object,priority:2"`
	ObjectID   *int64    `json:"object_id" gorm:"index:events_of_object,priority:1,where:object_id IS NOT NULL AND object <> 'patient'"` // null for a list
	PatientID  *int64    `json:"-" gorm:"index:events_patient,priority:1,where:patient_id IS NOT NULL"`                                  // whose data it was about
	PatientIDs IDs       `json:"patient_ids"`                                                                                            // which patients a list showed, or a merge was of
	Changes    Changes   `json:"-" gorm:"not null"`
	Address    string    `json:"address" gorm:"not null"`
	Outcome    string    `json:"outcome" gorm:"not null"` // "ok", or the code of the error
	RequestID  string    `json:"request_id" gorm:"not null"`
}

// The actions of events: those of a history first.
const (
	ActionCreate   = "create"
	ActionUpdate   = "update"
	ActionDelete   = "delete"
	ActionRestore  = "restore"
	ActionAssign   = "assign"
	ActionUnassign = "unassign"
	ActionMerge    = "merge"
	ActionUnmerge  = "unmerge"
	ActionRead     = "read"
	ActionList     = "list"
	ActionExport   = "export"
	ActionRotate   = "rotate"
	ActionErase    = "erase"
	ActionArchive  = "archive" // events were moved into a file
	ActionReset    = "reset"   // a token to choose a new password was made
	ActionAccept   = "accept"  // a password was chosen with a token
)

const (
	objectPatient = "patient"
	objectDoctor  = "doctor"
	objectMapping = "mapping"
	objectKey     = "audit_key"
	objectUser    = "user"
	objectArchive = "archive"
	outcomeOK     = "ok"
)

// Subject is what an event is about.
type Subject struct {
	Object    string
	ID        int64 // 0 for a list, and for what is not stored yet
	PatientID int64 // of an assignment; a patient's own id need not be repeated
}

// patient is whose data it is; 0 for nobody's.
func (s Subject) patient() int64 {
	if s.Object == objectPatient {
		return s.ID
	}
	return s.PatientID
}

// subject is a row that events are about.
type subject interface{ subject() Subject }

// refuseWithoutEvent is a GORM callback. It makes it impossible to change a row that events are about and to forget the
// event. Columns that no client sees may change without one, by UpdateColumn.
func refuseWithoutEvent(db *gorm.DB) {
	stmt := db.Statement
	if db.Error != nil || stmt.Schema == nil || fastgorm.HasAlso(stmt) {
		return
	}
	if !reflect.PointerTo(stmt.Schema.ModelType).Implements(reflect.TypeFor[subject]()) {
		return
	}
	if columns, ok := stmt.Dest.(map[string]any); ok && stmt.SkipHooks && hidden(stmt.Schema, columns) {
		return
	}
	_ = db.AddError(fmt.Errorf("a change of %s must store its event: tx.Clauses(tx.event(…))", stmt.Schema.Table))
}

func hidden(s *schema.Schema, columns map[string]any) bool {
	for name := range columns {
		if f := s.LookUpField(name); f == nil || f.Tag.Get("json") != "-" || name == "deleted_at" {
			return false
		}
	}
	return true
}

// Changes tells of each changed field from what to what it changed, as JSON: {"phone": {"from": "1", "to": "2"}}. It is
// kept as the text that it is, because seals are of this text.
type Changes string

const noChanges Changes = "{}"

// MarshalJSON gives the text itself.
func (c Changes) MarshalJSON() ([]byte, error) {
	if c == "" {
		c = noChanges
	}
	return []byte(c), nil
}

// to is the text that a field changed to; "" of changes that do not say so.
func (c Changes) to(field string) (text string) {
	var all map[string]struct {
		To json.RawMessage `json:"to"`
	}
	if json.Unmarshal([]byte(c), &all) == nil {
		_ = json.Unmarshal(all[field].To, &text)
	}
	return text
}

// FromTo is the change of one field.
type FromTo struct {
	From any `json:"from"`
	To   any `json:"to"`
}

// NewChanges spells changes of fields; none are the empty text.
func NewChanges(fields map[string]FromTo) Changes {
	if len(fields) == 0 {
		return ""
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		panic(err) // of texts, numbers and times: cannot happen
	}
	return Changes(bytes.TrimSpace(text.Bytes()))
}

// diff lists the fields in which two structs of one type differ, by their JSON names. Without a before, it lists the
// fields of after that are not empty.
func diff[T any](before *T, after T) Changes {
	changes := map[string]FromTo{}
	was, is := reflect.ValueOf(before), reflect.ValueOf(&after).Elem()
	for name, f := range JSONFields[T]() {
		to := is.FieldByIndex(f.Index)
		if before == nil {
			if !to.IsZero() {
				changes[name] = FromTo{nil, to.Interface()}
			}
			continue
		}
		from := was.Elem().FieldByIndex(f.Index)
		if from.Comparable() && from.Equal(to) || reflect.DeepEqual(from.Interface(), to.Interface()) {
			continue
		}
		changes[name] = FromTo{from.Interface(), to.Interface()}
	}
	return NewChanges(changes)
}

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
	if !ok || text == "" { // NULL, or a text that nobody of ours wrote
		*ids = nil
		return nil
	}
	if text[0] == '{' {
		text = "[" + text[1:len(text)-1] + "]"
	}
	return json.Unmarshal([]byte(text), (*[]int64)(ids))
}
