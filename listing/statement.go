package listing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
)

// conditionsOf returns the conditions that the scopes add to a query of the table. They are needed one by one, because
// the statement of a list uses them in several places.
func conditionsOf(db *gorm.DB, table string, scopes []func(*gorm.DB) *gorm.DB) ([]clause.Expr, error) {
	query := db.Table(table)
	for _, scope := range scopes {
		query = scope(query)
	}
	if query.Error != nil {
		return nil, apierror.FromDatabase(query.Error)
	}
	if len(query.Statement.Joins) > 0 {
		return nil, errScope("a join")
	}
	for name := range query.Statement.Clauses {
		if name != "WHERE" {
			return nil, errScope(name)
		}
	}
	where, _ := query.Statement.Clauses["WHERE"].Expression.(clause.Where)
	conditions := make([]clause.Expr, len(where.Exprs))
	for i, expression := range where.Exprs {
		condition, ok := expression.(clause.Expr)
		if !ok {
			return nil, errScope(fmt.Sprintf("%T", expression))
		}
		if strings.Count(condition.SQL, "?") != len(condition.Vars) {
			return nil, errScope(`a condition with more or fewer "?" than values: ` + condition.SQL)
		}
		if slices.ContainsFunc(condition.Vars, isSQL) {
			return nil, errScope("a value that is SQL itself: " + condition.SQL)
		}
		conditions[i] = condition
	}
	return conditions, nil
}

func isSQL(value any) bool {
	switch value.(type) {
	case *gorm.DB, clause.Expression:
		return true
	}
	return false
}

func errScope(found string) error {
	return fmt.Errorf(`a scope of a list may only add conditions like Where("owner = ?", id), not %s`, found)
}

// run returns the rows of a statement, with room for so many. It uses Find and not Scan, because only Find passes
// GORM's Query callback, which a plugin makes fast.
func run[T any](db *gorm.DB, statement clause.Expr, room int) ([]T, error) {
	rows := make([]T, 0, room)
	query := db.Raw("") // GORM's own parser of SQL looks at each letter
	query.Statement.Vars = statement.Vars
	number(&query.Statement.SQL, statement.SQL, db.Name() == "postgres")
	err := query.Find(&rows).Error
	return rows, apierror.FromDatabase(err)
}

// number writes a text with its placeholders as the database has them: PostgreSQL numbers them.
func number(into *strings.Builder, sql string, numbered bool) {
	if !numbered {
		into.WriteString(sql)
		return
	}
	into.Grow(len(sql) + 2*strings.Count(sql, "?"))
	for n := 1; ; n++ {
		before, after, more := strings.Cut(sql, "?")
		into.WriteString(before)
		if !more {
			return
		}
		into.WriteString("$" + strconv.Itoa(n))
		sql = after
	}
}

// fromWhere is the part of a statement that says which rows: FROM, JOIN and WHERE. It is put together here and not by
// GORM, because GORM took longer to build the statement than the database took to run it.
func fromWhere(tables, joins string, conditions ...clause.Expr) clause.Expr {
	var sql strings.Builder
	var args []any
	sql.WriteString(" FROM " + tables + " " + joins)
	for i, condition := range conditions {
		if i == 0 {
			sql.WriteString(" WHERE (")
		} else {
			sql.WriteString(" AND (")
		}
		sql.WriteString(condition.SQL + ")")
		args = append(args, condition.Vars...)
	}
	return gorm.Expr(sql.String(), args...)
}

// orderAndLimit orders by a column, and by the id among equals. The limit is a number in the text and not a parameter:
// without knowing it, the database would make one plan for any limit, and sort rows that an index has in order already.
func orderAndLimit(column, table string, descending bool, limit int) string {
	direction := ""
	if descending {
		direction = " DESC"
	}
	return " ORDER BY " + column + direction + ", " + table + ".id" + direction + " LIMIT " + strconv.Itoa(limit)
}

// order is orderAndLimit of the request itself.
func (r request) order() string { return orderAndLimit(r.orderBy, r.Table, r.descending, r.size) }

// conditions are those of the rows that the client may see and asked for, the search left out.
func (r request) conditions() []clause.Expr { return slices.Concat(r.visible, r.filters) }

// idIn lets through the few rows whose ids a statement selects. PostgreSQL gets the ids as an array: else it would read
// a whole small table to join it with them.
func (r request) idIn(ids string, args ...any) clause.Expr {
	if r.dialect == "postgres" {
		return gorm.Expr(r.Table+".id = ANY (ARRAY("+ids+"))", args...)
	}
	return gorm.Expr(r.Table+".id IN ("+ids+")", args...)
}
