package models

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
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

// likePattern matches every text that contains word, whose % and _ stand for themselves.
func likePattern(word string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word) + "%"
}
