package fastgorm

import (
	"errors"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// query is in the place of GORM's callback for Find, Take, First, Pluck and Count.
func (p *Plugin) query(db *gorm.DB) {
	stmt := db.Statement
	if p.Off || db.Error != nil || db.DryRun {
		p.stockQuery(db)
		return
	}
	text := p.build(db)
	if db.Error != nil {
		return
	}
	err := errNotScanned
	if isScannable(stmt) {
		err = withRows(stmt, text, func(names []string, found rows) error { return scan(stmt, names, found) })
	}
	switch {
	case errors.Is(err, errNotScanned): // GORM runs the same text again
		if stmt.SQL.Len() == 0 {
			_, _ = stmt.SQL.WriteString(text)
		}
		p.stockQuery(db)
	case err != nil:
		_ = db.AddError(err)
	case db.RowsAffected == 0 && stmt.RaiseErrorOnNotFound:
		_ = db.AddError(gorm.ErrRecordNotFound)
	}
}

// errNotScanned says that a row is for GORM to scan: a NULL that the field has no room for, for instance, or a type that
// database/sql would convert.
var errNotScanned = errors.New("fastgorm: GORM must scan this")

// isScannable tells whether the rows go into a model, or into a slice of it.
func isScannable(stmt *gorm.Statement) bool {
	if returning(stmt.SQL.String()) || stmt.Schema == nil || stmt.Result != nil || len(stmt.Joins) > 0 || len(stmt.ColumnMapping) > 0 || !stmt.ReflectValue.CanSet() {
		return false
	}
	t := stmt.ReflectValue.Type()
	if t.Kind() == reflect.Struct && !stmt.ReflectValue.IsZero() { // of which GORM keeps what a column that is NULL finds there
		return false
	}
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t == stmt.Schema.ModelType && !t.ConvertibleTo(schema.TimeReflectType)
}

// returning tells whether a text changes rows, so that it must not be run again.
func returning(text string) bool {
	const word = "RETURNING"
	for i := range len(text) - len(word) + 1 {
		if text[i]|0x20 == 'r' && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// scan reads rows as GORM's Scan does, but straight into the fields.
func scan(stmt *gorm.Statement, names []string, found rows) error {
	fields, err := fieldsOf(stmt.Schema, names)
	if err == nil {
		err = checkKinds(fields, found)
	}
	if err != nil {
		return err
	}
	stmt.RowsAffected = 0
	pointers := make([]any, len(fields))
	one := func(row reflect.Value) error {
		for i, f := range fields {
			if f == nil {
				pointers[i] = new(any) // a column that the model lacks
				continue
			}
			pointers[i] = f.ReflectValueOf(stmt.Context, row).Addr().Interface()
		}
		if found.Scan(pointers...) != nil {
			return errNotScanned
		}
		stmt.RowsAffected++
		return nil
	}
	dest := stmt.ReflectValue
	if dest.Kind() == reflect.Struct {
		if !found.Next() {
			return nil
		}
		return one(dest)
	}
	more := found.Next()
	if _, direct := found.(pgx.Rows); direct && found.Err() != nil {
		return found.Err() // and leave the slice as it is: here database/sql would not even return rows
	}
	if dest.IsNil() {
		dest.Set(reflect.MakeSlice(dest.Type(), 0, 0)) // GORM returns an empty slice, not nil
	}
	dest.SetLen(0)
	for n := 0; more; n++ {
		dest.Grow(1)
		dest.SetLen(n + 1)
		row := dest.Index(n)
		row.SetZero()
		if err := one(row); err != nil {
			return err
		}
		more = found.Next()
	}
	return nil
}

// checkKinds leaves to GORM the types of PostgreSQL that pgx turns into other values than database/sql does.
func checkKinds(fields []*schema.Field, found rows) error {
	columns, ok := found.(interface {
		FieldDescriptions() []pgconn.FieldDescription
	})
	if !ok {
		return nil
	}
	for i, c := range columns.FieldDescriptions() {
		if fields[i] == nil {
			continue
		}
		switch c.DataTypeOID {
		case pgtype.BoolOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.TextOID, pgtype.VarcharOID, pgtype.DateOID,
			pgtype.TimestampOID, pgtype.TimestamptzOID:
			continue
		case pgtype.Float4OID, pgtype.Float8OID:
			if fields[i].DataType == schema.Float {
				continue
			}
		}
		if _, array := reflect.New(fields[i].FieldType).Interface().(pgtype.ArraySetter); !array {
			return errNotScanned
		}
	}
	return nil
}

// fieldsOf finds the field of each column, nil where there is none.
func fieldsOf(s *schema.Schema, names []string) ([]*schema.Field, error) {
	fields := make([]*schema.Field, len(names))
	for i, name := range names {
		f := s.LookUpField(name)
		if f == nil && (len(names) == 1 || strings.Contains(name, "__")) { // "Relation__column"
			return nil, errNotScanned
		}
		if f == nil || !f.Readable {
			continue
		}
		if f.Serializer != nil {
			return nil, errNotScanned
		}
		for _, other := range fields[:i] {
			if other == f { // a column that is there twice
				return nil, errNotScanned
			}
		}
		fields[i] = f
	}
	return fields, nil
}
