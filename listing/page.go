package listing

import (
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
)

// Page is one page of a list: a numbered one, which knows the length of the list, or one beside a cursor.
type Page[T any] struct {
	Count      *int64     `json:"count,omitempty"`
	MoreThan   bool       `json:"more_than_count,omitempty"` // counting ended, see List.CountTo
	Next       *string    `json:"next"`
	Previous   *string    `json:"previous"`
	ReadsSince *time.Time `json:"reads_since,omitempty"` // of the audit trail: reads before were archived
	Results    []T        `json:"results"`

	Number         int    `json:"-"` // of this page, from 1; 0 beside a cursor
	Last           int    `json:"-"` // the number of the last page
	NextCursor     string `json:"-"` // empty if there is no such page
	PreviousCursor string `json:"-"`
}

var errNoSuchPage = &apierror.Error{Code: apierror.NotFound, Detail: "Invalid page.", Fields: apierror.Fields{"page": {"There is no such page."}}}

// counted is one row of a page together with the number of rows of the whole list, so that one statement finds both.
type counted[T any] struct {
	Row   T `gorm:"embedded"`
	Total int64
}

// findByPage finds a page by its number, and the length of the list with the same statement.
func findByPage[T any](db *gorm.DB, r request) (*Page[T], error) {
	statement := r.countAndPage
	switch {
	case len(r.readings) > 0:
		statement = r.countAndPageOfSearch
	case r.Short && r.page == 1:
		rows, err := run[T](db, r.firstPage(), 0)
		if err != nil {
			return nil, err
		}
		if len(rows) < r.size { // these are all, so there is nothing to count
			return newPage(r.params, rows, int64(len(rows))), nil
		}
	}
	found, err := run[counted[T]](db, statement(), r.size)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && r.page > 1 {
		return nil, errNoSuchPage
	}
	rows, total := make([]T, len(found)), int64(0)
	for i := range found {
		rows[i], total = found[i].Row, found[i].Total
	}
	page := newPage(r.params, rows, total)
	if end := int64(r.CountTo); end > 0 && total > end {
		page.Count, page.MoreThan = &end, true
	}
	return page, nil
}

// countEnd is where counting ends, if it does: beyond the end of the page, so that it is known whether another follows.
func (r request) countEnd() int {
	pages := (r.offset()+r.size)/r.CountTo + 1
	return pages*r.CountTo + 1
}

func newPage[T any](p params, rows []T, total int64) *Page[T] {
	last := max(1, (total+int64(p.size)-1)/int64(p.size))
	return &Page[T]{Results: rows, Count: &total, Number: p.page, Last: int(last)}
}

// firstPage is the statement of the first page alone, without a count.
func (r request) firstPage() clause.Expr {
	rows := fromWhere(r.Table, r.Joins, r.conditions()...)
	return gorm.Expr("SELECT "+r.Columns+rows.SQL+r.order(), rows.Vars...)
}

// countAndPage is the statement of a numbered page. The count and the page each read the index that suits them best.
func (r request) countAndPage() clause.Expr {
	countJoins := ""
	if r.FiltersJoin && len(r.filters) > 0 {
		countJoins = r.Joins
	}
	all := fromWhere(r.Table, countJoins, r.conditions()...)
	if r.CountTo > 0 {
		all.SQL = " FROM (SELECT 1" + all.SQL + " LIMIT " + strconv.Itoa(r.countEnd()) + ") AS counted"
	}
	page := fromWhere(r.Table, r.Joins, r.pageConditions()...)
	return gorm.Expr("SELECT "+r.Columns+", (SELECT count(*)"+all.SQL+") AS total"+page.SQL+r.order(),
		slices.Concat(all.Vars, page.Vars)...)
}

// pageConditions are those of the rows of just this page. The rows of the pages before it are passed over within an
// index, without reading the rows themselves.
func (r request) pageConditions() []clause.Expr {
	if r.page == 1 {
		return r.conditions()
	}
	joins := ""
	if r.FiltersJoin { // then the order may look into the joined columns too
		joins = r.Joins
	}
	rows := fromWhere(r.Table, joins, r.conditions()...)
	ids := "SELECT " + r.Table + ".id" + rows.SQL + r.order() + " OFFSET ?"
	return []clause.Expr{r.idIn(ids, append(rows.Vars, r.offset())...)}
}

// countAndPageOfSearch is countAndPage among the rows of a search.
func (r request) countAndPageOfSearch() clause.Expr {
	hits := r.withHits()
	ids := "SELECT id FROM hits" + orderAndLimit("sort_key", "hits", r.descending, r.size) + " OFFSET ?"
	page := fromWhere(r.Table, r.Joins, r.idIn(ids, r.offset()))
	return gorm.Expr(hits.SQL+"SELECT "+r.Columns+", (SELECT count(*) FROM hits) AS total"+page.SQL+r.order(),
		slices.Concat(hits.Vars, page.Vars)...)
}

// offset is the number of rows on the pages before this one.
func (p params) offset() int { return (p.page - 1) * p.size }
