package models

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/tabular"
)

// importKind is what is particular to patients, doctors and assignments.
type importKind struct {
	// plan decides what becomes of some rows, by what the database holds.
	plan func(ctx context.Context, p *importPlan, rows []*plannedRow) error
	// write creates a record, or changes the target, and returns its id.
	write func(ctx context.Context, db *DB, by Actor, r *tabular.Record, target *int64) (id int64, err error)
	// createAll makes many new records ready to be stored, as often as a transaction is tried: quicker than write, but it
	// does not tell which of them is refused. It may be nil.
	createAll func(by Actor, records []tabular.Record) (store func(tx *Tx) (ids []int64, err error), err error)
	// undo deletes a record that nobody has touched since. It is false if somebody has.
	undo func(ctx context.Context, db *DB, by Actor, id int64) (bool, error)
}

var importKinds = map[string]importKind{
	"patients": {planPatients, writePatient, createPatients, undoPatient},
	"doctors":  {planDoctors, writeDoctor, nil, undoDoctor},
	"mappings": {planMappings, writeMapping, nil, undoMapping},
}

// importPlan is what is known while a file is read.
type importPlan struct {
	Import
	db      *DB
	by      Actor
	options ImportOptions
	kind    importKind
	table   *tabular.Table
	columns *tabular.Columns // nil of files that are no tables, see PlanRecords
	heads   []string
	dates   tabular.DateFormat
	seen    map[[16]byte]int // the row in which each record was found, by what tells it from others
}

// plannedRow is a row, and what becomes of it.
type plannedRow struct {
	tabular.Record
	RowResult
}

// Rows are looked at together, because a question to the database is of all of them: so many, or as many as have so many bytes.
const (
	rowsAtOnce  = 1000
	bytesAtOnce = 4 << 20
)

// size is how many bytes its values have.
func (r *plannedRow) size() (n int) {
	for _, value := range r.Values {
		n += len(value)
	}
	return n
}

