package models

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-playground/validator/v10"

	"healthcare/apierror"
)

// Bind puts what a client sent into a struct, and returns the fields that cannot be understood. The map is never nil.
type Bind[T any] func(*T) apierror.Fields

// Validated binds to in, and adds what the `validate` tags refuse, so that the client is told all at once. Each tag names
// a length before what takes longer to check.
func (bind Bind[T]) Validated(in *T) apierror.Fields {
	errs := bind(in)
	if names, ok := any(in).(interface{ normalize() }); ok {
		names.normalize()
	}
	for field, messages := range Validate(in) {
		if errs[field] == nil {
			errs[field] = messages
		}
	}
	return errs
}

// Read binds to an empty struct, for bodies of which no row is stored.
func (bind Bind[T]) Read() (T, error) {
	var in T
	err := bind.Validated(&in).Err()
	return in, err
}

var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("json") })
	for tag, ok := range map[string]func(string) bool{
		"born":     born,
		"phone":    regexp.MustCompile(`^[0-9 +\-().x/]*$`).MatchString,
		"visible":  visible,
		"shown":    shown,
		"uri":      uriLike.MatchString,
		"username": func(s string) bool { return visible(s) && usernameLetters.MatchString(s) },
	} {
		err := v.RegisterValidation(tag, func(fl validator.FieldLevel) bool { return ok(fl.Field().String()) })
		if err != nil {
			panic(err)
		}
	}
	return v
}

var usernameLetters = regexp.MustCompile(`^[\p{L}\p{M}\p{N}.+\-_]*$`)

// visible refuses characters that nobody sees: with one in it, a name looks like another's.
func visible(s string) bool { return !strings.ContainsFunc(s, ignorable) }

// born accepts days from 1900 to today, wherever on earth today is furthest (UTC+14).
func born(day string) bool {
	return day >= "1900-01-01" && day <= time.Now().UTC().Add(14*time.Hour).Format(time.DateOnly)
}

// Validate checks the `validate` tags of a struct, and each Date without one, and returns what is wrong, in DRF's words.
func Validate(in any) apierror.Fields {
	errs := apierror.Fields{}
	var failed validator.ValidationErrors
	if errors.As(validate.Struct(in), &failed) {
		for _, f := range failed {
			field, entry := placeOf(f)
			errs.Add(field, entry+sentence(f))
		}
	}
	v := reflect.Indirect(reflect.ValueOf(in))
	for name, f := range jsonFieldsOf(v.Type()) {
		if f.Type != typeDate && f.Type != reflect.PointerTo(typeDate) {
			continue
		}
		day := reflect.Indirect(v.FieldByIndex(f.Index))
		if day.IsValid() && !Date(day.String()).valid() {
			errs[name] = []string{wrongDate}
		}
	}
	return errs
}

var typeDate = reflect.TypeFor[Date]()

// inList finds the list, the entry and the field that a fault within a list is of.
var inList = regexp.MustCompile(`(\w+)\[(\d+)\]\.(\w+)$`)

// placeOf is the field that is wrong, and if that is a list, which of its entries is, counted from 1.
func placeOf(f validator.FieldError) (field, entry string) {
	at := inList.FindStringSubmatch(f.Namespace())
	if at == nil {
		return f.Field(), ""
	}
	n, _ := strconv.Atoi(at[2])
	return at[1], fmt.Sprintf("Entry %d: %s: ", n+1, at[3])
}

// sentences are what is wrong by the tags that need no more to say it.
var sentences = map[string]string{
	"email":    "Enter a valid email address.",
	"visible":  "Enter a valid email address.",
	"born":     "Ensure this date is not before 1900-01-01 and not in the future.",
	"phone":    "Enter a valid phone number: digits, spaces and + - ( ) . x / only.",
	"shown":    "Invisible characters are not allowed.",
	"uri":      "Enter a URI, such as urn:clinic:file.",
	"unique":   "The same entry is given twice.",
	"username": "Enter a valid username: letters, digits and . + - _ only.",
}

func sentence(f validator.FieldError) string {
	isText := f.Kind() == reflect.String
	switch f.Tag() {
	case "required":
		if isText {
			return "This field may not be blank."
		}
		return "This field is required."
	case "max":
		if isText {
			return "Ensure this field has no more than " + f.Param() + " characters."
		}
		if f.Kind() == reflect.Slice {
			return "Ensure this field has no more than " + f.Param() + " entries."
		}
		return "Ensure this value is less than or equal to " + f.Param() + "."
	case "min":
		if isText {
			return "Ensure this field has at least " + f.Param() + " characters."
		}
		return "Ensure this value is greater than or equal to " + f.Param() + "."
	case "oneof":
		return "Not a valid choice. Use one of: " + strings.ReplaceAll(f.Param(), " ", ", ") + "."
	}
	if says, ok := sentences[f.Tag()]; ok {
		return says
	}
	return "Invalid value."
}

// JSONFields maps the JSON names of a struct's fields, those of embedded structs included.
func JSONFields[T any]() map[string]reflect.StructField {
	return jsonFieldsOf(reflect.TypeFor[T]())
}

func jsonFieldsOf(t reflect.Type) map[string]reflect.StructField {
	if fields, ok := jsonFields.Load(t); ok {
		return fields.(map[string]reflect.StructField)
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("json"); name != "" && name != "-" {
			fields[name] = f
		}
	}
	jsonFields.Store(t, fields)
	return fields
}

var jsonFields sync.Map // by type, because reflection takes long
