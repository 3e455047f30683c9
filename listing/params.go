package listing

import (
	"crypto/cipher"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
)

// The limits of parameters.
const (
	defaultPageSize = 20
	maxPageSize     = 100
	MaxSearchLength = 255 // characters
	// Each word is compared with the text of every row. A name with its titles, a phone number in groups and an e-mail
	// address have fewer words than this.
	MaxSearchWords = 16
)

// params are the parameters of a list after they were checked.
type params struct {
	page, size   int
	pageTooLarge bool // page was a number too large to count with

	ordering   string // as the client wrote it
	orderBy    string // the column that orders; the id decides among equals
	descending bool

	byCursor bool
	cursor   *cursor // nil for the first page
	key      any     // of the cursor, as a value of the column orderBy

	readings [][]string // of the search, see Reader; of different words
	filters  []clause.Expr
	deleted  bool // only the deleted rows are wanted
}

// parse checks the parameters of a list. It ignores unknown ones; empty ones count as absent.
func (l List) parse(values url.Values, client Client) (params, error) {
	p := params{page: 1, size: defaultPageSize, orderBy: l.Newest, descending: true}
	errs := apierror.Fields{}
	for name := range values {
		if !utf8.ValidString(values.Get(name)) || strings.ContainsRune(values.Get(name), 0) {
			errs.Add(name, "Null characters and invalid UTF-8 are not allowed.")
		}
	}
	if len(errs) > 0 {
		return p, errs.Err()
	}
	p.parsePage(values, errs)
	if client.Batch > 0 {
		p.size = client.Batch
	}
	p.parseOrdering(values.Get("ordering"), l.Orderings, errs)
	p.parseCursor(values, client.Cursors, l.Table, errs)
	if search := values.Get("search"); l.Search != "" && search != "" {
		p.parseSearch(search, l.Read, client.OldTexts, errs)
	}
	if s := values.Get("deleted"); l.Deletable && s != "" {
		var err error
		if p.deleted, err = strconv.ParseBool(s); err != nil {
			errs.Add("deleted", Boolean("").Message)
		}
	}
	p.parseFilters(values, l.Filters, errs)
	return p, errs.Err()
}

// parseSearch takes a search apart into its different words. It does not even read a text that is too long.
func (p *params) parseSearch(text string, read Reader, old bool, errs apierror.Fields) {
	if utf8.RuneCountInString(text) > MaxSearchLength {
		errs.Add("search", "Ensure this field has no more than "+strconv.Itoa(MaxSearchLength)+" characters.")
		return
	}
	for _, words := range read(text, old) {
		reading := different(words)
		known := func(other []string) bool { return slices.Equal(other, reading) }
		if len(reading) > 0 && !slices.ContainsFunc(p.readings, known) {
			p.readings = append(p.readings, reading)
		}
	}
	if len(p.readings) > 0 && len(p.readings[0]) > MaxSearchWords {
		errs.Add("search", "Ensure this field has no more than "+strconv.Itoa(MaxSearchWords)+" different words.")
	}
}

// different are the words without those that come again.
func different(words []string) (once []string) {
	for _, word := range words {
		if !slices.Contains(once, word) {
			once = append(once, word)
		}
	}
	return once
}

func (p *params) parsePage(values url.Values, errs apierror.Fields) {
	if s := values.Get("page_size"); s != "" {
		n, ok := parsePositive(s)
		if !ok {
			errs.Add("page_size", "A positive integer is required.")
		}
		p.size = min(n, maxPageSize)
	}
	if s := values.Get("page"); s != "" {
		n, ok := parsePositive(s)
		if !ok {
			errs.Add("page", "A positive integer is required.")
		}
		p.page = n
		p.pageTooLarge = n > math.MaxInt32
	}
}

// parsePositive reads a whole number above 0. A number that is too large for an int becomes the largest int.
func parsePositive(s string) (int, bool) {
	n, _ := strconv.ParseUint(s, 10, strconv.IntSize-1) // 0 for what is none, the largest for what is too large
	return int(n), n > 0
}

func (p *params) parseOrdering(ordering string, orderings map[string]string, errs apierror.Fields) {
	if ordering == "" {
		return
	}
	column, known := orderings[strings.TrimPrefix(ordering, "-")]
	if !known {
		names := slices.Sorted(maps.Keys(orderings))
		errs.Add("ordering", "Not a valid choice. Use one of: "+strings.Join(names, ", ")+"; - before it for descending.")
	}
	p.ordering, p.orderBy, p.descending = ordering, column, strings.HasPrefix(ordering, "-")
}

// parseCursor needs the ordering. An empty cursor asks for the first page.
func (p *params) parseCursor(values url.Values, cursors cipher.AEAD, table string, errs apierror.Fields) {
	p.byCursor = values.Has("cursor")
	word := values.Get("cursor")
	if word == "" {
		return
	}
	c, ok := openCursor(cursors, word, p.place(table))
	if ok {
		p.key, ok = c.value(p.orderBy)
	}
	if !ok {
		errs.Add("cursor", "Invalid cursor.")
	}
	p.cursor = c
}

// parseFilters goes through the filters by name, so that the same filters always give the same statement.
func (p *params) parseFilters(values url.Values, filters map[string]Filter, errs apierror.Fields) {
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		s := values.Get(name)
		if s == "" {
			continue
		}
		f := filters[name]
		value, ok := f.Parse(s)
		if !ok {
			errs.Add(name, f.Message)
		}
		p.filters = append(p.filters, gorm.Expr(f.Column+" = ?", value))
	}
}
