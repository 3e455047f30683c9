package models

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"healthcare/apierror"
)

// Page is one page of a list: a numbered one, which knows the length of the list, or one beside a cursor.
type Page[T any] struct {
	Count    *int64  `json:"count,omitempty"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  []T     `json:"results"`

	Number         int    `json:"-"` // of this page, from 1; 0 beside a cursor
	Last           int    `json:"-"` // of the last page
	NextCursor     string `json:"-"` // empty where there is nothing
	PreviousCursor string `json:"-"`
}

// Sizes of a page: without page_size, and at most.
const (
	pageSize    = 20
	maxPageSize = 100
	maxSearch   = 255 // characters
)

// listing says what clients may ask of one list. Only columns named here ever reach an ORDER BY or a WHERE.
type listing struct {
	table   string
	columns string // what is selected
	joins   string // what the page needs, and the count where filters look into it
	search  string // the column that ?search= looks into
	// searchIndex is the index of that column, if there is one; on SQLite it is a table.
	searchIndex string
	orderings   map[string]string // ?ordering= → column
	newest      string            // the column that orders a list nobody ordered
	filters     map[string]filter // parameter → what it compares
	filtersJoin bool              // search and filters look into what is joined
	deletable   bool              // deleted rows are hidden; staff may ask for them with ?deleted=true
	short       bool              // mostly fits one page, which then need not be counted
}

// filter compares a column with a parameter's value, which must pass parse.
type filter struct {
	column string
	parse  func(string) (any, bool)
	says   string
}

func oneOf(column string, values ...string) filter {
	parse := func(s string) (any, bool) { return s, slices.Contains(values, s) }
	return filter{column, parse, "Not a valid choice. Use one of: " + strings.Join(values, ", ") + "."}
}

func number(column string) filter {
	parse := func(s string) (any, bool) { n, err := strconv.ParseInt(s, 10, 64); return n, err == nil }
	return filter{column, parse, "A valid integer is required."}
}

func boolean(column string) filter {
	parse := func(s string) (any, bool) { b, err := strconv.ParseBool(s); return b, err == nil }
	return filter{column, parse, "Must be a valid boolean: true or false."}
}

func text(column string) filter {
	return filter{column, func(s string) (any, bool) { return s, true }, ""}
}

// query is a list's parameters after they were checked.
type query struct {
	where        []condition
	words        []string // of the search
	ordering     string   // as the client said it
	column       string   // that orders; the id decides among equals
	descending   bool
	cursor       *cursor
	key          any // of the cursor, as the column has it
	byCursor     bool
	page, size   int
	beyondNumber bool // page was a number too large to count with
	deleted      bool // only the deleted rows
}

// condition is a part of a WHERE.
type condition struct {
	sql  string
	args []any
}

func where(sql string, args ...any) condition { return condition{sql, args} }

// parse checks the parameters of a list; unknown ones are ignored, empty ones count as absent.
func (l listing) parse(values url.Values) (query, error) {
	q := query{page: 1, size: pageSize, column: l.newest, descending: true}
	wrong := apierror.Fields{}
	for name := range values {
		if !utf8.ValidString(values.Get(name)) || strings.ContainsRune(values.Get(name), 0) {
			wrong.Add(name, "Null characters and invalid UTF-8 are not allowed.")
		}
	}
	if len(wrong) > 0 {
		return q, wrong.Err()
	}
	q.parsePage(values, wrong)
	if q.ordering = values.Get("ordering"); q.ordering != "" {
		var known bool
		if q.column, known = l.orderings[strings.TrimPrefix(q.ordering, "-")]; !known {
			wrong.Add("ordering", "Not a valid choice. Use one of: "+strings.Join(keys(l.orderings), ", ")+"; - before it for descending.")
		}
		q.descending = strings.HasPrefix(q.ordering, "-")
	}
	q.parseCursor(values, wrong)
	if search := values.Get("search"); l.search != "" && search != "" {
		if utf8.RuneCountInString(search) > maxSearch {
			wrong.Add("search", "Ensure this field has no more than "+itoa(maxSearch)+" characters.")
		}
		q.words = strings.Fields(Fold(search))
	}
	if s := values.Get("deleted"); l.deletable && s != "" {
		deleted, err := strconv.ParseBool(s)
		if err != nil {
			wrong.Add("deleted", boolean("").says)
		}
		q.deleted = deleted
	}
	q.parseFilters(values, l.filters, wrong)
	return q, wrong.Err()
}

func (q *query) parseFilters(values url.Values, filters map[string]filter, wrong apierror.Fields) {
	for name, f := range filters {
		value := values.Get(name)
		if value == "" {
			continue
		}
		arg, ok := f.parse(value)
		if !ok {
			wrong.Add(name, f.says)
		}
		q.where = append(q.where, condition{f.column + " = ?", []any{arg}})
	}
}

func (q *query) parseCursor(values url.Values, wrong apierror.Fields) {
	q.byCursor = values.Has("cursor")
	word := values.Get("cursor")
	if word == "" {
		return
	}
	c, ok := parseCursor(word, q.ordering)
	if ok {
		q.key, ok = c.value(q.column)
	}
	if !ok {
		wrong.Add("cursor", "Invalid cursor.")
	}
	q.cursor = c
}

func (q *query) parsePage(values url.Values, wrong apierror.Fields) {
	if s := values.Get("page_size"); s != "" {
		n, ok := positive(s)
		if !ok {
			wrong.Add("page_size", "A positive integer is required.")
		}
		q.size = min(n, maxPageSize)
	}
	if s := values.Get("page"); s != "" {
		n, ok := positive(s)
		if !ok {
			wrong.Add("page", "A positive integer is required.")
		}
		q.page = n
		q.beyondNumber = n > math.MaxInt32
	}
}

// positive reads a whole number above 0; one that is too large counts as the largest.
func positive(s string) (int, bool) {
	if strings.Trim(s, "0123456789") != "" || strings.Trim(s, "0") == "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return math.MaxInt, true
	}
	return n, true
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func itoa(n int) string { return strconv.Itoa(n) }