// run reads the file to its end, and decides.
func (p *importPlan) run(ctx context.Context) error {
	for {
		rows, err := p.read()
		if len(rows) > 0 {
			if err := p.look(ctx, rows); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if p.State = p.verdict(); p.State == ImportWriting {
		return p.decide(ctx)
	}
	return p.drop(ctx)
}

// verdict is the state that the rows so far and the options lead to.
func (p *importPlan) verdict() string {
	refused := p.Refused
	if !p.options.Duplicates {
		refused += p.Duplicates
	}
	switch {
	case p.options.DryRun:
		return ImportChecked
	case refused > 0 && !p.options.SkipRefused:
		return ImportRefused
	}
	return ImportWriting
}

// read takes the next rows, and the error that ends the file.
func (p *importPlan) read() (rows []*plannedRow, err error) {
	for size := 0; len(rows) < rowsAtOnce && size < bytesAtOnce; size += rows[len(rows)-1].size() {
		row, err := p.table.Next()
		if err != nil {
			return rows, err
		}
		r := &plannedRow{Record: p.columns.Read(row, p.dates)}
		r.RowResult = RowResult{Row: r.Record.Row, Errors: apierror.Fields{}, Cells: r.Record.Cells}
		for column, messages := range r.Wrong {
			r.Errors.Add(column, messages...)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// look decides what becomes of some rows, counts them, and lets wait what is to be written.
func (p *importPlan) look(ctx context.Context, rows []*plannedRow) error {
	var waiting []ImportRow
	shown, err := p.judge(ctx, rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		p.settle(r)
		if id := p.patient(r); id != 0 {
			shown = append(shown, id)
		}
		if r.Result == RowCreated || r.Result == RowUpdated || r.Result == RowDuplicate && p.options.Duplicates {
			waits := ImportRow{Row: r.Record.Row}
			if r.Result == RowUpdated {
				waits.Target = r.ID
			}
			text, err := json.Marshal(r.Record)
			if err != nil {
				return err
			}
			waits.Record = string(text)
			waiting = append(waiting, waits)
		}
		if err := p.options.Told(p.heads, r.RowResult); err != nil {
			return err
		}
	}
	if len(shown) > 0 { // the answer tells that these are in the clinic
		if err := p.db.auditList(p.by, objectPatient, shown); err != nil {
			return err
		}
	}
	if p.options.DryRun {
		return nil
	}
	return p.wait(ctx, waiting)
}

// judge decides what becomes of some rows. Records that are there already are refused unless they are rows of a table, which
// may change what is there: then it returns the patients that this tells of.
func (p *importPlan) judge(ctx context.Context, rows []*plannedRow) (shown IDs, err error) {
	if p.columns != nil {
		return nil, p.kind.plan(ctx, p, rows)
	}
	whole := slices.DeleteFunc(slices.Clone(rows), func(r *plannedRow) bool { return len(r.Errors) > 0 })
	if err := p.kind.plan(ctx, p, whole); err != nil {
		return nil, err
	}
	for _, r := range whole {
		if r.Result != RowUpdated && r.Result != RowUnchanged {
			continue
		}
		field := "identifiers"
		switch {
		case r.Values["license_number"] != "":
			field = "license_number"
		case len(r.Listed) == 0: // only the name and the like are equal
			r.Result = RowDuplicate
			continue
		}
		if id := p.patient(r); id != 0 {
			shown = append(shown, id)
		}
		r.Errors = apierror.Fields{p.header(field): {"This is a duplicate: it is there already."}}
	}
	return shown, nil
}

// patient is the one that a row's result tells of, or 0.
func (p *importPlan) patient(r *plannedRow) int64 {
	switch {
	case p.Of == "patients" && r.ID != nil:
		return *r.ID
	case p.Of == "mappings" && r.Result != RowRefused:
		return parseID(r.Values["patient_id"])
	default:
		return 0
	}
}

// settle counts a row, for which errors decide.
func (p *importPlan) settle(r *plannedRow) {
	if len(r.Errors) > 0 {
		r.Result, r.ID = RowRefused, nil
	}
	switch r.Result {
	case RowCreated:
		p.Created++
	case RowUpdated:
		p.Updated++
	case RowUnchanged:
		p.Unchanged++
	case RowDuplicate:
		p.Duplicates++
	default:
		p.Refused++
	}
}

// wait stores rows that are to be written.
func (p *importPlan) wait(ctx context.Context, rows []ImportRow) error {
	return p.db.Write(ctx, p.by, func(tx *Tx) error {
		if p.ID == 0 {
			started := p.Import
			if err := tx.Create(&started).Error; err != nil {
				return err
			}
			p.ID = started.ID
		}
		for i := range rows {
			rows[i].ID, rows[i].ImportID = 0, p.ID
		}
		if len(rows) == 0 {
			return nil
		}
		return tx.Create(&rows).Error
	})
}

// decide lets the waiting rows become records: from here on nothing ends that but its own end.
func (p *importPlan) decide(ctx context.Context) error {
	if p.ID == 0 { // the file has no rows
		if err := p.wait(ctx, nil); err != nil {
			return err
		}
	}
	p.State = ImportWriting
	return p.db.Write(ctx, p.by, func(tx *Tx) error {
		decided := tx.Model(&Import{ID: p.ID}).Select("*").Omit("written").Updates(&p.Import)
		if decided.Error == nil && decided.RowsAffected == 0 { // Cleanup has forgotten it
			return &apierror.Error{Code: apierror.Conflict, Detail: "Reading the file took too long. Nothing is imported."}
		}
		return decided.Error
	})
}

// drop forgets an import that was not decided.
func (p *importPlan) drop(ctx context.Context) error {
	if p.ID == 0 {
		return nil
	}
	id := p.ID
	p.ID = 0
	return p.db.forgetImports(context.WithoutCancel(ctx), func(q *gorm.DB) *gorm.DB { return q.Where("id = ?", id) })
}

// header is what a field is called in the file.
func (p *importPlan) header(field string) string {
	if p.columns == nil {
		return p.options.Element(p.Of, field)
	}
	return p.columns.Header(field)
}

// first refuses a row that is not the first of the file about this record.
func (p *importPlan) first(r *plannedRow, field string, parts ...string) {
	text, _ := json.Marshal(parts) // of texts: cannot fail
	sum := sha256.Sum256(text)
	key := [16]byte(sum[:]) // half of it is enough, and all keys are in memory
	if row, again := p.seen[key]; again {
		says := "Another one of this import is about the same."
		if p.columns != nil {
			says = fmt.Sprintf("Row %d is about the same.", row)
		}
		r.Errors.Add(p.header(field), says)
		return
	}
	p.seen[key] = r.Record.Row
}

// refuse tells of wrong fields under the headers of their columns.
func (p *importPlan) refuse(r *plannedRow, errs apierror.Fields) {
	for field, messages := range errs {
		header := p.header(field)
		if _, told := r.Errors[header]; !told {
			r.Errors.Add(header, messages...)
		}
	}
}

// bindRecord puts what a row says into the fields that a client writes.
func bindRecord[T any](r *tabular.Record) Bind[T] {
	return func(in *T) apierror.Fields {
		errs, fields := apierror.Fields{}, JSONFields[T]()
		for name, text := range r.Values {
			f, ok := fields[name]
			if !ok {
				continue
			}
			into := reflect.ValueOf(in).Elem().FieldByIndex(f.Index)
			switch {
			case f.Type.Kind() == reflect.String && !readable(text):
				errs.Add(name, unreadable)
			case f.Type.Kind() == reflect.String:
				into.SetString(Trim(text))
			case text == "":
				into.SetZero()
			default:
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					errs.Add(name, "A valid integer is required.")
					continue
				}
				if into.Kind() == reflect.Pointer {
					into.Set(reflect.New(f.Type.Elem()))
					into = into.Elem()
				}
				into.SetInt(n)
			}
		}
		return errs
	}
}

const unreadable = "There are characters that cannot be read, or too many. Save the file as UTF-8."

// readable tells whether a text can be stored, and was understood when the file was read.
func readable(text string) bool {
	return len(text) <= maxImported && utf8.ValidString(text) && !strings.ContainsAny(text, "\x00\uFFFD")
}

// maxImported is longer than any field may be, in bytes. It is refused before anything that takes time.
const maxImported = 64 << 10
