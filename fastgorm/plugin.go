// Package fastgorm is a GORM plugin that makes GORM's own chains as fast as statements written by hand. Code that uses
// GORM need not know of it: without the plugin it does the same, only slower.
//
// GORM spends most of its time on five things, and the plugin saves each of them by GORM's public extension points:
//
//   - It builds the text of a statement anew each time. The plugin keeps the text by the exact shape of the statement's
//     clauses (shape.go, clauses.go).
//   - It scans rows by way of values of its own. The plugin scans straight into the fields of the struct (scan.go).
//   - On PostgreSQL, database/sql takes as long as the driver. The plugin goes to pgx directly (pgx.go).
//   - It gives a statement that inserts many rows a parameter for each value. The plugin gives it one for all (bulk.go).
//   - A row that must be stored together with a change (an event in an audit trail) takes a transaction. The clause
//     Also makes it a part of the change's own statement (also.go, change.go, values.go).
//
// One more thing is for writes: Group commits the transactions that wait for SQLite's one writer together (group.go).
//
// What the plugin does not know it leaves to GORM, and so does it whatever it cannot scan. It knows no model: its tests
// compare it with stock GORM on every model there is. One difference is left: a Scanner is asked to read a NULL, of which
// GORM makes the zero value by itself. Begin with Plugin.
package fastgorm

import (
	"errors"
	"reflect"
	"strconv"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Plugin is registered by db.Use(&fastgorm.Plugin{}), once for each gorm.DB.
type Plugin struct {
	// Off leaves everything to GORM. Also works all the same, at GORM's speed.
	Off bool
	// KeepText leaves the text of each query in Statement.SQL, as GORM does, for callbacks that look at it.
	KeepText bool

	stockQuery, stockCreate, stockUpdate, stockDelete func(*gorm.DB)

	schemas sync.Map // *schema.Schema by reflect.Type

	mu    sync.RWMutex
	texts map[textKey]string // "" where the text must not be kept
}

const name = "fastgorm"

// Name is the plugin's name, which GORM asks for.
func (*Plugin) Name() string { return name }

// Initialize puts the plugin's callbacks in the place of GORM's.
func (p *Plugin) Initialize(db *gorm.DB) error {
	p.texts = map[textKey]string{}
	callback := db.Callback()
	p.stockQuery = callback.Query().Get("gorm:query")
	p.stockCreate = callback.Create().Get("gorm:create")
	p.stockUpdate = callback.Update().Get("gorm:update")
	p.stockDelete = callback.Delete().Get("gorm:delete")
	err := errors.Join(
		callback.Query().Replace("gorm:query", p.query),
		callback.Create().Replace("gorm:create", p.create),
		callback.Update().Replace("gorm:update", p.update),
		callback.Delete().Replace("gorm:delete", p.delete),
	)
	if p.Off || err != nil {
		return err
	}
	if db.Name() == "postgres" {
		db.ClauseBuilders["LIMIT"] = buildLimit
	}
	return errors.Join(
		callback.Create().Replace("gorm:save_before_associations", unlessAlone(callback.Create().Get("gorm:save_before_associations"))),
		callback.Create().Replace("gorm:save_after_associations", unlessAlone(callback.Create().Get("gorm:save_after_associations"))),
		callback.Update().Replace("gorm:save_before_associations", unlessAlone(callback.Update().Get("gorm:save_before_associations"))),
		callback.Update().Replace("gorm:save_after_associations", unlessAlone(callback.Update().Get("gorm:save_after_associations"))),
	)
}

// unlessAlone runs a callback that saves associations, unless the one struct to save has none set. GORM finds that out
// only after it has worked out which columns are selected.
func unlessAlone(saveAssociations func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		stmt := db.Statement
		if stmt.Schema == nil || stmt.ReflectValue.Kind() != reflect.Struct || stmt.ReflectValue.Type() != stmt.Schema.ModelType || !isDest(stmt) {
			saveAssociations(db)
			return
		}
		for _, r := range stmt.Schema.Relationships.Relations {
			if _, zero := r.Field.ValueOf(stmt.Context, stmt.ReflectValue); !zero {
				saveAssociations(db)
				return
			}
		}
	}
}

// isDest tells whether the model of a statement is the very struct that it is about. (Not all structs can be compared.)
func isDest(stmt *gorm.Statement) bool {
	return reflect.TypeOf(stmt.Dest).Kind() == reflect.Pointer && stmt.Model == stmt.Dest
}

// schemaOf is what GORM knows of a model.
func (p *Plugin) schemaOf(db *gorm.DB, model any) (*schema.Schema, error) {
	t := reflect.TypeOf(model)
	if s, ok := p.schemas.Load(t); ok {
		return s.(*schema.Schema), nil
	}
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return nil, err
	}
	p.schemas.Store(t, stmt.Schema)
	return stmt.Schema, nil
}

// buildLimit writes LIMIT as a number. GORM makes it a parameter, and PostgreSQL's plan for any limit sorts what an index
// has in order already. (GORM's SQLite driver writes a number by itself.)
func buildLimit(c clause.Clause, b clause.Builder) {
	limit, ok := c.Expression.(clause.Limit)
	if !ok {
		return
	}
	if limit.Limit != nil && *limit.Limit >= 0 {
		_, _ = b.WriteString("LIMIT " + strconv.Itoa(*limit.Limit))
		if limit.Offset > 0 {
			_ = b.WriteByte(' ')
		}
	}
	if limit.Offset > 0 {
		_, _ = b.WriteString("OFFSET " + strconv.Itoa(limit.Offset))
	}
}
