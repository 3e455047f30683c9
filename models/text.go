package models

import (
	"strings"
	"unicode"
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
			return norm.NFC.String(cases.Fold().String(strings.Map(upperCherokee, s)))
		}
	}
	return strings.ToLower(s)
}

// upperCherokee helps cases.Fold, which makes small letters of the capital ones of this script, and the reverse.
func upperCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

// maxName is as long as a name can be, in bytes: an e-mail has at most 254 characters.
const maxName = 254 * utf8.UTFMax

// nfkc is the form in which user names and e-mails are stored. What is too long for one stays as it is, and is refused
// for its length: Unicode's tables take long, and make a long text many times longer.
func nfkc(s string) string {
	if len(s) > maxName {
		return s
	}
	return norm.NFKC.String(s)
}

// nameKey gives the form in which two spellings of a user name, an e-mail or a licence number are equal. Names are
// stored, looked up, locked and compared by it. What is too long for a name has none, so it is nobody's.
func nameKey(s string) Folded {
	if len(s) > maxName {
		return ""
	}
	return Folded(Fold(nfkc(s)))
}

// ignorable tells whether a character is usually not seen: Unicode's property Default_Ignorable_Code_Point, as
// DerivedCoreProperties.txt derives it. Controls of the direction of writing are among these.
func ignorable(r rune) bool {
	return r > unicode.MaxASCII && unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
		!unicode.In(r, unicode.Prepended_Concatenation_Mark, shownFormats)
}

// shownFormats are the marks of annotations and of hieroglyphs.
var shownFormats = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0xfff9, Hi: 0xfffb, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x13430, Hi: 0x13440, Stride: 1}},
}

// Trim takes the spaces around a text away, and all of a text that shows nothing.
func Trim(s string) string {
	s = strings.TrimSpace(s)
	if strings.IndexFunc(s, func(r rune) bool { return !ignorable(r) && !unicode.IsSpace(r) }) < 0 {
		return ""
	}
	return s
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
