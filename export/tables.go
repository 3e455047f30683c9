package export

import (
	"archive/zip"
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"

	"healthcare/apierror"
	"healthcare/tabular"
)

// writeCells writes a CSV file (RFC 4180). No spreadsheet runs a cell of it as a formula.
func writeCells[T any](out *bufio.Writer, o Options, each func(use func([]T) error) error) error {
	if o.BOM {
		if _, err := out.WriteString("\uFEFF"); err != nil {
			return err
		}
	}
	c := &cells{csv: csv.NewWriter(out)}
	if err := table(c, o, each); err != nil {
		return err
	}
	c.csv.Flush()
	return c.csv.Error()
}

type cells struct {
	csv   *csv.Writer
	texts []string
}

func (c *cells) row(values []any) error {
	c.texts = c.texts[:0]
	for _, value := range values {
		text := ""
		if value != nil {
			text = fmt.Sprint(value)
		}
		c.texts = append(c.texts, tabular.Escape(text))
	}
	return c.csv.Write(c.texts)
}

// writeSheet writes an Excel workbook of one sheet, which waits in a temporary file until it is whole. Its texts are texts
// and never formulas. The library would make the workbook in memory: so it gets a writer of zip files of ours.
func writeSheet[T any](out io.Writer, o Options, each func(use func([]T) error) error) (err error) {
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	book.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(out) })
	rows, err := book.NewStreamWriter(book.GetSheetName(0))
	if err != nil {
		return err
	}
	if err := table(&sheet{rows: rows}, o, each); err != nil {
		return err
	}
	if err := rows.Flush(); err != nil {
		return err
	}
	return book.Write(io.Discard)
}

type sheet struct {
	rows  *excelize.StreamWriter
	count int
}

func (s *sheet) row(values []any) error {
	if s.count >= excelize.TotalRows {
		return apierror.Fields{"format": {fmt.Sprintf("A sheet has %d rows at most. Use csv or jsonl.", excelize.TotalRows)}}.Err()
	}
	s.count++
	cell, err := excelize.CoordinatesToCellName(1, s.count)
	if err != nil {
		return err
	}
	return s.rows.SetRow(cell, values)
}
