package fastgorm

import (
	"database/sql/driver"
	"reflect"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Bulk is a clause for Create with a slice of many rows. It says that nobody needs the keys that the database makes, so
// that on PostgreSQL, outside of a transaction, the rows go by COPY: one statement, which stores all of them or none.
func Bulk() clause.Expression { return bulk{} }

type bulk struct{}

const bulkKey = name + ":bulk"

// Build writes nothing: this is no condition.
func (bulk) Build(clause.Builder) {}

// ModifyStatement lets the callback know.
func (bulk) ModifyStatement(stmt *gorm.Statement) { stmt.Settings.Store(bulkKey, true) }

// copyRows stores a slice by COPY. It is false if it did nothing.
func (p *Plugin) copyRows(db *gorm.DB) bool {
	stmt := db.Statement
	if _, wanted := stmt.Settings.Load(bulkKey); !wanted || !isPGX(stmt) || !isManyStructs(stmt) {
		return false
	}
	columns, ok := copied(stmt.Schema)
	if !ok {
		return false
	}
	rows := pgx.CopyFromSlice(stmt.ReflectValue.Len(), func(i int) ([]any, error) {
		values := make([]any, len(columns))
		for c, name := range columns {
			v, _ := stmt.Schema.FieldsByDBName[name].ValueOf(stmt.Context, stmt.ReflectValue.Index(i))
			if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
				continue
			}
			if valuer, ok := v.(driver.Valuer); ok {
				var err error
				if v, err = valuer.Value(); err != nil {
					return nil, err
				}
			}
			values[c] = v
		}
		return values, nil
	})
	_ = db.AddError(onPGX(stmt, func(conn *pgx.Conn) (err error) {
		db.RowsAffected, err = conn.CopyFrom(stmt.Context, pgx.Identifier{stmt.Table}, columns, rows)
		return err
	}))
	return true
}

// isManyStructs tells whether a statement is about structs of its model, all columns of which go in, and whose keys the
// database makes.
func isManyStructs(stmt *gorm.Statement) bool {
	if stmt.Schema == nil || stmt.ReflectValue.Kind() != reflect.Slice || stmt.ReflectValue.Type().Elem() != stmt.Schema.ModelType ||
		len(stmt.Clauses)+len(stmt.Selects)+len(stmt.Omits) > 0 || !isAutoKey(stmt.Schema) {
		return false
	}
	for i := range stmt.ReflectValue.Len() {
		if _, zero := stmt.Schema.PrioritizedPrimaryField.ValueOf(stmt.Context, stmt.ReflectValue.Index(i)); !zero {
			return false
		}
	}
	return stmt.ReflectValue.Len() > 0
}

// copied are the columns to store: all but the key. It is false if GORM would change a value first.
func copied(s *schema.Schema) (columns []string, ok bool) {
	for _, name := range s.DBNames {
		f := s.FieldsByDBName[name]
		if !f.Creatable || f.DefaultValueInterface != nil || f.Serializer != nil || f.AutoCreateTime > 0 || f.AutoUpdateTime > 0 {
			return nil, false
		}
		if f != s.PrioritizedPrimaryField {
			columns = append(columns, name)
		}
	}
	return columns, true
}
