package listing

import (
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// The index of a search holds all pieces of pieceLength letters, so it cannot look up shorter words. No more than
// maxPieces of a search are looked up: they leave few rows to compare with the words themselves. A whole word is never
// looked up, because SQLite does not hear that a request has ended while it matches the positions of pieces.
const (
	pieceLength = 3
	maxPieces   = 3
)

// Looking words up takes as long as the words are common among the rows of all accounts. Reading an account's rows takes
// as long as the account has many. So words are looked up for an account that has more than fewRows. On PostgreSQL they
// are looked up in a table of up to smallTable rows too, because it finds an entry in an index quicker than SQLite.
const (
	fewRows    = 10_000
	smallTable = 20_000
)

// withHits is a WITH clause that finds the rows of a search: "hits" has their ids, and their sort keys for the order.
// It finds them once, whatever the rest of the statement does with them.
//
// There are two ways to find them: to read all rows that the client may see (within an index that holds the text too,
// see models.Patient), or to look pieces of the words up in the index of the search. The statement holds both ways and chooses one
// itself: "choice" is true in one of them only.
func (r request) withHits() clause.Expr {
	pieces := r.pieces()
	if len(pieces) == 0 {
		hits := r.hits(r.Table, r.holdsWords())
		return gorm.Expr("WITH hits AS MATERIALIZED ("+hits.SQL+") ", hits.Vars...)
	}
	useIndex := r.useIndex()
	read := r.hits("choice CROSS JOIN "+r.Table, r.holdsWords(), []clause.Expr{gorm.Expr("NOT choice.use_index")})
	table, inIndex := r.lookUp(pieces)
	lookedUp := r.hits("choice CROSS JOIN "+table, inIndex, r.holdsWords(), []clause.Expr{gorm.Expr("choice.use_index")})
	return gorm.Expr("WITH choice AS MATERIALIZED (SELECT "+useIndex.SQL+" AS use_index),"+
		" hits AS MATERIALIZED ("+read.SQL+" UNION ALL "+lookedUp.SQL+") ",
		slices.Concat(useIndex.Vars, read.Vars, lookedUp.Vars)...)
}

// pieces are what is looked up in the index for each reading; nothing if there is a reading of short words only.
func (r request) pieces() (pieces [][]string) {
	if r.SearchIndex == "" {
		return nil
	}
	for _, words := range r.readings {
		some := somePieces(words)
		if len(some) == 0 {
			return nil
		}
		pieces = append(pieces, some)
	}
	return pieces
}

// somePieces are the first, the middle and the last of all different pieces of the words. They are likely to be of
// different words, and to be rare where a word repeats one letter.
func somePieces(words []string) []string {
	var all []string
	for _, word := range words {
		letters := []rune(word)
		for i := 0; i+pieceLength <= len(letters); i++ {
			if piece := string(letters[i : i+pieceLength]); !slices.Contains(all, piece) {
				all = append(all, piece)
			}
		}
	}
	if n := len(all); n > maxPieces {
		return []string{all[0], all[n/2], all[n-1]}
	}
	return all
}

// useIndex is true if it is better to look the words up in the index than to read the rows that the client may see.
func (r request) useIndex() clause.Expr {
	visible := fromWhere(r.Table, "", r.visible...)
	sql := "(SELECT count(*) FROM (SELECT 1" + visible.SQL + " LIMIT " + strconv.Itoa(fewRows+1) + ") AS counted) > " + strconv.Itoa(fewRows)
	if r.dialect == "postgres" {
		sql = "(SELECT max(id) FROM " + r.Table + ") <= " + strconv.Itoa(smallTable) + " OR " + sql
	}
	return gorm.Expr(sql, visible.Vars...)
}

// hits selects the ids and sort keys of the rows that the client may see and asked for, and that meet these conditions.
func (r request) hits(tables string, conditions ...[]clause.Expr) clause.Expr {
	joins := ""
	if r.FiltersJoin {
		joins = r.Joins
	}
	rows := fromWhere(tables, joins, slices.Concat(r.conditions(), slices.Concat(conditions...))...)
	return gorm.Expr("SELECT "+r.Table+".id, "+r.orderBy+" AS sort_key"+rows.SQL, rows.Vars...)
}

// holdsWords lets through the rows whose text holds every word of a reading.
func (r request) holdsWords() []clause.Expr {
	position := map[string]string{"sqlite": "instr", "postgres": "strpos"}[r.dialect]
	return []clause.Expr{anyOf(r.readings, func(word string) clause.Expr { return gorm.Expr(position+"("+r.Search+", ?) > 0", word) })}
}

// anyOf is true if the condition is true of every text of one of the readings.
func anyOf(readings [][]string, condition func(string) clause.Expr) clause.Expr {
	var sql strings.Builder
	var args []any
	for i, texts := range readings {
		for j, text := range texts {
			switch {
			case j > 0:
				sql.WriteString(" AND ")
			case i > 0:
				sql.WriteString(" OR ")
			}
			c := condition(text)
			sql.WriteString(c.SQL)
			args = append(args, c.Vars...)
		}
	}
	return gorm.Expr(sql.String(), args...)
}

// lookUp returns the table and the conditions by which the index of the search finds the rows that hold these pieces.
func (r request) lookUp(pieces [][]string) (table string, conditions []clause.Expr) {
	if r.dialect == "sqlite" {
		match := anyOf(pieces, func(piece string) clause.Expr { return gorm.Expr(`"` + strings.ReplaceAll(piece, `"`, `""`) + `"`) })
		// NOT INDEXED leaves only the ids that were found, though SQLite would rather read an account's rows.
		return r.Table + " NOT INDEXED", []clause.Expr{
			gorm.Expr(r.Table+".id IN (SELECT rowid FROM "+r.SearchIndex+" WHERE "+r.SearchIndex+" MATCH ?)", match.SQL),
		}
	}
	// PostgreSQL makes its plan without knowing the pieces. It would rather read an index that holds the text than look
	// the pieces up in one that does not. No index holds the version, so asking for it rules the first way out.
	like := anyOf(pieces, func(piece string) clause.Expr { return gorm.Expr(r.Search+" LIKE ?", likePattern(piece)) })
	return r.Table, []clause.Expr{gorm.Expr(r.Table + ".version > 0"), like}
}

// likePattern matches every text that contains the piece, whose % and _ stand for themselves.
func likePattern(piece string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(piece) + "%"
}
