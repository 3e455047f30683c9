// Package listing answers the requests that list rows: it checks the parameters of the URL, builds one SQL statement,
// and returns one page. Begin with List, which says what clients may ask, and Find, which answers them.
//
// params.go checks the parameters. page.go and cursor.go find a page, by its number or beside a cursor. search.go finds
// the rows that hold the words of a search, and turns.go lets few searches run at once. statement.go has the parts of
// SQL that all of them use.
package listing

import (
	"crypto/cipher"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"healthcare/apierror"
)

// List says what clients may ask of one list. Only columns named here ever reach an ORDER BY or a WHERE.
type List struct {
	Table   string
	Columns string // what is selected
	Joins   string // what the page needs; the count needs it only where filters look into it

	Search      string // the column that ?search= looks into
	Read        Reader // needed wherever Search is set
	SearchIndex string // the index of that column, if there is one; on SQLite it is a table

	Orderings map[string]string // ?ordering= → column
	Newest    string            // the column that orders the list, newest first, if the client does not
	Filters   map[string]Filter // parameter → what it compares

	FiltersJoin bool // search and filters look into what is joined
	Deletable   bool // deleted rows are hidden; staff may ask for them with ?deleted=true
	Short       bool // mostly fits one page, which then need not be counted
	CountTo     int  // counting ends there, because the list may be very long; 0 counts all
}

// Reader says in which ways a search can be read, as words in the form in which the column holds its texts. A row is
// found if its text contains every word of one reading. The first reading is of all words as they are. Old asks for a
// reading by which the texts of an earlier version are found.
type Reader func(text string, old bool) [][]string

// Filter compares a column with the value of a parameter.
type Filter struct {
	Column  string
	Parse   func(string) (any, bool) // gives the value for the database; false if the client's text is wrong
	Message string                   // what the client reads if its text is wrong
}

// OneOf is a filter by one of these values.
func OneOf(column string, values ...string) Filter {
	parse := func(s string) (any, bool) { return s, slices.Contains(values, s) }
	return Filter{column, parse, "Not a valid choice. Use one of: " + strings.Join(values, ", ") + "."}
}

// Number is a filter by a whole number.
func Number(column string) Filter {
	parse := func(s string) (any, bool) { n, err := strconv.ParseInt(s, 10, 64); return n, err == nil }
	return Filter{column, parse, "A valid integer is required."}
}

// Boolean is a filter by true or false.
func Boolean(column string) Filter {
	parse := func(s string) (any, bool) { b, err := strconv.ParseBool(s); return b, err == nil }
	return Filter{column, parse, "Must be a valid boolean: true or false."}
}

// Text is a filter by any text.
func Text(column string) Filter {
	return Filter{column, func(s string) (any, bool) { return s, true }, ""}
}

// Client is who asks for a list.
type Client struct {
	Account  int64
	Staff    bool
	Turns    *Turns      // that its searches take; nil has one already
	Cursors  cipher.AEAD // of NewCursors
	OldTexts bool        // some texts may be those of an earlier version
	Batch    int         // rows of a page, whatever the parameters say, unless it is 0
}

// request is a list as one client asked for it.
type request struct {
	List
	params
	visible []clause.Expr // the conditions of the rows that this client may see
	dialect string        // "sqlite" or "postgres"
	cursors cipher.AEAD
}

// Find returns the page that the parameters ask for, among the rows that the scopes let through. Db is a session with a
// context and nothing else, as WithContext gives it. Each scope may only add conditions, by Where with SQL text and plain
// values. It must not call Scopes: what that adds is not seen here.
func Find[T any](db *gorm.DB, list List, values url.Values, client Client, scopes ...func(*gorm.DB) *gorm.DB) (*Page[T], error) {
	params, err := list.parse(values, client)
	if err != nil {
		return nil, err
	}
	if params.pageTooLarge {
		return nil, errNoSuchPage
	}
	if params.deleted && !client.Staff {
		return nil, apierror.ErrForbidden
	}
	visible, err := conditionsOf(db, list.Table, scopes)
	if err != nil {
		return nil, err
	}
	if list.Deletable {
		condition := ".deleted_at IS NULL"
		if params.deleted {
			condition = ".deleted_at IS NOT NULL"
		}
		visible = append(visible, gorm.Expr(list.Table+condition))
	}
	if len(params.readings) > 0 && client.Turns != nil {
		done, err := client.Turns.Take(db.Statement.Context, client.Account)
		if err != nil {
			return nil, apierror.FromDatabase(err)
		}
		defer done()
	}
	r := request{list, params, visible, db.Name(), client.Cursors}
	if params.byCursor {
		return findByCursor[T](db, r)
	}
	return findByPage[T](db, r)
}

// Columns returns the columns of T that clients see, for a SELECT.
func Columns[T any]() string {
	s, err := schema.Parse(new(T), &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		panic(err) // T is a struct of this program that GORM cannot read
	}
	var columns []string
	for _, f := range s.Fields {
		if f.DBName != "" && f.Tag.Get("json") != "-" {
			columns = append(columns, s.Table+"."+f.DBName)
		}
	}
	return strings.Join(columns, ", ")
}
