package controllers

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"healthcare/apierror"
	"healthcare/models"
)

// bindAll binds all fields of T, as POST and PUT do: what is left out gets its default. M is what clients are shown of
// such a row. Its other fields are read-only: they are accepted and ignored, so that what GET returned can be sent back.
func bindAll[M, T any](b body) models.Bind[T] {
	return func(in *T) apierror.Fields {
		*in = *new(T)
		errs := apierror.Fields{}
		for name, f := range models.JSONFields[T]() {
			if _, given := b.fields[name]; !given && required(f) {
				errs.Add(name, "This field is required.")
			}
			reset(reflect.ValueOf(in).Elem().FieldByIndex(f.Index), f)
		}
		return decode[M](b, in, errs)
	}
}

// bindGiven binds just the fields that the body names, as PATCH does.
func bindGiven[M, T any](b body) models.Bind[T] {
	return func(in *T) apierror.Fields { return decode[M](b, in, apierror.Fields{}) }
}

func decode[M, T any](b body, in *T, errs apierror.Fields) apierror.Fields {
	writable, readable := models.JSONFields[T](), models.JSONFields[M]()
	for name, raw := range b.fields {
		f, ok := writable[name]
		if !ok {
			if _, ok := readable[name]; !ok {
				errs.Add(name, "There is no such field.")
			}
			continue
		}
		if message := set(reflect.ValueOf(in).Elem().FieldByIndex(f.Index), f, raw); message != "" {
			errs.Add(name, message)
		}
	}
	return errs
}

func required(f reflect.StructField) bool {
	return strings.HasPrefix(f.Tag.Get("validate"), "required")
}

func reset(v reflect.Value, f reflect.StructField) {
	v.SetZero()
	if v.Kind() == reflect.String {
		v.SetString(f.Tag.Get("default"))
	}
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]+(\.0*)?$`)

// set decodes one field; null returns it to its default. It returns what is wrong, or nothing.
func set(v reflect.Value, f reflect.StructField, raw json.RawMessage) string {
	if string(raw) == "null" {
		if required(f) || v.Kind() == reflect.Bool {
			return "This field may not be null."
		}
		reset(v, f)
		return ""
	}
	switch v.Kind() {
	case reflect.String:
		return setText(v, f.Tag.Get("trim") != "no", raw)
	case reflect.Bool:
		if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
			return "Must be a valid boolean."
		}
	default:
		return setNumber(v, raw)
	}
	return ""
}

// setNumber takes whole numbers, also in quotes, as DRF does.
func setNumber(v reflect.Value, raw json.RawMessage) string {
	text := strings.Trim(string(raw), `"`)
	digits, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !wholeNumber.MatchString(text) {
		return "A valid integer is required."
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	v.SetInt(n)
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
	if !isUTF8(raw, s) {
		return "Invalid UTF-8 is not allowed."
	}
	if trim {
		s = strings.TrimSpace(s)
	}
	v.SetString(s)
	return ""
}

// isUTF8 tells whether a JSON text was all characters. Of what is none, encoding/json makes U+FFFD in silence, so there
// must be no U+FFFD in the decoded text that the client did not send, as a character or as \ufffd.
func isUTF8(raw json.RawMessage, decoded string) bool {
	sent := bytes.ContainsRune(raw, utf8.RuneError) || bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`))
	return utf8.Valid(raw) && (sent || !strings.ContainsRune(decoded, utf8.RuneError))
}
