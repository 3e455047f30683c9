package fastgorm

import (
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// create is in the place of GORM's callback for Create.
func (p *Plugin) create(db *gorm.DB) {
	also := alsoOf(db.Statement)
	if p.Off || db.Error != nil || db.DryRun || !p.insertRow(db, also) {
		if also.mustBeIn(db) {
			if p.Off || db.Error != nil || db.DryRun || !p.insertRows(db) {
				p.stockCreate(db)
			}
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
			_, _ = stmt.WriteString(" RETURNING " + stmt.Quote(also.keys[0]))
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
	count, err := exec(stmt, text)
	if db.AddError(err) == nil {
		db.RowsAffected = count
	}
	if !together {
		p.storeAlso(db, also)
	}
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

// returned runs a statement that returns the primary key of each row that it changed.
func returned(db *gorm.DB, text string) {
	stmt := db.Statement
	_ = db.AddError(withRows(stmt, text, func(_ []string, found rows) error {
		db.RowsAffected = 0
		for found.Next() {
			var id int64
			if err := found.Scan(&id); err != nil {
				return err
			}
			row := stmt.ReflectValue
			if row.Kind() == reflect.Slice {
				row = row.Index(int(db.RowsAffected))
			}
			db.RowsAffected++
			if err := stmt.Schema.PrioritizedPrimaryField.Set(stmt.Context, row, id); err != nil {
				return err
			}
		}
		return nil
	}))
}
