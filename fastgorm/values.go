package fastgorm

import (
	"reflect"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// insert adds an insert of one struct.
func (s *shape) insert(stmt *gorm.Statement) bool {
	if !isOneStruct(stmt) || !isAutoKey(stmt.Schema) || hasKey(stmt) || len(stmt.Clauses)+len(stmt.Selects)+len(stmt.Omits)+len(stmt.Schema.CreateClauses) > 0 {
		return false
	}
	s.key = append(s.key, 'c')
	s.text(stmt.Table)
	return s.row(stmt, stmt.Schema, stmt.ReflectValue, nil)
}

// only adds the condition of an insert.
func (s *shape) only(condition *clause.Expr) bool {
	if condition == nil {
		return true
	}
	s.key = append(s.key, '?')
	return s.expression(*condition)
}

// buildSelect writes (columns) SELECT values WHERE condition, in the place of (columns) VALUES (values).
func buildSelect(values clause.Values, condition *clause.Expr, b clause.Builder) {
	_ = b.WriteByte('(')
	for i, column := range values.Columns {
		if i > 0 {
			_ = b.WriteByte(',')
		}
		b.WriteQuoted(column)
	}
	_, _ = b.WriteString(") SELECT ")
	b.AddVar(b, values.Values[0]...)
	_, _ = b.WriteString(" WHERE ")
	condition.Build(b)
}

// row adds the values of a row to insert, but for its key and for those that something else sets, and gives its fields
// their defaults as GORM does.
func (s *shape) row(stmt *gorm.Statement, table *schema.Schema, row reflect.Value, but []string) bool {
	now := sync.OnceValue(stmt.NowFunc) // all times of a row are one
	for _, name := range table.DBNames {
		f := table.FieldsByDBName[name]
		if f == table.PrioritizedPrimaryField || slices.Contains(but, name) {
			continue
		}
		v, ok := valueOf(stmt, f, row, now)
		if !ok || !s.value(stmt, v) {
			return false
		}
	}
	return true
}

// valueOf is the value of a field of a row to insert, which is given its default as GORM does.
func valueOf(stmt *gorm.Statement, f *schema.Field, row reflect.Value, now func() time.Time) (v any, ok bool) {
	if !f.Creatable || f.Serializer != nil {
		return nil, false
	}
	v, zero := f.ValueOf(stmt.Context, row)
	var set any
	switch {
	case !zero:
	case f.DefaultValueInterface != nil:
		set = f.DefaultValueInterface
	case f.AutoCreateTime > 0 || f.AutoUpdateTime > 0:
		set = now()
	}
	if set != nil {
		if f.Set(stmt.Context, row, set) != nil {
			return nil, false
		}
		v, _ = f.ValueOf(stmt.Context, row)
	}
	return v, true
}

// update adds an update of one struct.
func (s *shape) update(stmt *gorm.Statement) bool {
	if !isOneStruct(stmt) || !isDest(stmt) || !slices.Equal(stmt.Selects, []string{"*"}) || !softDeleteOnly(stmt.Schema.UpdateClauses) ||
		len(stmt.Schema.PrimaryFields) != 1 || !hasKey(stmt) {
		return false
	}
	s.key = append(s.key, 'u')
	s.text(stmt.Table)
	s.flag(stmt.Unscoped)
	s.texts(stmt.Omits)
	if !s.assignments(stmt) || !s.clauses(stmt, "WHERE") {
		return false
	}
	id, _ := stmt.Schema.PrioritizedPrimaryField.ValueOf(stmt.Context, stmt.ReflectValue)
	s.values = append(s.values, id)
	return true
}

// assignments adds the values of the columns to update.
func (s *shape) assignments(stmt *gorm.Statement) bool {
	for _, name := range stmt.Schema.DBNames {
		f := stmt.Schema.FieldsByDBName[name]
		if f.AutoUpdateTime > 0 || f.Serializer != nil || !f.Updatable {
			return false
		}
		if f.PrimaryKey || slices.Contains(stmt.Omits, f.DBName) || slices.Contains(stmt.Omits, f.Name) {
			continue
		}
		v, _ := f.ValueOf(stmt.Context, stmt.ReflectValue)
		if !s.value(stmt, v) {
			return false
		}
	}
	return true
}

// value adds one value to store. What a type says of itself in SQL is a part of the text.
func (s *shape) value(stmt *gorm.Statement, v any) bool {
	if valuer, ok := v.(gorm.Valuer); ok {
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return false
		}
		return s.expression(valuer.GormValue(stmt.Context, stmt.DB))
	}
	s.values = append(s.values, v)
	return isPlain(v)
}
