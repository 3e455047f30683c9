package tabular

import (
	"archive/zip"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
)

// open opens a file of these bytes.
func open(t *testing.T, content string) (*Table, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return Open(f, "")
}

// records reads a whole file of patients.
func records(t *testing.T, table *Table, given map[string]string, format string) (all []Record) {
	t.Helper()
	columns, err := table.Columns("patients", given)
	require.NoError(t, err)
	dates, err := NewDateFormat(format)
	require.NoError(t, err)
	for {
		row, err := table.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, columns.Read(row, dates))
	}
}

func TestCSVInEveryEncodingAndWithEverySeparator(t *testing.T) {
	const text = "Name;Geburtsdatum\r\n\"Müller; Jürgen\";14.03.1958\r\n\"Zoë \"\"Zo\"\" O'Hara\r\nLine\";\r\n"
	utf16le := func(s string) string {
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune(s)) {
			b.WriteByte(byte(unit))
			b.WriteByte(byte(unit >> 8))
		}
		return b.String()
	}
	windows, err := charmap.Windows1252.NewEncoder().String(text)
	require.NoError(t, err)
	for name, content := range map[string]string{
		"UTF-8": text, "UTF-8 with a byte order mark": "\uFEFF" + text, "UTF-16": utf16le("\uFEFF" + text), "UTF-16 without": utf16le(text),
		"Windows-1252": windows, "tabs": strings.ReplaceAll(text, ";", "\t"), "commas": strings.ReplaceAll(text, ";", ","),
	} {
		t.Run(name, func(t *testing.T) {
			table, err := open(t, content)
			require.NoError(t, err)
			got := records(t, table, nil, "DD.MM.YYYY")
			require.Len(t, got, 2)
			assert.Equal(t, "Müller Jürgen", strings.NewReplacer(";", "", ",", "", "\t", "").Replace(got[0].Values["name"]))
			assert.Equal(t, "1958-03-14", got[0].Values["date_of_birth"])
			assert.Equal(t, "Zoë \"Zo\" O'Hara\nLine", got[1].Values["name"])
			assert.Equal(t, []int{2, 3}, []int{got[0].Row, got[1].Row})
		})
	}
}

func TestRowsAreNumberedAsASpreadsheetDoes(t *testing.T) {
	table, err := open(t, "\nname,address\n\"A\",\"two\nlines\"\n\n,\nB,\n")
	require.NoError(t, err)
	got := records(t, table, nil, "")
	require.Len(t, got, 2)
	assert.Equal(t, []int{3, 6}, []int{got[0].Row, got[1].Row})
}

func TestHeadersOfThreeLanguages(t *testing.T) {
	for _, header := range []string{
		"First Name,Last  name,D.O.B.,SEX,Blood-Group,File number,Zip,City,Street,created_at",
		"Vorname,Nachname,Geb.-Datum,Geschlecht,Blutgruppe,Patienten-Nr.,PLZ,Ort,Straße,created_at",
		"Prénom,NOM DE FAMILLE,Date de naissance,Sexe,Groupe sanguin,N° de dossier,Code postal,Ville,Rue,created_at",
	} {
		table, err := open(t, header+"\nAna,Kahlo,14/03/58,w,0 pos.,17,10115,Berlin,Weg 1,never\n")
		require.NoError(t, err)
		given := map[string]string{}
		if strings.Contains(header, "N°") {
			given["N° de dossier"] = "identifier:urn:clinic:file"
		}
		got := records(t, table, given, "DD/MM/YY")
		require.Len(t, got, 1, header)
		assert.Empty(t, got[0].Wrong, header)
		assert.Equal(t, map[string]string{
			"name": "Ana Kahlo", "date_of_birth": "1958-03-14", "gender": "female", "blood_group": "O+", "address": "Weg 1\n10115 Berlin",
		}, got[0].Values, header)
		assert.Equal(t, map[string]string{FileNumber: "17"}, got[0].Identifiers, header)
	}
}

