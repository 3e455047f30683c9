package fastgorm

import (
	"database/sql/driver"
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// query adds a whole query. It is false for what is not known here.
func (s *shape) query(stmt *gorm.Statement) bool {
	if stmt.Schema == nil || stmt.TableExpr != nil || len(stmt.Joins) > 0 || !softDeleteOnly(stmt.Schema.QueryClauses) || hasKey(stmt) {
		return false
	}
	s.key = append(s.key, 'q')
	s.text(stmt.Table)
	s.flag(stmt.Distinct)
	s.flag(stmt.Unscoped)
	s.texts(stmt.Selects)
	s.texts(stmt.Omits)
	return s.clauses(stmt, "WHERE", "ORDER BY", "LIMIT", "FOR")
}

// softDeleteOnly tells whether what a schema adds to its statements is the condition of gorm.DeletedAt, which has no
// values of its own.
func softDeleteOnly(clauses []clause.Interface) bool {
	for _, c := range clauses {
		switch c := c.(type) {
		case gorm.SoftDeleteQueryClause:
			if c.ZeroValue.Valid {
				return false
			}
		case gorm.SoftDeleteUpdateClause:
			if c.ZeroValue.Valid {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// hasKey tells whether the struct to fill has a primary key already, which GORM makes a condition.
func hasKey(stmt *gorm.Statement) bool {
	if stmt.ReflectValue.Kind() != reflect.Struct || stmt.ReflectValue.Type() != stmt.Schema.ModelType {
		return false
	}
	for _, f := range stmt.Schema.PrimaryFields {
		if _, zero := f.ValueOf(stmt.Context, stmt.ReflectValue); !zero {
			return true
		}
	}
	return false
}

// clauses adds the named clauses. It is false if there are others.
func (s *shape) clauses(stmt *gorm.Statement, names ...string) bool {
	found := 0
	for _, name := range names {
		c, ok := stmt.Clauses[name]
		if !ok {
			continue
		}
		found++
		s.text(name)
		if c.BeforeExpression != nil || c.AfterNameExpression != nil || c.AfterExpression != nil || c.Builder != nil || !s.clause(c.Expression) {
			return false
		}
	}
	if _, ok := stmt.Clauses["soft_delete_enabled"]; ok {
		found++
	}
	return found == len(stmt.Clauses)
}

func (s *shape) clause(e clause.Expression) bool {
	switch e := e.(type) {
	case clause.Where:
		return !isSwapped(e.Exprs) && s.expressions(e.Exprs)
	case clause.OrderBy:
		s.number(len(e.Columns))
		for _, c := range e.Columns {
			s.column(c.Column)
			s.flag(c.Desc)
			s.flag(c.Reorder)
		}
		return e.Expression == nil
	case clause.Limit:
		s.flag(e.Limit != nil)
		if e.Limit != nil {
			s.number(*e.Limit)
		}
		s.number(e.Offset)
		return true
	case clause.Locking:
		s.texts([]string{e.Strength, e.Table.Name, e.Table.Alias, e.Options})
		s.flag(e.Table.Raw)
		return true
	}
	return false
}

// isSwapped tells whether GORM moves a condition before a lone Or that comes first, and with it their values.
func isSwapped(all []clause.Expression) bool {
	if len(all) == 1 {
		if and, ok := all[0].(clause.AndConditions); ok {
			all = and.Exprs
		}
	}
	if len(all) < 2 {
		return false
	}
	or, ok := all[0].(clause.OrConditions)
	return ok && len(or.Exprs) == 1
}

func (s *shape) column(c clause.Column) {
	s.text(c.Table)
	s.text(c.Name)
	s.text(c.Alias)
	s.flag(c.Raw)
}

func (s *shape) expressions(all []clause.Expression) bool {
	s.number(len(all))
	for _, e := range all {
		if !s.expression(e) {
			return false
		}
	}
	return true
}

func (s *shape) expression(e clause.Expression) bool {
	switch e := e.(type) {
	case clause.Expr:
		s.key = append(s.key, 'x')
		s.text(e.SQL)
		s.flag(e.WithoutParentheses)
		s.number(len(e.Vars))
		for _, v := range e.Vars {
			if !isPlain(v) {
				return false
			}
			s.values = append(s.values, v)
		}
		return true
	case clause.Eq:
		s.key = append(s.key, '=')
		return s.columnOf(e.Column) && s.comparand(e.Value)
	case clause.IN:
		s.key = append(s.key, 'i')
		return len(e.Values) == 1 && s.columnOf(e.Column) && s.comparand(e.Values[0])
	case clause.AndConditions:
		s.key = append(s.key, '&')
		return s.expressions(e.Exprs)
	case clause.OrConditions:
		s.key = append(s.key, '|')
		return s.expressions(e.Exprs)
	}
	return false
}

func (s *shape) columnOf(column any) bool {
	switch c := column.(type) {
	case string:
		s.key = append(s.key, 's')
		s.text(c)
		return true
	case clause.Column:
		s.key = append(s.key, 'c')
		s.column(c)
		return true
	}
	return false
}

// comparand adds what a column is compared with. A nil would change the text, so only types that have none are known.
func (s *shape) comparand(v any) bool {
	switch v.(type) {
	case int64, int, string, bool, time.Time:
		s.values = append(s.values, v)
		return true
	}
	return false
}

// isPlain tells whether GORM makes one placeholder of a value, whatever it is: slices, subqueries and expressions are
// more than that.
func isPlain(v any) bool {
	switch v.(type) {
	case int64, int, string, bool, time.Time, []byte:
		return true
	case gorm.Valuer, clause.Expression, *gorm.DB:
		return false
	case driver.Valuer:
		return true
	}
	switch reflect.ValueOf(v).Kind() { //nolint:exhaustive // all others are unknown
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64, reflect.Pointer:
		return true
	}
	return false
}
