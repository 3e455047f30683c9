package models

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// list finds one page of a list, of the rows that scope lets through.
func list[T any](ctx context.Context, db *gorm.DB, by Actor, l listing, values url.Values, scope ...condition) (*Page[T], error) {
	q, err := l.parse(values)
	if err != nil {
		return nil, err
	}
	if q.beyondNumber {
		return nil, errNoPage
	}
	if q.deleted && !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	if l.deletable {
		shown := ".deleted_at IS NULL"
		if q.deleted {
			shown = ".deleted_at IS NOT NULL"
		}
		scope = append(slices.Clip(scope), where(l.table+shown))
	}
	db = db.WithContext(ctx)
	if q.byCursor {
		return seek[T](db, l, q, scope)
	}
	return numbered[T](db, l, q, scope)
}

// from is the part of a statement that says which rows: FROM, JOIN and WHERE. It is put together here and not by GORM,
// because that took longer than to run it.
func from(table, joins string, conditions ...condition) (sql string, args []any) {
	var text strings.Builder
	text.WriteString(" FROM " + table + " " + joins)
	for i, c := range conditions {
		if i == 0 {
			text.WriteString(" WHERE (")
		} else {
			text.WriteString(" AND (")
		}
		text.WriteString(c.sql + ")")
		args = append(args, c.args...)
	}
	return text.String(), args
}

// orderBy orders by a column, and by the id among equals. The limit is no parameter: a plan for any limit would sort
// what an index has in order already.
func orderBy(column, table string, descending bool, limit int) string {
	direction := ""
	if descending {
		direction = " DESC"
	}
	return " ORDER BY " + column + direction + ", " + table + ".id" + direction + " LIMIT " + itoa(limit)
}

// counted is one row of a page together with the number of rows of the whole list, so that both are one query.
type counted[T any] struct {
	Row   T `gorm:"embedded"`
	Total int64
}

var errNoPage = &apierror.Error{Code: apierror.NotFound, Detail: "Invalid page.", Fields: apierror.Fields{"page": {"There is no such page."}}}

// numbered finds a page by its number, and the length of the list in the same query. A short list is counted only if
// it fills the page.
func numbered[T any](db *gorm.DB, l listing, q query, scope []condition) (*Page[T], error) {
	build := l.countAndPage
	if len(q.words) > 0 {
		build = l.countAndPageOfHits
	} else if l.short && q.page == 1 {
		sql, args := from(l.table, l.joins, append(slices.Clip(scope), q.where...)...)
		rows, err := find[T](db, "SELECT "+l.columns+sql+orderBy(q.column, l.table, q.descending, q.size), args...)
		if err != nil {
			return nil, apierror.FromDatabase(err)
		}
		if len(rows) < q.size {
			return pageOf(q, append([]T{}, rows...), int64(len(rows))), nil
		}
	}
	sql, args := build(db, q, scope)
	found, err := find[counted[T]](db, sql, args...)
	if err != nil {
		return nil, apierror.FromDatabase(err)
	}
	if len(found) == 0 && q.page > 1 {
		return nil, errNoPage
	}
	rows, count := make([]T, len(found)), int64(0)
	for i := range found {
		rows[i], count = found[i].Row, found[i].Total
	}
	return pageOf(q, rows, count), nil
}

func pageOf[T any](q query, rows []T, count int64) *Page[T] {
	last := max(1, (count+int64(q.size)-1)/int64(q.size))
	return &Page[T]{Results: rows, Count: &count, Number: q.page, Last: int(last)}
}

// countAndPage is the query of a numbered page. The count and the page each read what suits them best.
func (l listing) countAndPage(db *gorm.DB, q query, scope []condition) (sql string, args []any) {
	conditions := append(slices.Clip(scope), q.where...)
	countJoins := ""
	if l.filtersJoin && len(q.where) > 0 {
		countJoins = l.joins
	}
	counting, countArgs := from(l.table, countJoins, conditions...)
	paging, pageArgs := from(l.table, l.joins, l.skip(db, q, conditions)...)
	sql = "SELECT " + l.columns + ", (SELECT count(*)" + counting + ") AS total" + paging + orderBy(q.column, l.table, q.descending, q.size)
	return sql, slices.Concat(countArgs, pageArgs)
}

// countAndPageOfHits is countAndPage of a search.
func (l listing) countAndPageOfHits(db *gorm.DB, q query, scope []condition) (sql string, args []any) {
	hits, args := l.hits(db, q, scope)
	page := l.among(db, "SELECT id FROM hits"+orderBy("place", "hits", q.descending, q.size)+" OFFSET ?", (q.page-1)*q.size)
	paging, pageArgs := from(l.table, l.joins, page)
	sql = hits + "SELECT " + l.columns + ", (SELECT count(*) FROM hits) AS total" + paging + orderBy(q.column, l.table, q.descending, q.size)
	return sql, append(args, pageArgs...)
}

// skip makes the conditions those of just one page. What stands on the pages before it is passed over in an index,
// without reading its rows.
func (l listing) skip(db *gorm.DB, q query, conditions []condition) []condition {
	if q.page == 1 {
		return conditions
	}
	joins := ""
	if l.filtersJoin { // into whose columns the order may look too
		joins = l.joins
	}
	ids, args := from(l.table, joins, conditions...)
	return []condition{l.among(db, "SELECT "+l.table+".id"+ids+orderBy(q.column, l.table, q.descending, q.size)+" OFFSET ?",
		append(args, (q.page-1)*q.size)...)}
}

// among lets those few rows through whose ids are selected. PostgreSQL would join a small table as a whole, if it were
// not given them as an array.
func (l listing) among(db *gorm.DB, ids string, args ...any) condition {
	if db.Name() == "postgres" {
		return where(l.table+".id = ANY (ARRAY("+ids+"))", args...)
	}
	return where(l.table+".id IN ("+ids+")", args...)
}
