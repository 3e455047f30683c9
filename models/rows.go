package models

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// find runs a query, with ? for its arguments, and returns its rows, each column in the field that GORM's schema has for
// it. GORM's own Scan does the same, but a third of a list's time went there. A NULL needs a field that can hold it.
func find[T any](db *gorm.DB, query string, args ...any) (found []T, err error) {
	ctx, query := db.Statement.Context, placeholders(db, query)
	if pool, ok := db.Statement.ConnPool.(*sql.DB); ok && db.Name() == "postgres" {
		err = onPGX(ctx, pool, func(conn *pgx.Conn) error {
			rows, err := conn.Query(ctx, query, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			var names []string
			for _, f := range rows.FieldDescriptions() {
				names = append(names, f.Name)
			}
			if found, err = scan[T](ctx, rows, names); err == nil {
				err = rows.Err()
			}
			return err
		})
		return found, err
	}
	rows, err := db.Statement.ConnPool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if found, err = scan[T](ctx, rows, names); err == nil {
		err = rows.Err()
	}
	return found, err
}

// onPGX runs fn on a connection of the pool, past database/sql, whose own part of a query is as long as the server's.
func onPGX(ctx context.Context, pool *sql.DB, fn func(*pgx.Conn) error) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(driver any) error { return fn(driver.(*stdlib.Conn).Conn()) })
}

// scan reads all rows of either kind.
func scan[T any](ctx context.Context, rows interface {
	Next() bool
	Scan(dest ...any) error
}, names []string,
) ([]T, error) {
	known := schemaOf[T]().FieldsByDBName
	fields := make([]*schema.Field, len(names))
	for i, name := range names {
		if fields[i] = known[name]; fields[i] == nil {
			return nil, fmt.Errorf("%s has no field for the column %s", reflect.TypeFor[T](), name)
		}
	}
	var found []T
	pointers := make([]any, len(fields))
	for rows.Next() {
		found = append(found, *new(T))
		row := reflect.ValueOf(&found[len(found)-1]).Elem()
		for i, f := range fields {
			pointers[i] = f.ReflectValueOf(ctx, row).Addr().Interface()
		}
		if err := rows.Scan(pointers...); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// take loads these columns of the one row of a table that meets the conditions; tail is what ends the statement.
func take[T any](db *gorm.DB, dest *T, columns, tail string, conditions ...condition) error {
	rest, args := from(schemaOf[T]().Table, "", conditions...)
	found, err := find[T](db, "SELECT "+columns+rest+" LIMIT 1"+tail, args...)
	if err == nil && len(found) == 0 {
		err = gorm.ErrRecordNotFound
	}
	if err != nil {
		return err
	}
	*dest = found[0]
	return nil
}

// placeholders spells the arguments of a statement as its database has them: PostgreSQL numbers them.
func placeholders(db *gorm.DB, query string) string {
	if db.Name() != "postgres" {
		return query
	}
	var text strings.Builder
	text.Grow(len(query) + 2*strings.Count(query, "?"))
	for n := 1; ; n++ {
		before, after, more := strings.Cut(query, "?")
		text.WriteString(before)
		if !more {
			return text.String()
		}
		text.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// stored lists the table of a row, and the columns with their values but for those to leave out.
func stored(ctx context.Context, row any, but ...string) (table string, columns []string, values []any) {
	v := reflect.ValueOf(row).Elem()
	s := schemaOfType(v.Type())
	for _, f := range s.Fields {
		if f.DBName != "" && !slices.Contains(but, f.DBName) {
			value, _ := f.ValueOf(ctx, v)
			columns = append(columns, f.DBName)
			values = append(values, value)
		}
	}
	return s.Table, columns, values
}

// inserting puts together the statement that inserts a row, without the columns to leave out.
func inserting(ctx context.Context, row any, but ...string) (statement string, values []any) {
	table, columns, values := stored(ctx, row, but...)
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(values)-1) + ")", values
}

var schemas sync.Map // of schemaOf, by type

// schemaOf is what GORM knows of a struct: its table and columns.
func schemaOf[T any]() *schema.Schema { return schemaOfType(reflect.TypeFor[T]()) }

func schemaOfType(t reflect.Type) *schema.Schema {
	if s, ok := schemas.Load(t); ok {
		return s.(*schema.Schema)
	}
	s, err := schema.Parse(reflect.New(t).Interface(), &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		panic(err) // of a struct in this package that GORM cannot read
	}
	schemas.Store(t, s)
	return s
}

// columns lists the columns of T that clients see, for a SELECT.
func columns[T any]() string {
	var names []string
	s := schemaOf[T]()
	for _, f := range s.Fields {
		if f.DBName != "" && f.Tag.Get("json") != "-" {
			names = append(names, s.Table+"."+f.DBName)
		}
	}
	return strings.Join(names, ", ")
}

// JSONFields maps the JSON names of a struct's fields, those of embedded structs included.
func JSONFields[T any]() map[string]reflect.StructField {
	t := reflect.TypeFor[T]()
	if fields, ok := jsonFields.Load(t); ok {
		return fields.(map[string]reflect.StructField)
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("json"); name != "" && name != "-" {
			fields[name] = f
		}
	}
	jsonFields.Store(t, fields)
	return fields
}

var jsonFields sync.Map // of JSONFields, by type
