package models

import (
	"cmp"
	"regexp"
	"strings"
	"time"
)

// searchText joins fields into the one text that a search looks into. It begins with a line break, by which it is known
// from those of earlier versions, see migrate_texts.go. No word of a search holds a line break, so none can match across
// two fields.
func searchText(fields ...string) string { return "\n" + Plain(strings.Join(fields, "\n")) }

// dialled is a phone number without what only makes it easier to read. The (0) is for calls within a country.
func dialled(number string) string { return phonePunctuation.Replace(number) }

var phonePunctuation = strings.NewReplacer("(0)", "", " ", "", "-", "", ".", "", "/", "", "(", "", ")", "")

// asWords reads a search as its words, and, if asked, as the words that an earlier version's texts hold. See
// listing.List.
func asWords(text string, old bool) [][]string {
	text = strings.ReplaceAll(text, ",", " ") // Müller, Hans
	readings := [][]string{strings.Fields(Plain(text))}
	if old {
		readings = append(readings, strings.Fields(Fold(text)))
	}
	return readings
}

// asWordsAndNumbers is asWords for patients. It reads the words as phone numbers and dates, too.
func asWordsAndNumbers(text string, old bool) [][]string {
	readings := asWords(text, old)
	return append(readings, asNumbers(readings[0]))
}

// phoneWord has only what a phone number may have. Words of this kind that follow each other are one number.
var phoneWord = regexp.MustCompile(`^[0-9+\-().x/]+$`)

// asNumbers writes the phone numbers and birth dates among these words as search texts hold them. Other words stay.
func asNumbers(words []string) (read []string) {
	var number []string // the words of a phone number so far
	for _, word := range words {
		day := birthDate(word)
		if day == "" && phoneWord.MatchString(word) {
			number = append(number, word)
			continue
		}
		read = append(append(read, asNumber(number)...), cmp.Or(day, word))
		number = nil
	}
	return append(read, asNumber(number)...)
}

// asNumber makes one number of the words of a phone number. Of six digits or more only those count that follow the zeros
// and the + at their beginning, which differ with the place that one calls from: 030…, 0049 30… and +49 30….
func asNumber(words []string) []string {
	number := dialled(strings.Join(words, ""))
	significant := strings.TrimLeft(number, "+0")
	switch digits := len(number) - strings.Count(number, "+") - strings.Count(number, "x"); {
	case digits == 0:
		return words
	case digits >= 6 && significant != "":
		return []string{significant}
	}
	return []string{number}
}

// birthDate is the day that a word is, as YYYY-MM-DD; "" if it is none. With dots, the day comes first everywhere.
func birthDate(word string) string {
	for _, layout := range []string{time.DateOnly, "2.1.2006"} {
		if t, err := time.Parse(layout, word); err == nil && born(t.Format(time.DateOnly)) {
			return t.Format(time.DateOnly)
		}
	}
	return ""
}
