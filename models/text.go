package models

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Fold gives the form in which two spellings that differ only in case are equal: Unicode's full case folding, then
// NFC. It is computed here and not in SQL because neither LIKE of SQLite nor ILIKE in a C locale folds beyond ASCII.
func Fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(s))
		}
	}
	return strings.ToLower(s)
}

// searchText joins fields into the one folded text that a search looks into. No word of a search holds a line
// break, so none can match across two fields.
func searchText(fields ...string) string { return Fold(strings.Join(fields, "\n")) }

// Folded is a column of folded text that both databases order by code point.
type Folded string

// GormDBDataType makes PostgreSQL compare bytes whatever the database's locale is, as SQLite always does.
func (Folded) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	if db.Name() == "postgres" {
		return `text COLLATE "C"`
	}
	return "text"
}
