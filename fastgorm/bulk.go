package fastgorm

import (
	"database/sql/driver"
	"reflect"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
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
	_, wanted := stmt.Settings.Load(bulkKey)
	if !wanted || !isPGX(stmt) || stmt.Schema == nil || stmt.ReflectValue.Kind() != reflect.Slice || !isAutoKey(stmt.Schema) ||
		stmt.ReflectValue.Type().Elem() != stmt.Schema.ModelType {
		return false
	}
	var columns []string
	for _, name := range stmt.Schema.DBNames {
		f := stmt.Schema.FieldsByDBName[name]
		if f.Serializer != nil || f.AutoCreateTime > 0 || f.AutoUpdateTime > 0 {
			return false
		}
		if f != stmt.Schema.PrioritizedPrimaryField {
			columns = append(columns, name)
		}
	}
	rows := pgx.CopyFromSlice(stmt.ReflectValue.Len(), func(i int) ([]any, error) {
		values := make([]any, len(columns))
		for c, name := range columns {
			values[c], _ = stmt.Schema.FieldsByDBName[name].ValueOf(stmt.Context, stmt.ReflectValue.Index(i))
			if valuer, ok := values[c].(driver.Valuer); ok {
				var err error
				if values[c], err = valuer.Value(); err != nil {
					return nil, err
				}
			}
		}
		return values, nil
	})
	_ = db.AddError(onPGX(stmt, func(conn *pgx.Conn) (err error) {
		db.RowsAffected, err = conn.CopyFrom(stmt.Context, pgx.Identifier{stmt.Table}, columns, rows)
		return err
	}))
	return true
}
