package models

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// cursor is a place in an ordered list: beside the row with this key and id. Clients get it as an opaque word. Whoever
// makes one up only moves within what he may see anyway, because the list's scope is not part of it.
type cursor struct {
	Order    string `json:"o"` // what ?ordering= was
	Key      string `json:"k"` // of the row, in the column that orders
	ID       int64  `json:"i"`
	Backward bool   `json:"b,omitempty"` // the rows before it are wanted, not those after it
}

func (c cursor) String() string {
	text, _ := json.Marshal(c) // of strings and numbers: cannot fail
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseCursor(word, order string) (*cursor, bool) {
	c := &cursor{}
	text, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil || json.Unmarshal(text, c) != nil || c.Order != order {
		return nil, false
	}
	return c, true
}

// cursorKey is the value of the ordering column, as text: a time, a number or folded text.
type cursorKey string

// GormDataType tells GORM that this is a type of our own.
func (cursorKey) GormDataType() string { return "text" }

// Scan reads each kind.
func (k *cursorKey) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		*k = cursorKey(v.UTC().Format(time.RFC3339Nano))
	case int64:
		*k = cursorKey(strconv.FormatInt(v, 10))
	case string:
		*k = cursorKey(v)
	case []byte:
		*k = cursorKey(v)
	default:
		return fmt.Errorf("a cursor cannot be made of %T", src)
	}
	return nil
}

// value is the key as the column has it; keys that no such column can hold are refused.
func (c cursor) value(column string) (any, bool) {
	switch {
	case strings.HasSuffix(column, "at"):
		at, err := time.Parse(time.RFC3339Nano, c.Key)
		return at.UTC(), err == nil && at.UTC().Year() > 0 && at.UTC().Year() <= 9999
	case strings.HasSuffix(column, ".id"):
		id, err := strconv.ParseInt(c.Key, 10, 64)
		return id, err == nil
	}
	return c.Key, !strings.ContainsRune(c.Key, 0)
}

// placed is one row of a list with its place in it.
type placed[T any] struct {
	Row       T `gorm:"embedded"`
	CursorKey cursorKey
	CursorID  int64
}

// seek finds the page beside a cursor: by key, not by counting, so that it costs the same at any depth and rows that
// are added or removed meanwhile neither repeat nor skip another.
func seek[T any](db *gorm.DB, l listing, q query, scope []condition) (*Page[T], error) {
	backward := q.cursor != nil && q.cursor.Backward
	descending := q.descending != backward
	conditions := append(slices.Clip(scope), q.where...)
	if q.cursor != nil {
		after := " > "
		if descending {
			after = " < "
		}
		conditions = append(conditions, where("("+q.column+", "+l.table+".id)"+after+"(?, ?)", q.key, q.cursor.ID))
	}
	with, withArgs := "", []any(nil)
	if len(q.words) > 0 {
		with, withArgs = l.hits(db, q, scope)
		conditions = append(conditions, where(l.table+".id IN (SELECT id FROM hits)"))
	}
	sql, args := from(l.table, l.joins, conditions...)
	found, err := find[placed[T]](db, with+"SELECT "+l.columns+", "+q.column+" AS cursor_key, "+l.table+".id AS cursor_id"+sql+
		orderBy(q.column, l.table, descending, q.size+1), append(withArgs, args...)...)
	if err != nil {
		return nil, apierror.FromDatabase(err)
	}
	more := len(found) > q.size
	found = found[:min(len(found), q.size)]
	if backward {
		slices.Reverse(found)
	}
	page := &Page[T]{Results: make([]T, len(found))}
	for i := range found {
		page.Results[i] = found[i].Row
	}
	if len(found) == 0 {
		return page, nil
	}
	if first := found[0]; backward && more || !backward && q.cursor != nil {
		page.PreviousCursor = cursor{q.ordering, string(first.CursorKey), first.CursorID, true}.String()
	}
	if last := found[len(found)-1]; backward || more {
		page.NextCursor = cursor{q.ordering, string(last.CursorKey), last.CursorID, false}.String()
	}
	return page, nil
}
