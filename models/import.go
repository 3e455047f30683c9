package models

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
	"healthcare/tabular"
)

// Import is a file that is imported. Its rows are looked at first, and wait as ImportRows. In the state "writing" it is
// decided that all of them become records: whoever finds an import so goes on with it, so that after a crash there is
// nothing of it, or all.
type Import struct {
	ID         int64      `json:"id"`
	At         time.Time  `json:"at" gorm:"not null;index:imports_at"`
	UserID     int64      `json:"-" gorm:"not null"`
	Of         string     `json:"of" gorm:"not null;check:imports_of,of IN ('patients','doctors','mappings')"`
	File       string     `json:"file" gorm:"not null"`
	State      string     `json:"state" gorm:"not null;check:imports_state,state IN ('reading','writing','reverting','undoing','done','failed','undone')"`
	Created    int64      `json:"created" gorm:"not null"`
	Updated    int64      `json:"updated" gorm:"not null"`
	Unchanged  int64      `json:"unchanged" gorm:"not null"`
	Duplicates int64      `json:"possible_duplicates" gorm:"not null"`
	Refused    int64      `json:"refused" gorm:"not null"`
	Written    int64      `json:"written" gorm:"not null"` // of those that are to be created or updated
	Reason     string     `json:"reason" gorm:"not null"`  // why it failed
	EndedAt    *time.Time `json:"ended_at"`
	UndoneAt   *time.Time `json:"undone_at"`
	UndoneBy   *int64     `json:"-"`
	Deleted    int64      `json:"deleted" gorm:"not null"` // when it was undone
	Left       int64      `json:"left" gorm:"not null"`    // then, because somebody had changed, assigned or deleted them
	Address    string     `json:"-" gorm:"not null"`       // of who imports
	User       *User      `json:"-" gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// The states of an import.
const (
	ImportReading   = "reading"
	ImportWriting   = "writing"
	ImportReverting = "reverting" // one of its rows could not be written: what was written is deleted again
	ImportUndoing   = "undoing"   // somebody wants it undone
	ImportDone      = "done"
	ImportFailed    = "failed" // after reverting
	ImportUndone    = "undone"
	ImportChecked   = "checked" // what a dry run says; it is not stored, nor is the next one
	ImportRefused   = "refused" // some rows are, so nothing is imported
)

// ImportRow is a row of a file that waits to be written. Target is the record that it changes, if it does.
type ImportRow struct {
	ID       int64  `gorm:"index:import_rows_next,priority:3"`
	ImportID int64  `gorm:"not null;index:import_rows_next,priority:1"`
	Row      int    `gorm:"not null"`
	Target   *int64 `gorm:"index:import_rows_next,priority:2"` // nil where it becomes a new record
	Record   string `gorm:"not null"`                          // the tabular.Record as JSON
}

// ImportedRow is a record that an import has created.
type ImportedRow struct {
	ImportID int64 `gorm:"primaryKey;autoIncrement:false"`
	RecordID int64 `gorm:"primaryKey;autoIncrement:false"`
}

// What becomes of a row.
const (
	RowCreated   = "created"
	RowUpdated   = "updated"
	RowUnchanged = "unchanged"
	RowDuplicate = "possible_duplicate"
	RowRefused   = "refused"
)

// RowResult is what becomes of one row, or would.
type RowResult struct {
	Row    int             `json:"row"` // as a spreadsheet counts
	Result string          `json:"result"`
	ID     *int64          `json:"id"`     // of the record that it changes, equals, or may be a duplicate of
	Errors apierror.Fields `json:"errors"` // by column
	Cells  []string        `json:"-"`      // as they stand in the file
}

// ImportOptions say how to import.
type ImportOptions struct {
	Of          string // "patients", "doctors" or "mappings"
	File        string // its name
	Sheet       string
	Columns     map[string]string // from header to field, see tabular.Table.Columns
	DateFormat  string            // see tabular.NewDateFormat
	DryRun      bool              // only say what would happen
	SkipRefused bool              // write the other rows all the same
	Duplicates  bool              // create possible duplicates
	// Element is what a field is called in files that are no tables.
	Element func(of, field string) string
	// Told is told of every row, in the order of the file.
	Told func(header []string, row RowResult) error
}

var importList = listing.List{
	Table:     "imports",
	Columns:   listing.Columns[Import]() + ", " + byColumns,
	Joins:     "LEFT JOIN users ON users.id = imports.user_id",
	Newest:    "imports.at",
	Orderings: map[string]string{"created_at": "imports.at"},
}

// ImportBy is an import as clients see it.
type ImportBy struct {
	Import
	By UserName `json:"by" gorm:"embedded;embeddedPrefix:by_"`
}

// Imports lists what was imported, for staff.
func (db *DB) Imports(ctx context.Context, by Actor, values url.Values) (*listing.Page[ImportBy], error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	return listing.Find[ImportBy](db.read.WithContext(ctx), importList, values, db.client(by))
}

// Import finds one import, for staff.
func (db *DB) Import(ctx context.Context, by Actor, id int64) (*ImportBy, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var found ImportBy
	err := db.read.WithContext(ctx).Model(&Import{}).Select(importList.Columns).Joins(importList.Joins).Where("imports.id = ?", id).Take(&found).Error
	return &found, apierror.FromDatabase(err)
}

// PlanImport looks at every row of a file and says what would become of it. Unless it is a dry run, what is to be written
// then waits for WriteImports. Nothing waits if a row is refused, or is a possible duplicate, unless the options say so.
// What is wrong with the file itself is an error of the field "file".
func (db *DB) PlanImport(ctx context.Context, by Actor, file *os.File, options ImportOptions) (*ImportBy, error) {
	kind, ok := importKinds[options.Of]
	if !ok {
		return nil, apierror.Fields{"of": {"Not a valid choice. Use one of: patients, doctors, mappings."}}.Err()
	}
	table, err := tabular.Open(file, options.Sheet)
	if err != nil {
		return nil, fromFile(err)
	}
	defer func() { _ = table.Close() }()
	columns, err := table.Columns(options.Of, options.Columns)
	if err != nil {
		return nil, fromFile(err)
	}
	dates, err := tabular.NewDateFormat(options.DateFormat)
	if err != nil {
		return nil, fromFile(err)
	}
	p := db.newPlan(by, options, kind)
	p.table, p.columns, p.heads, p.dates = table, columns, table.Header, dates
	if err := p.run(ctx); err != nil {
		return nil, errors.Join(fromFile(err), p.drop(ctx))
	}
	return &ImportBy{p.Import, UserName{by.ID, by.Username}}, nil
}

func (db *DB) newPlan(by Actor, options ImportOptions, kind importKind) *importPlan {
	p := &importPlan{db: db, by: by, options: options, kind: kind, seen: map[[16]byte]int{}}
	name := strings.ToValidUTF8(strings.ReplaceAll(options.File, "\x00", "\uFFFD"), "\uFFFD") // of another system's files
	p.Import = Import{At: now(), UserID: by.ID, Of: options.Of, File: name, State: ImportReading, Address: by.Address}
	return p
}

// fromFile makes what is wrong with a file an error that a client may see.
func fromFile(err error) error {
	var wrong *tabular.FormatError
	if errors.As(err, &wrong) {
		return apierror.Fields{"file": {wrong.Reason}}.Err()
	}
	return apierror.FromDatabase(err)
}

// isImport finds the imports in one of these states.
func isImport(states ...string) scope {
	return func(q *gorm.DB) *gorm.DB { return q.Where("state IN ?", states) }
}
