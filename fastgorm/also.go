package fastgorm

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Also is a clause for Create, Updates and Delete: it stores one more row together with the change, both or neither.
// Keys are the columns of that row which take the primary key of the changed row:
//
//	db.Clauses(fastgorm.Also(&event, "object_id")).Create(&patient)
//
// On PostgreSQL both are one statement for most structs, and need no transaction around it. Where they need one and there
// is none, nothing is stored and the error is ErrNeedsTransaction. Where a change meets no row, the other is not stored
// either. Row may be a slice: of any length without keys, with keys one for each struct of the slice that is created.
func Also(row any, keys ...string) *AlsoClause { return &AlsoClause{row: row, keys: keys} }

// AlsoClause is what Also returns.
type AlsoClause struct {
	row  any
	keys []string
	only *clause.Expr // see If
}

// If makes the change only if a condition holds, which the database finds out in the same statement. Where it does not
// hold, Create fails with ErrNotStored, and Updates affects no row. Without the plugin, and where a transaction is needed
// anyway, use the transaction to find out: the error is ErrNeedsTransaction.
func (a *AlsoClause) If(condition string, args ...any) *AlsoClause {
	a.only = &clause.Expr{SQL: condition, Vars: args}
	return a
}

// ErrNotStored says that the condition of If did not hold.
var ErrNotStored = errors.New("fastgorm: the condition of the change does not hold")

const alsoKey = name + ":also"

// Build writes nothing: this is no condition.
func (*AlsoClause) Build(clause.Builder) {}

// ModifyStatement lets the callbacks find the row.
func (a *AlsoClause) ModifyStatement(stmt *gorm.Statement) { stmt.Settings.Store(alsoKey, a) }

// HasAlso tells whether a statement stores one more row.
func HasAlso(stmt *gorm.Statement) bool { return alsoOf(stmt) != nil }

func alsoOf(stmt *gorm.Statement) *AlsoClause {
	a, ok := stmt.Settings.Load(alsoKey)
	if !ok {
		return nil
	}
	return a.(*AlsoClause)
}

// ErrNeedsTransaction says that a change and its Also must be made in a transaction.
var ErrNeedsTransaction = errors.New("fastgorm: a change and its Also need a transaction")

// isAutoKey tells whether the one value that the database makes is the primary key.
func isAutoKey(s *schema.Schema) bool {
	key := s.PrioritizedPrimaryField
	if key == nil || key.DataType != schema.Int && key.DataType != schema.Uint {
		return false
	}
	return len(s.FieldsWithDefaultDBValue) == 1 && s.FieldsWithDefaultDBValue[0] == s.PrioritizedPrimaryField && len(s.PrimaryFields) == 1
}

// mustBeIn refuses to store a row in a statement of its own that a crash could part from the change.
func (a *AlsoClause) mustBeIn(db *gorm.DB) bool {
	if _, ok := db.Statement.ConnPool.(gorm.TxCommitter); a != nil && (!ok || a.only != nil) && db.Error == nil {
		_ = db.AddError(ErrNeedsTransaction)
		return false
	}
	return true
}

// storeAlso stores the row after the change, in the same transaction.
func (p *Plugin) storeAlso(db *gorm.DB, a *AlsoClause) {
	if a == nil || db.Error != nil || db.DryRun || db.RowsAffected == 0 {
		return
	}
	if len(a.keys) > 0 && db.AddError(p.setKeys(db, a)) != nil {
		return
	}
	_ = db.AddError(db.Session(&gorm.Session{NewDB: true}).CreateInBatches(a.row, batchSize).Error)
}

// setKeys gives the row that is stored the key of the changed one. Of slices, the first gets that of the first.
func (p *Plugin) setKeys(db *gorm.DB, a *AlsoClause) error {
	stmt, rows := db.Statement, reflect.Indirect(reflect.ValueOf(a.row))
	other, err := p.schemaOf(db, a.row)
	if err != nil {
		return err
	}
	changed := []reflect.Value{stmt.ReflectValue}
	also := []reflect.Value{rows}
	if stmt.ReflectValue.Kind() == reflect.Slice && rows.Kind() == reflect.Slice {
		changed, also = changed[:0], also[:0]
		for i := range stmt.ReflectValue.Len() {
			changed = append(changed, stmt.ReflectValue.Index(i))
		}
		for i := range rows.Len() {
			also = append(also, rows.Index(i))
		}
	}
	if len(changed) != len(also) || changed[0].Kind() != also[0].Kind() {
		return errors.New("fastgorm: an Also with keys is one row of one struct, or a slice as long as that of the change")
	}
	for i := range changed {
		id, _ := stmt.Schema.PrioritizedPrimaryField.ValueOf(stmt.Context, changed[i])
		for _, key := range a.keys {
			if err := other.LookUpField(key).Set(stmt.Context, also[i], id); err != nil {
				return err
			}
		}
	}
	return nil
}

// batchSize is how many rows one INSERT holds: both databases limit the parameters of a statement.
const batchSize = 500

// also adds the insert of one more row. It is false if the row is a slice, or if the plugin does not know a type.
func (s *shape) also(stmt *gorm.Statement, a *AlsoClause, other *schema.Schema) bool {
	row := reflect.ValueOf(a.row)
	if len(a.keys) == 0 || row.Kind() != reflect.Pointer || row.Elem().Kind() != reflect.Struct || !isAutoKey(other) ||
		other.BeforeSave || other.BeforeCreate || other.AfterCreate || other.AfterSave {
		return false
	}
	s.key = append(s.key, '+')
	s.text(other.Table)
	s.texts(a.keys)
	return s.row(stmt, other, row.Elem(), a.keys)
}

// buildAlso makes one statement of the change that is built and the insert of one more row:
//
//	WITH changed AS (INSERT INTO patients … RETURNING id) INSERT INTO events (at, …, object_id) SELECT $9, …, changed.id FROM changed
func buildAlso(stmt *gorm.Statement, a *AlsoClause, other *schema.Schema) {
	key := stmt.Quote(stmt.Schema.PrioritizedPrimaryField.DBName)
	change := stmt.SQL.String()
	if !strings.Contains(change, " RETURNING ") {
		change += " RETURNING " + key
	}
	var columns []string
	for _, name := range other.DBNames {
		if name != other.PrioritizedPrimaryField.DBName {
			columns = append(columns, stmt.Quote(name))
		}
	}
	stmt.SQL.Reset()
	_, _ = stmt.WriteString("WITH changed AS (" + change + ") INSERT INTO " + stmt.Quote(other.Table) + " (" + strings.Join(columns, ", ") + ") SELECT ")
	row, separator := reflect.ValueOf(a.row).Elem(), ""
	for _, name := range other.DBNames {
		f := other.FieldsByDBName[name]
		if f == other.PrioritizedPrimaryField {
			continue
		}
		_, _ = stmt.WriteString(separator)
		separator = ", "
		if slices.Contains(a.keys, name) {
			_, _ = stmt.WriteString("changed." + key)
			continue
		}
		v, _ := f.ValueOf(stmt.Context, row)
		stmt.AddVar(stmt, v)
	}
	_, _ = stmt.WriteString(" FROM changed")
}
