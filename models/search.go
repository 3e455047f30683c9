package models

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// searched are the tables whose search_text has an index of its three-letter pieces: a search for a word of three
// letters or more looks up the rows that hold it instead of reading every row. On PostgreSQL that is a GIN index of
// pg_trgm, on SQLite a table of FTS5 that triggers keep in step.
var searched = []struct{ table, with string }{
	// The owner is in the index too, because an account searches its own patients.
	{"patients", "created_by, "},
	{"doctors", ""},
}

// indexSearch makes what is missing of these indexes. It runs after the tables are migrated, because a rebuild of a
// table on SQLite drops its triggers.
func indexSearch(g *gorm.DB) error {
	for _, s := range searched {
		var err error
		if g.Name() == "postgres" {
			err = indexSearchPostgres(g, s.table, s.with)
		} else {
			err = indexSearchSQLite(g, s.table)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// indexSearchPostgres needs two extensions that come with PostgreSQL and that the owner of a database may create. Where
// they may not be created, searches read every row of an account: slower, and just as right.
func indexSearchPostgres(g *gorm.DB, table, with string) error {
	if g.Migrator().HasIndex(table, table+"_search") {
		return nil
	}
	err := errors.Join(g.Exec("CREATE EXTENSION IF NOT EXISTS pg_trgm").Error, g.Exec("CREATE EXTENSION IF NOT EXISTS btree_gin").Error)
	if err != nil {
		slog.Warn("searches have no index: the extensions pg_trgm and btree_gin cannot be created", "table", table, "sqlstate", apierror.SQLState(err))
		return nil
	}
	// A short list of pending entries keeps searches quick while many rows are added.
	return g.Exec("CREATE INDEX " + table + "_search ON " + table + " USING gin (" + with + "search_text gin_trgm_ops)" +
		" WITH (gin_pending_list_limit = 512) WHERE deleted_at IS NULL").Error
}

func indexSearchSQLite(g *gorm.DB, table string) error {
	index := table + "_search"
	if !g.Migrator().HasTable(index) {
		err := errors.Join(
			g.Exec("CREATE VIRTUAL TABLE "+index+" USING fts5(search_text, content='"+table+"', content_rowid='id', tokenize='trigram case_sensitive 1')").Error,
			g.Exec("INSERT INTO "+index+"("+index+") VALUES ('rebuild')").Error)
		if err != nil {
			return err
		}
	}
	add := "INSERT INTO " + index + "(rowid, search_text) VALUES (new.id, new.search_text); "
	remove := "INSERT INTO " + index + "(" + index + ", rowid, search_text) VALUES ('delete', old.id, old.search_text); "
	for event, does := range map[string]string{"INSERT": add, "UPDATE OF search_text": remove + add, "DELETE": remove} {
		name := index + "_" + strings.ToLower(strings.Fields(event)[0])
		err := g.Exec("CREATE TRIGGER IF NOT EXISTS " + name + " AFTER " + event + " ON " + table + " BEGIN " + does + "END").Error
		if err != nil {
			return err
		}
	}
	return nil
}

// Looking a word up takes as long as it is common among all accounts' rows, reading an account's rows as long as it has
// many. So words are looked up for whoever has more than fewRows; and in a table of up to smallTable rows on PostgreSQL,
// which takes less time to find an entry in an index than SQLite.
const (
	fewRows    = 10_000
	smallTable = 20_000
)

// hits begins a statement with the rows that meet the conditions and hold every word of the search: their ids, and their
// places in the order. They are found once, for whatever the statement does with them.
//
// There are two ways to find them, of which the statement itself chooses one: to read all rows that scope lets through
// (within an index that holds the text too, see Patient), or to look the words up. Only words of three letters or more
// can be looked up.
func (l listing) hits(g *gorm.DB, q query, scope []condition) (sql string, args []any) {
	position := map[string]string{"sqlite": "instr", "postgres": "strpos"}[g.Name()]
	var read []condition
	var long []string
	for _, word := range q.words {
		read = append(read, where(position+"("+l.search+", ?) > 0", word))
		if l.searchIndex != "" && utf8.RuneCountInString(word) >= 3 {
			long = append(long, word)
		}
	}
	if len(long) == 0 {
		rows, args := l.places(q, l.table, scope, read)
		return "WITH hits AS MATERIALIZED (" + rows + ") ", args
	}
	counting, choiceArgs := from(l.table, "", scope...)
	choice := "(SELECT count(*) FROM (SELECT 1" + counting + " LIMIT " + itoa(fewRows+1) + ") AS counted) > " + itoa(fewRows)
	if g.Name() == "postgres" {
		choice = "(SELECT max(id) FROM " + l.table + ") <= " + itoa(smallTable) + " OR " + choice
	}
	few, fewArgs := l.places(q, "choice CROSS JOIN "+l.table, scope, append(read, where("NOT choice.look_up")))
	table, lookUp := l.lookUp(g, long)
	many, manyArgs := l.places(q, "choice CROSS JOIN "+table, scope, append(lookUp, append(read, where("choice.look_up"))...))
	return "WITH choice AS MATERIALIZED (SELECT " + choice + " AS look_up), hits AS MATERIALIZED (" + few + " UNION ALL " + many + ") ",
		slices.Concat(choiceArgs, fewArgs, manyArgs)
}

// places selects the ids and the places of the rows of a search.
func (l listing) places(q query, tables string, scope, search []condition) (sql string, args []any) {
	joins := ""
	if l.filtersJoin {
		joins = l.joins
	}
	rows, args := from(tables, joins, slices.Concat(scope, q.where, search)...)
	return "SELECT " + l.table + ".id, " + q.column + " AS place" + rows, args
}

// lookUp finds the rows that hold the words by the index of the search.
func (l listing) lookUp(g *gorm.DB, words []string) (table string, conditions []condition) {
	if g.Name() == "sqlite" {
		for i, word := range words {
			words[i] = `"` + strings.ReplaceAll(word, `"`, `""`) + `"`
		}
		// By nothing but the ids that were found, though SQLite would rather read an account's rows.
		return l.table + " NOT INDEXED", []condition{
			where(l.table+".id IN (SELECT rowid FROM "+l.searchIndex+" WHERE "+l.searchIndex+" MATCH ?)", strings.Join(words, " AND ")),
		}
	}
	// PostgreSQL plans without knowing the words, and would rather read an index that holds the text than look them up in
	// one that does not: no index holds the version.
	conditions = []condition{where(l.table + ".version > 0")}
	for _, word := range words {
		conditions = append(conditions, where(l.search+" LIKE ?", likePattern(word)))
	}
	return l.table, conditions
}
