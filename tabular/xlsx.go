package tabular

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Excel files (ECMA-376, SpreadsheetML) are zip files of XML. They are read here without a library, because those that
// there are tell neither formulas nor merged cells unless they load the whole sheet, and a sheet can be as large as its
// maker likes. encoding/xml knows no external entities.
const (
	maxSheet   = 256 << 20 // bytes of a sheet as XML
	maxStrings = 64 << 20  // bytes of all shared texts
	maxTexts   = 2_000_000 // and their number
	maxPart    = 4 << 20   // bytes of the other parts
	maxRatio   = 200       // how many times larger a part is than it is in the zip file; those that Excel writes are up to 30
)

type xlsxRows struct {
	table   *Table
	part    io.ReadCloser
	budget  *budget
	xml     *xml.Decoder
	strings []string // what cells refer to by number
	number  int      // of the last row
}

func (t *Table) openXLSX(file *os.File, size int64, sheet string) error {
	z, err := zip.NewReader(io.NewSectionReader(file, 0, size), size)
	if err != nil {
		return wrong("The file is damaged: it is no whole .xlsx file.")
	}
	name, err := t.findSheet(z, sheet)
	if err != nil {
		return err
	}
	texts, err := sharedStrings(z)
	if err != nil {
		return err
	}
	part, err := openPart(z, name, maxSheet)
	if err != nil {
		return err
	}
	b := rowBudget(part)
	t.rows = &xlsxRows{table: t, part: part, budget: b, xml: xml.NewDecoder(b), strings: texts}
	return nil
}

// part is one file in the zip file, which fails when it has more bytes than it may.
type part struct {
	io.Reader
	io.Closer
}

func openPart(z *zip.Reader, name string, limit int) (io.ReadCloser, error) {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil, wrong("The file is no Excel workbook: it has no %s.", name)
	}
	if size := z.File[i].UncompressedSize64; size > maxPart && size/maxRatio > z.File[i].CompressedSize64 {
		return nil, wrong("The file is no usual Excel workbook: %s is packed to less than a part in %d.", name, maxRatio)
	}
	f, err := z.File[i].Open()
	if err != nil {
		return nil, asFormatError(err)
	}
	says := fmt.Sprintf("The file has too much in it: %s has more than %d MiB.", name, limit>>20)
	return part{&budget{f, limit, says}, f}, nil
}

func decodePart(z *zip.Reader, name string, into any) error {
	p, err := openPart(z, name, maxPart)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	return asFormatError(xml.NewDecoder(p).Decode(into))
}

// asFormatError tells of XML and zip files that cannot be read.
func asFormatError(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, new(*FormatError)) {
		return err
	}
	return wrong("The file is damaged: it is no whole .xlsx file.")
}

// findSheet finds the part that holds a sheet.
func (t *Table) findSheet(z *zip.Reader, wanted string) (string, error) {
	const root = "xl/workbook.xml"
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name string `xml:"name,attr"`
			ID   string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := decodePart(z, root, &book); err != nil {
		return "", err
	}
	t.Dates1904 = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	var relations struct {
		All []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := decodePart(z, "xl/_rels/workbook.xml.rels", &relations); err != nil {
		return "", err
	}
	var names []string
	for _, sheet := range book.Sheets {
		names = append(names, strconv.Quote(sheet.Name))
		if wanted != "" && sheet.Name != wanted {
			continue
		}
		for _, relation := range relations.All {
			if relation.ID == sheet.ID {
				if target, absolute := strings.CutPrefix(relation.Target, "/"); absolute {
					return target, nil
				}
				return path.Join("xl", relation.Target), nil
			}
		}
	}
	return "", wrong("The file has no sheet %q. It has: %s.", wanted, strings.Join(names, ", "))
}

// text is a text of a cell, in one piece or in pieces that look different.
type text struct {
	Whole  string   `xml:"t"`
	Pieces []string `xml:"r>t"`
}

func (t text) String() string {
	return escaped.ReplaceAllStringFunc(t.Whole+strings.Join(t.Pieces, ""), func(code string) string {
		n, _ := strconv.ParseUint(code[2:6], 16, 16) // of four digits: cannot fail
		return string(rune(n))
	})
}

// escaped is a character that XML cannot hold, or the beginning of a text that looks so (ECMA-376, ST_Xstring).
var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// sharedStrings reads the texts that cells refer to by number.
func sharedStrings(z *zip.Reader) (texts []string, err error) {
	const name = "xl/sharedStrings.xml"
	if !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == name }) {
		return nil, nil // a workbook without texts
	}
	p, err := openPart(z, name, maxStrings)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	for decoder := xml.NewDecoder(p); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return nil, asFormatError(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "si" {
			continue
		}
		var s text
		if err := decoder.DecodeElement(&s, &start); err != nil {
			return nil, asFormatError(err)
		}
		if texts = append(texts, s.String()); len(texts) > maxTexts {
			return nil, wrong("The file has more than %d different texts. Split it.", maxTexts)
		}
	}
}

