// Package export writes rows into files that other programs read: CSV, Excel's .xlsx, and JSON Lines. An import
// understands them as they are. Begin with Write.
package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"time"

	"healthcare/tabular"
)

// Formats are how a file may be written, with what HTTP calls them.
var Formats = map[string]string{
	"csv":   "text/csv; charset=utf-8",
	"xlsx":  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"jsonl": "application/jsonl; charset=utf-8",
}

// FormatMessage is what a client reads whose format is none of them.
const FormatMessage = "Not a valid choice. Use one of: csv, xlsx, jsonl."

// Piece is how many bytes are written at once.
const Piece = 32 << 10

// Options are what may be chosen of a file.
type Options struct {
	Format string
	// Systems are those of the identifiers that a table has a column for. Their rows then are of a type with a method
	// Identifier(system string) string.
	Systems []string
	BOM     bool // begin a CSV file with a byte order mark, without which Excel takes it for another encoding than UTF-8
}

// Write writes a file. It gets the rows from each, which gives them to use, a batch at a time. Nothing is written before
// the first batch is there. Nothing of an .xlsx file is written before the last one is.
func Write[T any](w io.Writer, o Options, each func(use func([]T) error) error) error {
	out := bufio.NewWriterSize(w, Piece)
	var err error
	switch o.Format {
	case "csv":
		err = writeCells(out, o, each)
	case "xlsx":
		err = writeSheet(out, o, each)
	case "jsonl":
		err = lines(out, each)
	default:
		return fmt.Errorf("%q is no format", o.Format)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// lines writes JSON Lines: an object a line, as the API has it.
func lines[T any](w io.Writer, each func(use func([]T) error) error) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return each(func(rows []T) error {
		for i := range rows {
			if err := encoder.Encode(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// cellWriter takes a row of texts, numbers, and nil for an empty cell.
type cellWriter interface{ row(values []any) error }

// table writes a column for each field that is one value, headed by its name. Objects within a row are left out.
func table[T any](to cellWriter, o Options, each func(use func([]T) error) error) error {
	var columns []reflect.StructField
	var header []any
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if name := f.Tag.Get("json"); name != "" && name != "-" && isPlain(f.Type) {
			columns, header = append(columns, f), append(header, name)
		}
	}
	for _, system := range o.Systems {
		header = append(header, tabular.Identifier+system)
	}
	if err := to.row(header); err != nil {
		return err
	}
	values := make([]any, len(header))
	return each(func(rows []T) error {
		for i := range rows {
			row := reflect.ValueOf(&rows[i]).Elem()
			for j, column := range columns {
				values[j] = plain(row.FieldByIndex(column.Index))
			}
			for j, system := range o.Systems {
				values[len(columns)+j] = any(&rows[i]).(interface{ Identifier(string) string }).Identifier(system)
			}
			if err := to.row(values); err != nil {
				return err
			}
		}
		return nil
	})
}

func isPlain(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t == reflect.TypeFor[time.Time]() || t.Kind() == reflect.String || t.ConvertibleTo(reflect.TypeFor[int64]())
}

// plain is a field as a text or a number.
func plain(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return nil
	case v.Kind() == reflect.Pointer:
		return plain(v.Elem())
	case v.CanInt():
		return v.Int()
	case v.Kind() == reflect.String:
		return v.String()
	}
	return v.Interface().(time.Time).Format(time.RFC3339Nano)
}
