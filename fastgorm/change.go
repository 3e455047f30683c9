package fastgorm

import (
	"reflect"
	"slices"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// create is in the place of GORM's callback for Create.
func (p *Plugin) create(db *gorm.DB) {
	also := alsoOf(db.Statement)
	if p.Off || db.Error != nil || db.DryRun || !p.insertRow(db, also) && !p.copyRows(db) {
		if also.mustBeIn(db) {
			p.stockCreate(db)
			p.storeAlso(db, also)
		}
	}
}

// update is in the place of GORM's callback for Updates.
func (p *Plugin) update(db *gorm.DB) {
	also := alsoOf(db.Statement)
	if p.Off || db.Error != nil || db.DryRun || !p.updateRow(db, also) {
		if also.mustBeIn(db) {
			p.stockUpdate(db)
			p.storeAlso(db, also)
		}
	}
}

// delete is in the place of GORM's callback for Delete. It adds nothing but Also.
func (p *Plugin) delete(db *gorm.DB) {
	also := alsoOf(db.Statement)
	if also.mustBeIn(db) {
		p.stockDelete(db)
		p.storeAlso(db, also)
	}
}

// insertRow inserts one struct. It is false if it did nothing, because something about it is not known here.
func (p *Plugin) insertRow(db *gorm.DB, also *AlsoClause) bool {
	stmt := db.Statement
	s := shape{key: make([]byte, 0, 256), values: make([]any, 0, 40)}
	other, together := p.together(db, also)
	if !s.insert(stmt) || together && (!s.only(also.only) || !s.also(stmt, also, other)) {
		return false
	}
	text := p.keep(stmt, s, func() {
		stmt.Vars = nil
		stmt.AddClause(clause.Returning{Columns: []clause.Column{{Name: stmt.Schema.PrioritizedPrimaryField.DBName}}})
		stmt.AddClause(clause.Insert{})
		stmt.AddClause(callbacks.ConvertToCreateValues(stmt))
		if together && also.only != nil {
			values := stmt.Clauses["VALUES"]
			values.Builder = func(c clause.Clause, b clause.Builder) { buildSelect(c.Expression.(clause.Values), also.only, b) }
			stmt.Clauses["VALUES"] = values
		}
		stmt.Build(stmt.BuildClauses...)
		if together {
			buildAlso(stmt, also, other)
		}
	})
	if db.Error != nil || !together && !also.mustBeIn(db) {
		return true
	}
	returned(db, text)
	if db.Error == nil && db.RowsAffected == 0 {
		_ = db.AddError(ErrNotStored)
	}
	if !together {
		p.storeAlso(db, also)
	}
	return true
}

// updateRow updates all columns of one struct but those to omit: Select("*").Omit(…).Updates(&row).
func (p *Plugin) updateRow(db *gorm.DB, also *AlsoClause) bool {
	stmt := db.Statement
	s := shape{key: make([]byte, 0, 256), values: make([]any, 0, 40)}
	other, together := p.together(db, also)
	if together && also.only != nil {
		stmt.AddClause(clause.Where{Exprs: []clause.Expression{*also.only}})
	}
	if !s.update(stmt) || together && !s.also(stmt, also, other) {
		return false
	}
	text := p.keep(stmt, s, func() {
		stmt.Vars = nil
		for _, c := range stmt.Schema.UpdateClauses {
			stmt.AddClause(c)
		}
		stmt.AddClause(clause.Update{})
		stmt.AddClause(callbacks.ConvertToAssignments(stmt))
		stmt.Build(stmt.BuildClauses...)
		if together {
			buildAlso(stmt, also, other)
		}
	})
	if db.Error != nil || !together && !also.mustBeIn(db) {
		return true
	}
	if together {
		returned(db, text)
		return true
	}
	result, err := stmt.ConnPool.ExecContext(stmt.Context, text, stmt.Vars...)
	if db.AddError(err) == nil {
		db.RowsAffected, _ = result.RowsAffected()
	}
	p.storeAlso(db, also)
	return true
}

// together is the schema of the row to store with a change, if both can be one statement.
func (p *Plugin) together(db *gorm.DB, a *AlsoClause) (*schema.Schema, bool) {
	if a == nil || db.Name() != "postgres" {
		return nil, false
	}
	other, err := p.schemaOf(db, a.row)
	return other, err == nil
}

// isOneStruct tells whether a statement, of which nothing is built yet, is about one struct of its model.
func isOneStruct(stmt *gorm.Statement) bool {
	return stmt.Schema != nil && stmt.SQL.Len() == 0 && stmt.TableExpr == nil && stmt.Result == nil && stmt.ReflectValue.Kind() == reflect.Struct &&
		stmt.ReflectValue.Type() == stmt.Schema.ModelType && stmt.ReflectValue.CanSet()
}

// returned runs a statement that returns the primary key of the row that it changed, if there was one.
func returned(db *gorm.DB, text string) {
	stmt := db.Statement
	_ = db.AddError(withRows(stmt, text, func(_ []string, found rows) error {
		db.RowsAffected = 0
		for found.Next() {
			var id int64
			if err := found.Scan(&id); err != nil {
				return err
			}
			db.RowsAffected++
			if err := stmt.Schema.PrioritizedPrimaryField.Set(stmt.Context, stmt.ReflectValue, id); err != nil {
				return err
			}
		}
		return nil
	}))
}

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
		if !f.Creatable || f.Serializer != nil {
			return false
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
				return false
			}
			v, _ = f.ValueOf(stmt.Context, row)
		}
		if !s.value(stmt, v) {
			return false
		}
	}
	return true
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
