package fastgorm

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// insertRows inserts a slice of structs by a statement with one parameter, which holds all values as JSON. GORM's has a
// parameter for each value: to parse and to bind these takes longer than to store a row, and there is a limit of them. It is
// false if it did nothing, because something about the rows is not known here.
func (p *Plugin) insertRows(db *gorm.DB) bool {
	stmt := db.Statement
	if !isManyStructs(stmt) {
		return false
	}
	values, ok := rowsAsJSON(stmt)
	if !ok {
		return false
	}
	text := insertFromJSON(stmt)
	stmt.Vars = []any{values}
	if p.KeepText {
		_, _ = stmt.SQL.WriteString(text)
	}
	if isAutoKey(stmt.Schema) {
		returned(db, text)
		return true
	}
	count, err := exec(stmt, text)
	if db.AddError(err) == nil {
		db.RowsAffected = count
	}
	return true
}

// isManyStructs tells whether a statement, of which nothing is built yet, is about structs of its model, all columns of which
// go in. The database makes all of their keys, or none.
func isManyStructs(stmt *gorm.Statement) bool {
	if stmt.Schema == nil || stmt.SQL.Len() > 0 || stmt.TableExpr != nil || stmt.Result != nil || stmt.ReflectValue.Kind() != reflect.Slice ||
		stmt.ReflectValue.Type().Elem() != stmt.Schema.ModelType || stmt.ReflectValue.Len() < 2 ||
		len(stmt.Clauses)+len(stmt.Selects)+len(stmt.Omits)+len(stmt.Schema.CreateClauses) > 0 {
		return false
	}
	if !isAutoKey(stmt.Schema) {
		return len(stmt.Schema.FieldsWithDefaultDBValue) == 0
	}
	for i := range stmt.ReflectValue.Len() {
		if _, zero := stmt.Schema.PrioritizedPrimaryField.ValueOf(stmt.Context, stmt.ReflectValue.Index(i)); !zero {
			return false
		}
	}
	return true
}

// inserted are the columns to store: all but a key that the database makes.
func inserted(s *schema.Schema) (fields []*schema.Field) {
	auto := isAutoKey(s)
	for _, name := range s.DBNames {
		if f := s.FieldsByDBName[name]; !auto || f != s.PrioritizedPrimaryField {
			fields = append(fields, f)
		}
	}
	return fields
}

// insertFromJSON is the text of the statement. Both databases store and return rows in the order in which they are given, as
// GORM, too, takes for granted.
func insertFromJSON(stmt *gorm.Statement) string {
	var names, values []string
	for i, f := range inserted(stmt.Schema) {
		names, values = append(names, stmt.Quote(f.DBName)), append(values, "value->>"+strconv.Itoa(i))
	}
	table, columns := stmt.Quote(stmt.Table), strings.Join(names, ",")
	text := "WITH rows AS MATERIALIZED (SELECT value FROM jsonb_each(?)) INSERT INTO " + table + " (" + columns + ") SELECT " + strings.Join(values, ",") + " FROM rows"
	if stmt.Name() == "postgres" {
		text = "INSERT INTO " + table + " (" + columns + ") SELECT " + columns + " FROM json_populate_recordset(NULL::" + table + ", $1)"
	}
	if isAutoKey(stmt.Schema) {
		text += " RETURNING " + stmt.Quote(stmt.Schema.PrioritizedPrimaryField.DBName)
	}
	return text
}

// rowsAsJSON are the values of all rows: a list of lists for SQLite, of objects for PostgreSQL. It is false if a value has no
// such form.
func rowsAsJSON(stmt *gorm.Statement) (string, bool) {
	fields, now := inserted(stmt.Schema), sync.OnceValue(stmt.NowFunc)
	begins, ends, before := "[", "]", make([]string, len(fields))
	if stmt.Name() == "postgres" {
		begins, ends = "{", "}"
		for i, f := range fields {
			before[i] = strconv.Quote(f.DBName) + ":"
		}
	}
	text := []byte{'['}
	for i := range stmt.ReflectValue.Len() {
		row := stmt.ReflectValue.Index(i)
		text = append(text, begins...)
		for c, f := range fields {
			v, ok := valueOf(stmt, f, row, now)
			if !ok {
				return "", false
			}
			if text, ok = appendJSON(stmt, append(text, before[c]...), v); !ok {
				return "", false
			}
			text = append(text, ',')
		}
		text = append(append(text[:len(text)-1], ends...), ',')
		if i == 0 {
			text = slices.Grow(text, len(text)*stmt.ReflectValue.Len())
		}
	}
	return string(append(text[:len(text)-1], ']')), true
}

// appendJSON writes what the driver would store of a value.
func appendJSON(stmt *gorm.Statement, text []byte, v any) ([]byte, bool) {
	if s, ok := v.(string); ok {
		return appendText(text, s)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
		v = nil
	}
	if valuer, ok := v.(gorm.Valuer); ok {
		if v, ok = inExpression(valuer.GormValue(stmt.Context, stmt.DB)); !ok {
			return text, false
		}
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(v)
	if err != nil {
		return text, false
	}
	switch v := v.(type) {
	case nil:
		return append(text, "null"...), true
	case int64:
		return strconv.AppendInt(text, v, 10), true
	case bool:
		return strconv.AppendBool(text, v), true
	case time.Time:
		layout := "2006-01-02 15:04:05.999999999-07:00" // as SQLite's driver does
		if stmt.Name() == "postgres" {
			layout = "2006-01-02 15:04:05.999999Z07:00:00" // which has microseconds
		}
		return append(v.AppendFormat(append(text, '"'), layout), '"'), v.Year() > 0 && v.Year() < 10_000
	case string:
		return appendText(text, v)
	}
	return text, false
}

// inExpression is the one value of an expression that adds nothing to it but a type.
func inExpression(e clause.Expr) (any, bool) {
	switch {
	case e.SQL == "NULL":
		return nil, true
	case len(e.Vars) == 1 && (e.SQL == "?" || strings.HasPrefix(e.SQL, "?::")):
		return e.Vars[0], true
	}
	return nil, false
}

// appendText writes a text. It is false of one that PostgreSQL refuses, which says so better.
func appendText(text []byte, s string) ([]byte, bool) {
	text, from := append(text, '"'), 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		text = append(text, s[from:i]...)
		from = i + 1
		if c < ' ' {
			text = fmt.Appendf(text, `\u%04x`, c)
		} else {
			text = append(text, '\\', c)
		}
	}
	return append(append(text, s[from:]...), '"'), utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}
