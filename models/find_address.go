package models

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"unicode/utf8"

	gosqlite "github.com/glebarez/go-sqlite"
)

// AddressBegins is true of patients in whose address a word begins with a text, whatever its case and accents.
func AddressBegins(text string) Condition { return addressLike("% " + like.Replace(Plain(text)) + "%") }

// AddressContains is true of patients whose address contains a text, whatever its case and accents.
func AddressContains(text string) Condition {
	return addressLike("%" + like.Replace(Plain(text)) + "%")
}

// addressLike compares addresses in their plain form. No column holds it, because addresses are searched rarely: SQLite
// calls Plain, and PostgreSQL replaces letters. A line begins a word.
func addressLike(pattern string) Condition {
	return Condition{`' ' || replace(plain(patients.address), char(10), ' ') LIKE ? ESCAPE '\'`, []any{pattern}}
}

func init() {
	gosqlite.MustRegisterDeterministicScalarFunction("plain", 1, func(_ *gosqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		text, _ := args[0].(string)
		return Plain(text), nil
	})
}

// plainInPostgres is what Plain does, in PostgreSQL's SQL: for Latin, Greek and Cyrillic letters, and the marks on them. Its
// lower() would depend on the locale of the database, so each letter is named here.
func plainInPostgres() string {
	var from, to strings.Builder
	text := "normalize(patients.address, NFC)"
	for _, letters := range [][2]rune{{'A', '\u02ff'}, {'\u0370', '\u052f'}, {'\u1e00', '\u1eff'}, {'\u2010', '\u2019'}} {
		for r := letters[0]; r <= letters[1]; r++ {
			switch p := Plain(string(r)); {
			case p == string(r):
			case utf8.RuneCountInString(p) == 1:
				from.WriteRune(r)
				to.WriteString(p)
			default:
				text = fmt.Sprintf("replace(%s, '%c', %s)", text, r, "'"+strings.ReplaceAll(p, "'", "''")+"'")
			}
		}
	}
	for r := '\u0300'; r <= '\u036f'; r++ {
		from.WriteRune(r) // which translate takes away, as nothing stands for it
	}
	text = fmt.Sprintf("translate(%s, '%s', '%s')", text, from.String(), strings.ReplaceAll(to.String(), "'", "''"))
	return "CASE WHEN octet_length(patients.address) = length(patients.address) THEN lower(patients.address) ELSE " + text + " END"
}
