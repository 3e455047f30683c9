package backup

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"healthcare/models"
)

// movedRows are the rows of one table in the order of their primary key. Values have one form for both databases: nil, a
// bool, an int64, a text, a time in UTC, a models.Date or models.IDs. A write makes of them what a driver takes. It is a
// pgx.CopyFromSource, too.
type movedRows struct {
	rows     *sql.Rows
	columns  []string
	fields   []*schema.Field
	values   []any
	pointers []any
	write    func(value any) (any, error)
	step     func()

	hash  hash.Hash
	count int64
	err   error
}

func readTable(ctx context.Context, q querier, s *schema.Schema, collation string, step func()) (*movedRows, error) {
	columns := slices.Sorted(slices.Values(s.DBNames))
	r := &movedRows{columns: columns, hash: sha256.New(), step: step, values: make([]any, len(columns)), pointers: make([]any, len(columns))}
	for i, name := range columns {
		r.fields = append(r.fields, s.FieldsByDBName[name])
		r.pointers[i] = &r.values[i]
	}
	rows, err := q.QueryContext(ctx, selectAll(s, collation)) //nolint:rowserrcheck // Err does
	r.rows = rows
	return r, err
}

// Next reads a row, and adds it to the sum.
func (r *movedRows) Next() bool {
	if r.err != nil || !r.rows.Next() {
		return false
	}
	if r.err = r.rows.Scan(r.pointers...); r.err != nil {
		return false
	}
	for i, f := range r.fields {
		if r.values[i], r.err = canonical(f, r.values[i]); r.err != nil {
			r.err = fmt.Errorf("column %s: %w", f.DBName, r.err)
			return false
		}
	}
	r.err = json.NewEncoder(r.hash).Encode(r.values)
	r.count++
	r.step()
	return r.err == nil
}

// Values are those of the row, as they are written.
func (r *movedRows) Values() ([]any, error) {
	written := make([]any, len(r.values))
	for i, value := range r.values {
		var err error
		if written[i], err = r.write(value); err != nil {
			return nil, err
		}
	}
	return written, nil
}

// Err is why Next has ended early.
func (r *movedRows) Err() error { return errors.Join(r.err, r.rows.Err()) }

func (r *movedRows) close() error { return errors.Join(r.Err(), r.rows.Close()) }

func (r *movedRows) sum() TableSum {
	return TableSum{Rows: r.count, SHA256: hex.EncodeToString(r.hash.Sum(nil))}
}

// canonical gives a value that was read the form that it has whatever database it comes from.
func canonical(f *schema.Field, value any) (any, error) {
	if raw, ok := value.([]byte); ok {
		value = string(raw)
	}
	switch t := f.IndirectFieldType; {
	case value == nil:
		return nil, nil
	case t == typeTime, t == typeDeleted:
		if at, ok := value.(time.Time); ok {
			return at.UTC(), nil
		}
	case t == typeDate:
		var day models.Date
		err := day.Scan(value)
		return day, err
	case t == typeIDs:
		ids := models.IDs{}
		err := ids.Scan(value)
		return ids, err
	case f.DataType == schema.Bool:
		if n, ok := value.(int64); ok {
			return n != 0, nil
		}
		if is, ok := value.(bool); ok {
			return is, nil
		}
	case f.DataType == schema.Int:
		if n, ok := value.(int64); ok {
			return n, nil
		}
	default:
		if text, ok := value.(string); ok {
			return text, nil
		}
	}
	return nil, fmt.Errorf("cannot move a %T", value)
}

// forPostgres is what pgx takes for COPY.
func forPostgres(value any) (any, error) {
	switch v := value.(type) {
	case models.Date:
		return v.DateValue()
	case models.IDs:
		return []int64(v), nil
	case time.Time:
		return pgtype.Timestamptz{Time: v, Valid: true}, nil
	}
	return value, nil
}

// forSQLite is what its driver stores as GORM does.
func forSQLite(value any) (any, error) {
	switch v := value.(type) {
	case models.Date:
		return string(v), nil
	case models.IDs:
		text, err := json.Marshal([]int64(v))
		return string(text), err
	}
	return value, nil
}

// selectAll reads all rows of a table, its columns by name.
func selectAll(s *schema.Schema, collation string) string {
	var order []string
	for _, f := range s.PrimaryFields {
		if by := `"` + f.DBName + `"`; f.DataType == schema.String {
			order = append(order, by+` COLLATE "`+collation+`"`)
		} else {
			order = append(order, by)
		}
	}
	columns := slices.Sorted(slices.Values(s.DBNames))
	return `SELECT "` + strings.Join(columns, `", "`) + `" FROM ` + s.Table + " ORDER BY " + strings.Join(order, ", ")
}

var (
	typeTime    = reflect.TypeFor[time.Time]()
	typeDeleted = reflect.TypeFor[gorm.DeletedAt]()
	typeDate    = reflect.TypeFor[models.Date]()
	typeIDs     = reflect.TypeFor[models.IDs]()
)