// xlsxRow is a row as the sheet holds it.
type xlsxRow struct {
	Number int        `xml:"r,attr"`
	Cells  []xlsxCell `xml:"c"`
}

type xlsxCell struct {
	Ref     string    `xml:"r,attr"` // such as B7
	Type    string    `xml:"t,attr"`
	Formula *struct{} `xml:"f"`
	Value   string    `xml:"v"`
	Inline  text      `xml:"is"`
}

func (r *xlsxRows) close() error { return r.part.Close() }

func (r *xlsxRows) next() (Row, error) {
	for {
		r.budget.renew()
		token, err := r.xml.Token()
		if err != nil {
			return Row{}, asFormatError(err)
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok:
		case start.Name.Local == "mergeCell":
			return Row{}, wrong("The cells %s are merged. Unmerge them, so that each cell has its own value.", attribute(start, "ref"))
		case start.Name.Local == "row":
			var raw xlsxRow
			if err := r.xml.DecodeElement(&raw, &start); err != nil {
				return Row{}, asFormatError(err)
			}
			row, err := r.row(raw)
			if err != nil || !isEmpty(row.Cells) {
				return row, err
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (r *xlsxRows) row(raw xlsxRow) (Row, error) {
	if raw.Number == 0 { // it may be left out
		raw.Number = r.number + 1
	}
	r.number = raw.Number
	row := Row{Number: raw.Number}
	for _, c := range raw.Cells {
		column := len(row.Cells)
		if c.Ref != "" {
			column = columnOf(c.Ref)
		}
		if column < 0 || column >= MaxColumns {
			return Row{}, wrong("The file has more than %d columns.", MaxColumns)
		}
		for len(row.Cells) <= column {
			row.Cells = append(row.Cells, Cell{})
		}
		cell, err := r.cell(c)
		if err != nil {
			return Row{}, err
		}
		row.Cells[column] = cell
		if c.Formula != nil {
			r.table.Formulas[column] = c.Ref
		}
	}
	return row, nil
}

// columnOf is the number of the column in a reference: 0 for A, 27 for AB, -1 for what is none.
func columnOf(ref string) int {
	n := 0
	for _, letter := range strings.TrimRight(ref, "0123456789") {
		if letter < 'A' || letter > 'Z' || n > MaxColumns {
			return -1
		}
		n = 26*n + int(letter-'A') + 1
	}
	return n - 1
}

func (r *xlsxRows) cell(c xlsxCell) (Cell, error) {
	switch c.Type {
	case "s":
		n, err := strconv.Atoi(strings.TrimSpace(c.Value))
		if err != nil || n < 0 || n >= len(r.strings) {
			return Cell{}, wrong("The file is damaged: cell %s refers to a text that is not there.", c.Ref)
		}
		return Cell{Text: r.strings[n]}, nil
	case "inlineStr":
		return Cell{Text: c.Inline.String()}, nil
	case "e":
		return Cell{}, wrong("Cell %s holds an error: %s.", c.Ref, c.Value)
	case "b":
		return Cell{Text: map[string]string{"1": "true", "0": "false"}[c.Value]}, nil
	case "str", "d":
		return Cell{Text: c.Value}, nil
	}
	return Cell{Text: number(c.Value), Numeric: c.Value != ""}, nil
}

// number writes a number as people do: Excel stores 301234567 as 301234567, but 1e15 as 1E+15, and 0.1 sometimes as
// 0.10000000000000001.
func number(stored string) string {
	f, err := strconv.ParseFloat(stored, 64)
	if err != nil {
		return stored
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
