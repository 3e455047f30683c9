package models

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Fold gives the form in which two spellings that differ only in case are equal: Unicode's full case folding, then
// NFC. It is computed here and not in SQL because neither LIKE of SQLite nor ILIKE in a C locale folds beyond ASCII.
func Fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(cases.Fold().String(strings.Map(upperCherokee, s)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// upperCherokee helps cases.Fold, which makes small letters of the capital ones of this script, and the reverse.
func upperCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

// Plain gives the form in which two spellings are equal that differ only in case, accents or the width of letters: what
// is searched for and what is searched both have it, so "lindstrom" and "Lindström" find each other.
func Plain(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return plainLetters.Replace(Fold(withoutMarks(norm.NFD.String(width.Fold.String(s)))))
}

// unmarked are the scripts whose readers often leave marks out. In all others a mark makes another letter: が is not か.
var unmarked = []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Hebrew, unicode.Arabic}

// withoutMarks takes the marks from the letters of these scripts, in a text in NFD. The breve of Cyrillic stays: ё is
// often written е, but й is never written и.
func withoutMarks(s string) string {
	const breve, iotaBelow = '\u0306', '\u0345' // of which Fold makes a letter
	var letter rune                             // that the marks belong to
	return strings.Map(func(r rune) rune {
		switch {
		case !unicode.Is(unicode.Mn, r):
			letter = r
		case r == iotaBelow, r == breve && unicode.Is(unicode.Cyrillic, letter):
		case unicode.In(letter, unmarked...):
			return -1
		}
		return r
	}, s)
}

// plainLetters are letters that keep their marks in NFD, and signs for which keyboards have another one.
var plainLetters = strings.NewReplacer(
	"æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ħ", "h", "ŧ", "t", "ŋ", "n", "ı", "i", "ə", "e",
	"ɓ", "b", "ɗ", "d", "ɖ", "d", "ƙ", "k", "ƴ", "y", "ɛ", "e", "ɔ", "o",
	"’", "'", "‘", "'", "ʼ", "'", "ʻ", "'", "‐", "-", "‑", "-", "–", "-",
)

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

// Folded is a column of folded text that both databases order by code point.
type Folded string

// GormDBDataType makes PostgreSQL compare bytes whatever the database's locale is, as SQLite always does.
func (Folded) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	if db.Name() == "postgres" {
		return `text COLLATE "C"`
	}
	return "text"
}

// IsUTF8 tells whether a JSON text was all characters. Of what is none, encoding/json makes U+FFFD in silence, so there
// must be no U+FFFD in the decoded text that the client did not send, as a character or as \ufffd.
func IsUTF8(raw []byte, decoded string) bool {
	sent := bytes.ContainsRune(raw, utf8.RuneError) || bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`))
	return utf8.Valid(raw) && (sent || !strings.ContainsRune(decoded, utf8.RuneError))
}
