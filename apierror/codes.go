package apierror

import (
	"regexp"
	"strings"
)

// FieldCode is the word for what is wrong with a field, for programs that say it in their own words; DRF's and Django's
// where they have one.
type FieldCode string

// fieldCodes are the codes by how their sentences begin. As in DRF, a code has always the same sentence, so nobody who
// reports an error has to name both. All other sentences are of the code "invalid".
var fieldCodes = []struct {
	begins string
	code   FieldCode
}{
	{"This field is required.", "required"},
	{"This field may not be blank.", "blank"},
	{"This field may not be null.", "null"},
	{"This field was given twice.", "duplicate"},
	{"There is no such field.", "unknown"},
	{"There is no such page.", "not_found"},
	{"Ensure this field has no more than ", "max_length"},
	{"Ensure this field has at least ", "min_length"},
	{"Ensure this value is less than or equal to ", "max_value"},
	{"Ensure this value is greater than or equal to ", "min_value"},
	{"Ensure this date is not before ", "out_of_range"},
	{"Not a valid choice.", "invalid_choice"},
	{"Invalid pk ", "does_not_exist"},
	{"another patient has this identifier.", "unique"},
	{"A user with that ", "unique"},
	{"A doctor with that ", "unique"},
	{"This password is too short.", "password_too_short"},
	{"This password is too common.", "password_too_common"},
	{"This password is entirely numeric.", "password_entirely_numeric"},
	{"The password is too similar to ", "password_too_similar"},
}

// Codes gives each message its code, in the same order.
func (f Fields) Codes() map[string][]FieldCode {
	codes := make(map[string][]FieldCode, len(f))
	for field, messages := range f {
		for _, message := range messages {
			codes[field] = append(codes[field], codeOf(message))
		}
	}
	return codes
}

// entry is how the sentence about one entry of a list begins, and about one of its fields.
var entry = regexp.MustCompile(`^Entry [0-9]+: (?:[a-z_]+: )?`)

func codeOf(message string) FieldCode {
	message = strings.TrimPrefix(message, entry.FindString(message))
	for _, c := range fieldCodes {
		if strings.HasPrefix(message, c.begins) {
			return c.code
		}
	}
	return "invalid"
}
