package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"healthcare/apierror"
	"healthcare/models"
)

func required(f reflect.StructField) bool {
	return strings.HasPrefix(f.Tag.Get("validate"), "required")
}

// reset gives a field the default of its tag, else its zero.
func reset(v reflect.Value, f reflect.StructField) {
	v.SetZero()
	text, ok := f.Tag.Lookup("default")
	if !ok {
		return
	}
	if v.Kind() != reflect.Bool {
		text = strconv.Quote(text)
	}
	_ = set(v, f, json.RawMessage(text)) // a test holds all defaults against this
}

// set decodes one field; null returns it to its default. It returns what is wrong, or nothing.
func set(v reflect.Value, f reflect.StructField, raw json.RawMessage) string {
	if string(raw) == "null" {
		if required(f) || v.Kind() == reflect.Bool || v.CanInt() && f.Tag.Get("default") == "" || v.Type() == timeType {
			return "This field may not be null."
		}
		reset(v, f)
		return ""
	}
	if v.Kind() != reflect.Pointer {
		return setValue(v, f, raw)
	}
	made := reflect.New(v.Type().Elem())
	message := setValue(made.Elem(), f, raw)
	if message == "" {
		v.Set(made)
	}
	return message
}

var timeType = reflect.TypeFor[time.Time]()

// setValue decodes what is not null. A kind that no record has yet is left to encoding/json.
func setValue(v reflect.Value, f reflect.StructField, raw json.RawMessage) string {
	switch {
	case v.Type() == timeType:
		return setTime(v, raw)
	case v.Kind() == reflect.String:
		return setText(v, f.Tag.Get("trim") != "no", raw)
	case v.CanInt():
		return setNumber(v, raw)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		return setEntries(v, raw)
	}
	if json.Unmarshal(raw, v.Addr().Interface()) == nil {
		return ""
	}
	switch {
	case v.Kind() == reflect.Bool:
		return "Must be a valid boolean."
	case v.CanUint():
		return "A valid integer is required."
	case v.CanFloat():
		return "A valid number is required."
	}
	return "Not a valid value."
}

// maxFaults is how many faults of one list are told.
const maxFaults = 20

// setEntries decodes a list of objects, whose fields are all required. It names the entry that is wrong, counted from 1.
func setEntries(v reflect.Value, raw json.RawMessage) string {
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return "Expected a list of objects."
	}
	v.Set(reflect.MakeSlice(v.Type(), len(entries), len(entries)))
	var faults []string
	for i := 0; i < len(entries) && len(faults) < maxFaults; i++ {
		for _, fault := range setEntry(v.Index(i), entries[i]) {
			faults = append(faults, fmt.Sprintf("Entry %d: %s", i+1, fault))
		}
	}
	return strings.Join(faults, " ")
}

func setEntry(v reflect.Value, raw json.RawMessage) (faults []string) {
	given, err := parseObject(raw)
	var known *apierror.Error
	if errors.As(err, &known) {
		for _, name := range slices.Sorted(maps.Keys(known.Fields)) {
			faults = append(faults, name+": "+known.Fields[name][0])
		}
		if len(faults) == 0 {
			faults = []string{known.Detail}
		}
		return faults
	}
	for _, f := range reflect.VisibleFields(v.Type()) {
		name := f.Tag.Get("json")
		fault := "This field is required."
		if raw, ok := given[name]; ok {
			fault = set(v.FieldByIndex(f.Index), f, raw)
		}
		if fault != "" {
			faults = append(faults, name+": "+fault)
		}
		delete(given, name)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		faults = append(faults, name+": There is no such field.")
	}
	return faults
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]+(\.0*)?$`)

// setNumber takes whole numbers, also in quotes, as DRF does.
func setNumber(v reflect.Value, raw json.RawMessage) string {
	text := strings.Trim(string(raw), `"`)
	digits, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !wholeNumber.MatchString(text) || v.OverflowInt(n) {
		return "A valid integer is required."
	}
	v.SetInt(n)
	return ""
}

var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`) // Go takes T8:00:00, too

// setTime takes RFC 3339, and keeps it in UTC to the microsecond, as both databases do.
func setTime(v reflect.Value, raw json.RawMessage) string {
	var text string
	var at time.Time
	err := json.Unmarshal(raw, &text)
	if err == nil {
		at, err = time.Parse(time.RFC3339, models.Trim(text))
	}
	at = at.UTC().Truncate(time.Microsecond)
	if err != nil || !dateTime.MatchString(models.Trim(text)) || at.Year() < 1 || at.Year() > 9999 {
		return "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z]."
	}
	v.Set(reflect.ValueOf(at))
	return ""
}

func setText(v reflect.Value, trim bool, raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "Not a valid string."
	}
	if strings.ContainsRune(s, 0) {
		return "Null characters are not allowed."
	}
	if !models.IsUTF8(raw, s) {
		return "Invalid UTF-8 is not allowed."
	}
	if trim {
		s = models.Trim(s)
	}
	v.SetString(s)
	return ""
}