func TestColumnsThatAreNotUnderstoodAreAllNamed(t *testing.T) {
	table, err := open(t, "Name,Patient,Shoe size,Vers.-Nr.\n")
	require.NoError(t, err)
	_, err = table.Columns("patients", map[string]string{"nope": "name"})
	assert.EqualError(t, err, `The columns cannot be imported: column "Shoe size" is not understood; column "Vers.-Nr." is not understood; `+
		`columns "Name" and "Patient" are both name; there is no column "nope".`)
	_, err = table.Columns("patients", map[string]string{"patient": "", "shoe size": "", "Vers.-Nr.": "identifier:urn:insurer:x"})
	require.NoError(t, err)
	_, err = table.Columns("patients", map[string]string{"patient": "colour"})
	assert.EqualError(t, err, `There is no field "colour" to import column "patient" into.`)
}

func TestValuesAreReadAsPeopleWriteThem(t *testing.T) {
	for written, want := range map[string]string{
		"A pos": "A+", "0 Rh-": "O-", "AB négatif": "AB-", "b positiv": "B+", "O (Rh+)": "O+", "A−": "A-", "": "", "C+": "?", "A": "?", "A+-": "?",
	} {
		got, problem := bloodGroup(written)
		assert.Equal(t, want == "?", problem != "", written)
		assert.Equal(t, strings.Trim(want, "?"), got, written)
	}
	dates, err := NewDateFormat("M/D/YYYY")
	require.NoError(t, err)
	for _, d := range []struct {
		text    string
		numeric bool
		since   bool
		want    string
	}{
		{"3/14/1958", false, false, "1958-03-14"}, {"03/14/1958", false, false, "1958-03-14"}, {"1958-03-14", false, false, "1958-03-14"},
		{"21258", true, false, "1958-03-14"}, {"21258.75", true, false, "1958-03-14"}, {"19796", true, true, "1958-03-14"}, {"59", true, false, "1900-02-28"},
		{"61", true, false, "1900-03-01"}, {"21258", false, false, "?"}, {"14/3/1958", false, false, "?"}, {"2/30/1958", false, false, "?"}, {"", false, false, ""},
	} {
		got, problem := dates.day(d.text, d.numeric, d.since)
		assert.Equal(t, d.want == "?", problem != "", d.text)
		assert.Equal(t, strings.Trim(d.want, "?"), got, d.text)
	}
	for _, format := range []string{"DD.MM", "DD.MM.YYYY.DD", "hello", "DDD.MM.YYYY", "D.M.YYYYY"} {
		_, err := NewDateFormat(format)
		assert.Error(t, err, format)
	}
}

// workbook makes an Excel file of one sheet, whose XML is given.
func workbook(t *testing.T, sheet string, more map[string]string) string {
	t.Helper()
	var file strings.Builder
	z := zip.NewWriter(&file)
	parts := map[string]string{
		"xl/workbook.xml":            `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Data" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   sheet,
	}
	for name, content := range more {
		parts[name] = content
	}
	for name, content := range parts {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(w, content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return file.String()
}

const texts = "xl/sharedStrings.xml"

const header = `<row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c><c r="B1" t="inlineStr"><is><t>Birth date</t></is></c></row>`

func TestHostileFilesAreRefusedInWords(t *testing.T) {
	row := func(cells string) string {
		return "<worksheet><sheetData>" + header + cells + "</sheetData></worksheet>"
	}
	refused(t, map[string]hostile{
		"empty":                  {"", "The file is empty"},
		"old Excel":              {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "Excel 97 to 2003"},
		"no workbook":            {"PK\x03\x04rubbish", "damaged"},
		"ten million columns":    {strings.Repeat("a,", 10_000_000), "A row has more than 1024 KiB"},
		"columns":                {strings.Repeat("a,", 300), "more than 256 columns"},
		"a cell without end":     {"name\n\"" + strings.Repeat("x\n", 1<<20), "A row has more than 1024 KiB"},
		"open quotes":            {"name\nA\n\"B", "Line 3"},
		"more cells than header": {"name\nA,B\n", "Row 2 has more cells"},
		"merged cells":           {workbook(t, "<worksheet><sheetData>"+header+`</sheetData><mergeCells><mergeCell ref="A2:B3"/></mergeCells></worksheet>`, nil), "A2:B3 are merged"},
		"far column":             {workbook(t, row(`<row r="2"><c r="XFD2"><v>1</v></c></row>`), nil), "more than 256 columns"},
		"text that is not there": {workbook(t, row(`<row r="2"><c r="A2" t="s"><v>9</v></c></row>`), nil), "cell A2 refers to a text"},
		"error value":            {workbook(t, row(`<row r="2"><c r="A2" t="e"><v>#REF!</v></c></row>`), nil), "Cell A2 holds an error: #REF!"},
		"broken XML":             {workbook(t, row(`<row r="2"><c>`), nil), "damaged"},
		"external entity":        {workbook(t, `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>`+row(`<row r="2"><c r="A2" t="inlineStr"><is><t>&e;</t></is></c></row>`), nil), "damaged"},
		"zip bomb":               {workbook(t, row(strings.Repeat("<row></row>", 1_000_000)), nil), "sheet1.xml is packed to less than a part in 200"},
	})
	if !whole {
		return
	}
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	refused(t, map[string]hostile{
		"many bytes of texts": {workbook(t, row(""), map[string]string{texts: "<sst>" + strings.Repeat("<si><t>"+hex.EncodeToString(noise)+"</t></si>", 33)}), "sharedStrings.xml has more than 64 MiB"},
		"many texts":          {workbook(t, row(""), map[string]string{texts: "<sst>" + strings.Repeat("<si/>", 2_000_001) + "<!--" + hex.EncodeToString(noise)}), "more than 2000000 different texts"},
	})
}

