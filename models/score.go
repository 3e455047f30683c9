package models

import (
	"slices"
	"strings"

	"github.com/hbollon/go-edlib"
)

// Likeness is how alike a patient and what is known of a person are: the sum of the weights of the reasons.
type Likeness struct {
	Score   int      `json:"score"`
	Reasons []string `json:"reasons"`
}

// What speaks for and against two being one person; docs/matching.md explains the weights. What is unknown of one of them
// counts nothing.
var weights = map[string]int{
	"identifier_equal": 60,
	"name_equal":       40, "name_swapped": 38, "name_similar": 32, "name_differs": -30,
	"birth_date_equal": 35, "birth_date_swapped": 28, "birth_date_digit": 25, "birth_date_differs": -25,
	"phone_equal": 25, "email_equal": 25,
	"gender_differs": -10,
}

// probablySame is the score from which on two are probably one person; below leastLikeness nobody is shown.
const (
	probablySame  = 60
	leastLikeness = 30
)

// likeness compares a patient with what is known of a person.
func likeness(p *Patient, known *MatchFields) Likeness {
	l := Likeness{Reasons: []string{}}
	l.add(commonIdentifier(p.Identifiers, known.Identifiers))
	l.add(compareNames(p.Name, known.Name))
	l.add(compareDates(string(p.DateOfBirth), string(known.DateOfBirth)))
	if n := significant(p.Phone); n != "" && n == significant(known.Phone) {
		l.add("phone_equal")
	}
	if known.Email != "" && Plain(p.Email) == Plain(known.Email) {
		l.add("email_equal")
	}
	if known.Gender != "" && known.Gender != "unknown" && p.Gender != "unknown" && p.Gender != known.Gender {
		l.add("gender_differs")
	}
	return l
}

func (l *Likeness) add(reason string) {
	if reason != "" {
		l.Score += weights[reason]
		l.Reasons = append(l.Reasons, reason)
	}
}

// commonIdentifier compares values without regard to case: a typing error in one must not hide the other.
func commonIdentifier(a, b Identifiers) string {
	for _, one := range a {
		if slices.ContainsFunc(b, func(o Identifier) bool { return o.System == one.System && Fold(o.Value) == Fold(one.Value) }) {
			return "identifier_equal"
		}
	}
	return ""
}

// nameWords are the words of a name, without accents and punctuation.
func nameWords(name string) []string {
	return strings.FieldsFunc(Plain(name), func(r rune) bool { return r == ' ' || r == ',' || r == '.' || r == '-' || r == '\u00a0' })
}

// compareNames is about whole words: each must have its like in the other name, none twice.
func compareNames(a, b string) string {
	if a == "" || b == "" {
		return ""
	}
	as, bs := nameWords(a), nameWords(b)
	switch {
	case slices.Equal(as, bs):
		return "name_equal"
	case len(as) != len(bs) || len(as) > maxNameWords:
		return "name_differs"
	case slices.Equal(slices.Sorted(slices.Values(as)), slices.Sorted(slices.Values(bs))):
		return "name_swapped"
	}
	for _, word := range as {
		i := slices.IndexFunc(bs, func(other string) bool { return other == word })
		if i < 0 {
			i = slices.IndexFunc(bs, func(other string) bool { return oneLetterOff(word, other) })
		}
		if i < 0 {
			return "name_differs"
		}
		bs = slices.Delete(bs, i, i+1)
	}
	return "name_similar"
}

// maxNameWords is how many words of a name are compared letter by letter.
const maxNameWords = 8

// oneLetterOff tells whether one letter is added, left out or another one, or two neighbours are exchanged. Words of one or
// two letters would be like too many.
func oneLetterOff(a, b string) bool {
	long := min(len([]rune(a)), len([]rune(b))) > 2
	return long && edlib.OSADamerauLevenshteinDistance(a, b) == 1
}

// compareDates compares days written YYYY-MM-DD.
func compareDates(a, b string) string {
	if a == "" || b == "" {
		return ""
	}
	different := 0
	for i := range a {
		if a[i] != b[i] {
			different++
		}
	}
	switch {
	case different == 0:
		return "birth_date_equal"
	case b == swappedDay(a):
		return "birth_date_swapped"
	case different == 1:
		return "birth_date_digit"
	}
	return "birth_date_differs"
}

// swappedDay exchanges the day and the month; "" if that is no day.
func swappedDay(day string) string {
	if len(day) != len("2006-01-02") {
		return ""
	}
	return birthDate(day[:5] + day[8:] + "-" + day[5:7])
}

// significant are the digits of a phone number that do not depend on where one calls from: the last nine; "" if there are
// fewer than six.
func significant(phone string) string {
	number, _, _ := strings.Cut(dialled(phone), "x") // an extension
	number = strings.TrimLeft(number, "+0")
	if len(number) < 6 {
		return ""
	}
	return number[max(0, len(number)-9):]
}
