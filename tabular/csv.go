package tabular

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// csvRows reads a CSV file (RFC 4180), with whatever stands between its cells.
type csvRows struct {
	*csv.Reader
	budget *budget
	within int // line breaks within cells so far, which begin no row
}

func (t *Table) openCSV(file *os.File, size int64) error {
	code, err := encodingOf(io.NewSectionReader(file, 0, size))
	if err != nil {
		return err
	}
	text := func() io.Reader {
		return transform.NewReader(io.NewSectionReader(file, 0, size), code.NewDecoder())
	}
	comma, err := separatorOf(text())
	if err != nil {
		return err
	}
	b := rowBudget(text())
	reader := csv.NewReader(b)
	reader.Comma = comma
	reader.FieldsPerRecord = -1
	reader.ReuseRecord = true
	t.rows = &csvRows{Reader: reader, budget: b}
	return nil
}

func (*csvRows) close() error { return nil }

func (r *csvRows) next() (Row, error) {
	for {
		r.budget.renew()
		record, err := r.Read()
		var parse *csv.ParseError
		if errors.As(err, &parse) && !errors.As(err, new(*FormatError)) {
			return Row{}, wrong("Line %d, column %d: the quotes are not closed, or stand inside of a cell.", parse.Line, parse.Column)
		}
		if err != nil {
			return Row{}, err
		}
		if len(record) > MaxColumns {
			return Row{}, wrong("The file has more than %d columns.", MaxColumns)
		}
		line, _ := r.FieldPos(0)
		row := Row{Number: line - r.within, Cells: make([]Cell, len(record))}
		for i, text := range record {
			row.Cells[i].Text = Unescape(text)
			r.within += strings.Count(text, "\n")
		}
		if !isEmpty(row.Cells) {
			return row, nil
		}
	}
}

// encodingOf finds out how a text is written: as its byte order mark says, else as UTF-16 if every other byte at its
// beginning is 0, as UTF-8 if all of it is, or else as Windows-1252, which Western versions of Excel write.
func encodingOf(text io.Reader) (encoding.Encoding, error) {
	in := bufio.NewReaderSize(text, 64<<10)
	beginning, err := in.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	little, big := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	switch begins := string(beginning); {
	case strings.HasPrefix(begins, "\xEF\xBB\xBF"):
		return unicode.UTF8BOM, nil
	case strings.HasPrefix(begins, "\xFF\xFE"), zeros(begins, 1):
		return little, nil
	case strings.HasPrefix(begins, "\xFE\xFF"), zeros(begins, 0):
		return big, nil
	}
	for {
		r, size, err := in.ReadRune()
		switch {
		case errors.Is(err, io.EOF):
			return unicode.UTF8, nil
		case err != nil:
			return nil, err
		case r == utf8.RuneError && size == 1:
			return charmap.Windows1252, nil
		}
	}
}

// zeros tells whether every other byte of a text is 0, the first one or the second, and no other.
func zeros(text string, first int) bool {
	for i := range len(text) {
		if (text[i] == 0) != (i%2 == first) {
			return false
		}
	}
	return len(text) > 1
}

// separatorOf finds out what stands between the cells: what there is most of in the header, outside of quotes.
func separatorOf(text io.Reader) (rune, error) {
	in := bufio.NewReader(rowBudget(text))
	const separators = ",;\t"
	count := map[rune]int{}
	quoted, begun := false, false
	for {
		r, _, err := in.ReadRune()
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		switch {
		case err != nil, begun && !quoted && (r == '\n' || r == '\r'):
			best := ','
			for _, separator := range separators {
				if count[separator] > count[best] {
					best = separator
				}
			}
			return best, nil
		case r == '"':
			quoted = !quoted
		case !quoted && strings.ContainsRune(separators, r):
			count[r]++
		}
		begun = begun || r != '\n' && r != '\r'
	}
}
