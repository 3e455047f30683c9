package fastgorm

import (
	"encoding/binary"
	"reflect"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// A shape is all that the text of a statement depends on, byte by byte, and beside it the values in the order in which
// the text asks for them. It is no hash: two shapes are equal only if GORM would build the same text for both. A hash
// could drop an owner's condition from a query by a collision.
type shape struct {
	key    []byte
	values []any
}

// textKey finds a text by its shape.
type textKey struct {
	schema *schema.Schema
	dest   reflect.Type
	shape  string
}

// textsLimit is how many texts are kept. A program has some dozens; more would mean that a value got into a shape.
const textsLimit = 2000

// build returns a query's text, and puts its values into the statement.
func (p *Plugin) build(db *gorm.DB) string {
	stmt := db.Statement
	if stmt.SQL.Len() > 0 { // of Raw
		return stmt.SQL.String()
	}
	s := shape{values: stmt.Vars[:0]}
	var room [256]byte
	s.key = room[:0]
	if !s.query(stmt) {
		callbacks.BuildQuerySQL(db)
		return stmt.SQL.String()
	}
	return p.keep(stmt, s, func() { stmt.Vars = nil; callbacks.BuildQuerySQL(db) })
}

// keep returns the text that is kept for a shape. GORM builds it when the shape is met for the first time, and it is
// kept only if GORM collected the same values. A text that is kept is not copied into the statement, unless a logger
// wants to see it.
func (p *Plugin) keep(stmt *gorm.Statement, s shape, build func()) string {
	destType := reflect.TypeOf(stmt.Dest)
	p.mu.RLock()
	text, known := p.texts[textKey{stmt.Schema, destType, string(s.key)}]
	p.mu.RUnlock()
	if text != "" {
		if p.KeepText || stmt.Logger != logger.Discard {
			_, _ = stmt.SQL.WriteString(text)
		}
		stmt.Vars = s.values
		return text
	}
	build()
	text = stmt.SQL.String()
	if known || stmt.Error != nil {
		return text
	}
	kept := ""
	if same(stmt.Vars, s.values) {
		kept = text
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.texts) < textsLimit {
		p.texts[textKey{stmt.Schema, destType, string(s.key)}] = kept
	}
	return text
}

func same(a, b []any) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

// text adds a text with its length, so that no two lists of texts look alike.
func (s *shape) text(t string) {
	s.key = binary.AppendUvarint(s.key, uint64(len(t)))
	s.key = append(s.key, t...)
}

func (s *shape) texts(all []string) {
	s.number(len(all))
	for _, t := range all {
		s.text(t)
	}
}

func (s *shape) number(n int) { s.key = binary.AppendVarint(s.key, int64(n)) }

func (s *shape) flag(b bool) {
	s.key = strconv.AppendBool(s.key, b)
}
