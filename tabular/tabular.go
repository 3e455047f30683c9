// Package tabular reads the tables that people keep in spreadsheets: .csv and .xlsx files as Excel, LibreOffice and
// Google Sheets save them. It reads them row by row, so that memory does not grow with a file. Begin with Open.
package tabular

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// What a file may have. A file that has more is refused before it can take memory or time.
const (
	MaxColumns = 256
	MaxRows    = 1_000_000
	maxFile    = 512 << 20 // bytes of a file
	maxRow     = 1 << 20   // bytes of a row, and of the header
)

// Table is an open file. Its first row that is not empty is the header.
type Table struct {
	Header []string
	// Formulas names a cell of each column that holds a formula, such as "B7". It grows while rows are read.
	Formulas map[int]string
	// Dates1904 tells that days are counted from 1904, as old versions of Excel for the Mac did.
	Dates1904 bool

	rows interface {
		next() (Row, error)
		close() error
	}
	read int // rows so far
}

// Row is one row below the header. It has as many cells as the header; those that are missing are empty.
type Row struct {
	Number int // as the spreadsheet counts: the first row of the sheet is 1
	Cells  []Cell
}

// Cell is what one cell holds.
type Cell struct {
	Text    string
	Numeric bool // a number of a spreadsheet, and so maybe a date
}

// FormatError says what is wrong with a file, in words for the person who made it.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return e.Reason }

func wrong(format string, args ...any) error { return &FormatError{fmt.Sprintf(format, args...)} }

// Open reads the header of a file. Sheet names the sheet of an Excel file, "" is its first one.
func Open(file *os.File, sheet string) (*Table, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, wrong("The file has more than %d MiB. Split it.", maxFile>>20)
	}
	var beginning [8]byte
	n, err := file.ReadAt(beginning[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	t := &Table{Formulas: map[int]string{}}
	switch begins := string(beginning[:n]); {
	case strings.HasPrefix(begins, "PK\x03\x04"):
		err = t.openXLSX(file, info.Size(), sheet)
	case strings.HasPrefix(begins, "\xD0\xCF\x11\xE0"):
		err = wrong("This is a file of Excel 97 to 2003, or one with a password. Save it as .xlsx without a password, or as .csv.")
	case sheet != "":
		err = wrong("Only an Excel file has sheets; this looks like CSV.")
	default:
		err = t.openCSV(file, info.Size())
	}
	if err != nil {
		return nil, err
	}
	if err := t.readHeader(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Table) readHeader() error {
	row, err := t.rows.next()
	if errors.Is(err, io.EOF) {
		return wrong("The file is empty: its first row must name the columns.")
	}
	if err != nil {
		return err
	}
	for _, cell := range row.Cells {
		t.Header = append(t.Header, strings.TrimSpace(cell.Text))
	}
	for n := len(t.Header); n > 0 && t.Header[n-1] == ""; n-- {
		t.Header = t.Header[:n-1]
	}
	return nil
}

// Next returns the next row that is not empty, or io.EOF.
func (t *Table) Next() (Row, error) {
	row, err := t.rows.next()
	if err != nil {
		return Row{}, err
	}
	t.read++
	if t.read > MaxRows {
		return Row{}, wrong("The file has more than %d rows. Split it.", MaxRows)
	}
	for i := len(t.Header); i < len(row.Cells); i++ {
		if strings.TrimSpace(row.Cells[i].Text) != "" {
			return Row{}, wrong("Row %d has more cells than the header names columns.", row.Number)
		}
	}
	for len(row.Cells) < len(t.Header) {
		row.Cells = append(row.Cells, Cell{})
	}
	row.Cells = row.Cells[:len(t.Header)]
	return row, nil
}

// Close ends reading. The file stays open.
func (t *Table) Close() error { return t.rows.close() }

// isEmpty tells whether a row holds nothing but spaces.
func isEmpty(cells []Cell) bool {
	for _, cell := range cells {
		if strings.TrimSpace(cell.Text) != "" {
			return false
		}
	}
	return true
}

// budget lets so many bytes through, and then fails with what it says.
type budget struct {
	io.Reader
	left int
	says string
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &FormatError{b.says}
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// rowBudget lets one row through; then it must be renewed.
func rowBudget(from io.Reader) *budget {
	return &budget{from, maxRow, fmt.Sprintf("A row has more than %d KiB.", maxRow>>10)}
}

func (b *budget) renew() { b.left = maxRow }
