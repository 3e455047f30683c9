package models

import (
	"errors"
	"log/slog"
	"strings"

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
