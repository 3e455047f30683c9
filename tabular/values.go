package tabular

import (
	"cmp"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Record is what a row says of one patient, doctor or assignment.
type Record struct {
	Row         int
	Values      map[string]string   // by field, as a client of the API would write them
	Identifiers map[string]string   // by system
	Listed      [][2]string         `json:",omitempty"` // system and value of identifiers, of which a system may have several: of files that are no tables
	Wrong       map[string][]string `json:"-"`          // by column: what cannot be understood
	Cells       []string            `json:"-"`          // as they stand in the file
}

// DateFormat reads dates as they are written in one file.
type DateFormat struct{ layout, name string }

// NewDateFormat understands formats such as DD.MM.YYYY, M/D/YY or YYYY-MM-DD, which "" is too.
func NewDateFormat(format string) (DateFormat, error) {
	name := cmp.Or(format, "YYYY-MM-DD")
	layout := regexp.MustCompile(`D+|M+|Y+`).ReplaceAllStringFunc(name, func(part string) string {
		return map[string]string{"D": "2", "DD": "2", "M": "1", "MM": "1", "YY": "06", "YYYY": "2006"}[part]
	})
	for _, part := range []string{"2", "1", "06"} {
		if strings.Count(strings.Replace(layout, "2006", "06", 1), part) != 1 {
			return DateFormat{}, wrong("%q is no format of dates. Write D, M and Y, such as DD.MM.YYYY.", format)
		}
	}
	return DateFormat{layout, name}, nil
}

// Read reads what a row holds. Formulas are errors: what they say here may not be what their author saw.
func (c *Columns) Read(row Row, dates DateFormat) Record {
	r := Record{Row: row.Number, Values: map[string]string{}, Identifiers: map[string]string{}, Wrong: map[string][]string{}}
	for i, cell := range row.Cells {
		r.Cells = append(r.Cells, cell.Text)
		field := c.fields[i]
		text := strings.TrimSpace(cell.Text)
		if ref := c.table.Formulas[i]; field != "" && ref == columnName(i)+strconv.Itoa(row.Number) {
			r.Wrong[c.table.Header[i]] = []string{"Cell " + ref + " holds a formula. Put its value there."}
			continue
		}
		value, problem := text, ""
		switch field {
		case "":
			continue
		case "date_of_birth":
			value, problem = dates.day(text, cell.Numeric, c.table.Dates1904)
		case "gender":
			value, problem = oneOf(genders, text, "unknown", "a gender")
		case "blood_group":
			value, problem = bloodGroup(text)
		}
		if problem != "" {
			r.Wrong[c.table.Header[i]] = []string{problem}
			continue
		}
		if system, ok := strings.CutPrefix(field, Identifier); ok {
			if value != "" {
				r.Identifiers[system] = value
			}
			continue
		}
		r.Values[field] = value
	}
	r.join("name", " ", parts["name"])
	r.join("town", " ", parts["town"])
	r.join("address", "\n", []string{"street", "town"})
	return r
}

// parts are the columns that some people have instead of one.
var parts = map[string][]string{
	"name": {"given_name", "family_name"}, "town": {"postal_code", "city"}, "address": {"street", "postal_code", "city"},
}

// join makes one field of several, if the file has any of these.
func (r *Record) join(field, separator string, parts []string) {
	var all []string
	found := false
	for _, part := range parts {
		value, ok := r.Values[part]
		delete(r.Values, part)
		found = found || ok
		if value != "" {
			all = append(all, value)
		}
	}
	if found && r.Values[field] == "" {
		r.Values[field] = strings.Join(all, separator)
	}
}

func columnName(i int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if i < len(letters) {
		return letters[i : i+1]
	}
	return columnName(i/len(letters)-1) + columnName(i%len(letters))
}

// day gives a date as YYYY-MM-DD. A spreadsheet's date is the number of days since the end of 1899, or since 1904.
func (f DateFormat) day(text string, numeric, since1904 bool) (day, problem string) {
	if text == "" {
		return "", ""
	}
	if n, err := strconv.ParseFloat(text, 64); numeric && err == nil && n >= 0 && n < 3_000_000 {
		first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
		switch {
		case since1904:
			first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
		case n < 60: // Excel has a 29 February 1900, as Lotus 1-2-3 had
			first = first.AddDate(0, 0, 1)
		}
		return first.AddDate(0, 0, int(math.Floor(n))).Format(time.DateOnly), ""
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", "2006-01-02 15:04:05", f.layout} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if !strings.Contains(layout, "2006") && t.After(time.Now()) { // of two digits of a year, the past is meant
			t = t.AddDate(-100, 0, 0)
		}
		return t.Format(time.DateOnly), ""
	}
	return "", "Date has wrong format. Use one of these formats instead: " + f.name + "."
}

// genders are FHIR's administrative genders as people write them.
var genders = map[string][]string{
	"male":    {"m", "man", "mann", "mannlich", "h", "homme", "masculin", "herr", "mr", "boy", "junge", "garcon"},
	"female":  {"f", "w", "woman", "frau", "weiblich", "femme", "feminin", "mrs", "ms", "mme", "girl", "madchen", "fille"},
	"other":   {"o", "d", "x", "divers", "autre", "diverse", "nonbinary"},
	"unknown": {"u", "unbekannt", "inconnu", "unspecified", "nichtangegeben", "na"},
}

// oneOf finds the value that people write in one of these ways.
func oneOf(ways map[string][]string, text, empty, what string) (value, problem string) {
	if text == "" {
		return empty, ""
	}
	written := letters(text)
	for value, others := range ways {
		if written == value {
			return value, ""
		}
		for _, other := range others {
			if written == other {
				return value, ""
			}
		}
	}
	return "", strconv.Quote(text) + " is not understood as " + what + "."
}

var (
	bloodWords = strings.NewReplacer("POSITIVE", "+", "POSITIV", "+", "POSITIF", "+", "POS", "+", "NEGATIVE", "-", "NEGATIV", "-", "NEGATIF", "-",
		"NEG", "-", "RHESUS", "", "RHD", "", "RH", "", "−", "-", "–", "-")
	bloodGroups = regexp.MustCompile(`^(A|B|AB|0|O)([+-])$`)
)

// bloodGroup understands "A pos", "0 Rh+" and "AB negatif".
func bloodGroup(text string) (value, problem string) {
	if text == "" {
		return "", ""
	}
	written := strings.ToUpper(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ./()", r) {
			return -1
		}
		return r
	}, text))
	found := bloodGroups.FindStringSubmatch(bloodWords.Replace(strings.ReplaceAll(written, "É", "E")))
	if found == nil {
		return "", strconv.Quote(text) + " is not understood as a blood group, such as A+ or 0 negative."
	}
	return strings.Replace(found[1], "0", "O", 1) + found[2], ""
}