type hostile struct{ content, want string }

func refused(t *testing.T, files map[string]hostile) {
	t.Helper()
	for name, c := range files {
		t.Run(name, func(t *testing.T) {
			table, err := open(t, c.content)
			for err == nil {
				_, err = table.Next()
			}
			require.ErrorAs(t, err, new(*FormatError))
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestAFormulaIsAnErrorOfItsCell(t *testing.T) {
	table, err := open(t, workbook(t, "<worksheet><sheetData>"+header+
		`<row r="2"><c r="A2" t="str"><f>B2&amp;"x"</f><v>Ana</v></c><c r="B2"><v>21258</v></c></row><row r="3"><c r="A3" t="inlineStr"><is><r><t>B_x000D_</t></r><r><t>_x005F_x0041_</t></r></is></c></row>`+
		"</sheetData></worksheet>", nil))
	require.NoError(t, err)
	got := records(t, table, nil, "")
	require.Len(t, got, 2)
	assert.Equal(t, map[string][]string{"Name": {"Cell A2 holds a formula. Put its value there."}}, got[0].Wrong)
	assert.Equal(t, "1958-03-14", got[0].Values["date_of_birth"])
	assert.Equal(t, "B\r_x0041_", got[1].Values["name"])
}

// The files are what LibreOffice has saved, see testdata/make.sh.
func TestFilesOfLibreOffice(t *testing.T) {
	files, err := filepath.Glob("testdata/libreoffice*")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			table, err := Open(f, "")
			require.NoError(t, err)
			got := records(t, table, nil, "")
			require.Len(t, got, 3)
			for i, want := range []map[string]string{
				{"date_of_birth": "1958-03-14", "gender": "male", "name": "Müller, Jürgen", "blood_group": "A+", "phone": "+49 (30) 123-4567", "allergies": "Penicillin\n\"schwer\""},
				{"date_of_birth": "2001-02-28", "gender": "female", "name": "Lindström Åsa", "blood_group": "O-", "phone": "=1+1", "allergies": ""},
				{"date_of_birth": "", "gender": "other", "name": "O'Neill–Çelik Zoë", "blood_group": "", "phone": "0301234567", "allergies": "Nüsse"},
			} {
				assert.Empty(t, got[i].Wrong)
				assert.Equal(t, want, got[i].Values)
				assert.Equal(t, map[string]string{FileNumber: "2024-001" + string(rune('7'+i))}, got[i].Identifiers)
				assert.Equal(t, i+2, got[i].Row)
			}
		})
	}
}
