package listing

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// cursor is a position in an ordered list: beside the row with this key and id. The key may be a name, and URLs are kept
// in histories and in proxies' logs, so clients get it encrypted. It does not say which rows a client may see.
type cursor struct {
	Key      string `json:"k"` // of the row, in the column that orders
	ID       int64  `json:"i"`
	Backward bool   `json:"b,omitempty"` // the rows before it are wanted, not those after it
}

// NewCursors encrypts cursors with a key of 16 or 32 bytes. All instances with that key understand each other's.
func NewCursors(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// word64 is strict: no letter of a cursor may be another.
var word64 = base64.RawURLEncoding.Strict()

func (c cursor) seal(cursors cipher.AEAD, place []byte) string {
	text, _ := json.Marshal(c)                                        // of strings and numbers: cannot fail
	return word64.EncodeToString(cursors.Seal(nil, nil, text, place)) //nolint:gosec // it makes a random nonce itself
}

func openCursor(cursors cipher.AEAD, word string, place []byte) (*cursor, bool) {
	c := &cursor{}
	sealed, err := word64.DecodeString(word)
	if err != nil {
		return nil, false
	}
	text, err := cursors.Open(nil, nil, sealed, place)
	return c, err == nil && json.Unmarshal(text, c) == nil
}

// place is where the cursors of a list belong: to no other table, column or order.
func (p params) place(table string) []byte { return []byte(table + " " + p.orderBy + " " + p.ordering) }

// value is the key as a value of the column.
func (c cursor) value(column string) (any, bool) {
	switch {
	case strings.HasSuffix(column, "at"):
		at, err := time.Parse(time.RFC3339Nano, c.Key)
		return at, err == nil
	case strings.HasSuffix(column, ".id"):
		id, err := strconv.ParseInt(c.Key, 10, 64)
		return id, err == nil
	}
	return c.Key, true
}

// cursorKey is the value of the ordering column, written as text. The column holds a time, a number or folded text.
type cursorKey string

// GormDataType tells GORM that this is a type of our own.
func (cursorKey) GormDataType() string { return "text" }

// Scan reads each kind of value.
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

// positioned is one row of a list with its position, of which a cursor can be made.
type positioned[T any] struct {
	Row       T `gorm:"embedded"`
	CursorKey cursorKey
	CursorID  int64
}

func (p positioned[T]) cursor(r request, backward bool) string {
	return cursor{string(p.CursorKey), p.CursorID, backward}.seal(r.cursors, r.place(r.Table))
}

// findByCursor finds the page beside a cursor. It looks the cursor's key up in an index and does not count rows, so any
// page of the list costs the same. If rows are added or removed meanwhile, no other row is repeated or left out.
func findByCursor[T any](db *gorm.DB, r request) (*Page[T], error) {
	backward := r.cursor != nil && r.cursor.Backward
	rows, err := run[positioned[T]](db, r.besideCursor(r.descending != backward), r.size+1)
	if err != nil {
		return nil, err
	}
	more := len(rows) > r.size // the statement asks for one row more, to know this
	rows = rows[:min(len(rows), r.size)]
	if backward {
		slices.Reverse(rows)
	}
	page := &Page[T]{Results: make([]T, len(rows))}
	for i := range rows {
		page.Results[i] = rows[i].Row
	}
	if len(rows) == 0 {
		return page, nil
	}
	if backward && more || !backward && r.cursor != nil {
		page.PreviousCursor = rows[0].cursor(r, true)
	}
	if backward || more {
		page.NextCursor = rows[len(rows)-1].cursor(r, false)
	}
	return page, nil
}

// besideCursor is the statement of the rows that follow the cursor in this direction.
func (r request) besideCursor(descending bool) clause.Expr {
	var hits, rows clause.Expr
	if len(r.readings) > 0 {
		hits = r.withHits()
		ids := fromWhere("hits", "", r.afterCursor("sort_key", "hits", descending)...)
		rows = fromWhere(r.Table, r.Joins, r.idIn("SELECT id"+ids.SQL+orderAndLimit("sort_key", "hits", descending, r.size+1), ids.Vars...))
	} else {
		rows = fromWhere(r.Table, r.Joins, append(r.conditions(), r.afterCursor(r.orderBy, r.Table, descending)...)...)
	}
	return gorm.Expr(hits.SQL+"SELECT "+r.Columns+", "+r.orderBy+" AS cursor_key, "+r.Table+".id AS cursor_id"+rows.SQL+
		orderAndLimit(r.orderBy, r.Table, descending, r.size+1), slices.Concat(hits.Vars, rows.Vars)...)
}

// afterCursor is the condition of the rows after the cursor, if there is one.
func (r request) afterCursor(column, table string, descending bool) []clause.Expr {
	if r.cursor == nil {
		return nil
	}
	after := " > "
	if descending {
		after = " < "
	}
	return []clause.Expr{gorm.Expr("("+column+", "+table+".id)"+after+"(?, ?)", r.key, r.cursor.ID)}
}
