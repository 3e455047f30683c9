package controllers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/models"
)

// body is a JSON object as the client sent it.
type body struct {
	fields map[string]json.RawMessage // each still undecoded
	hash   string                     // of the bytes, in hex
}

// readBody reads the one JSON object that a request's body must be. A request without a body and without a
// Content-Type counts as an empty object.
func readBody(c *gin.Context) (b body, err error) {
	raw, err := io.ReadAll(c.Request.Body) // which middleware.Body has in memory
	if err != nil {
		return b, err
	}
	contentType := c.GetHeader("Content-Type")
	if len(raw) == 0 && contentType == "" {
		return b, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if charset := params["charset"]; err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return b, &apierror.Error{Code: apierror.UnsupportedMediaType, Detail: "Unsupported media type in request. Send application/json in UTF-8."}
	}
	sum := sha256.Sum256(raw)
	b.hash = hex.EncodeToString(sum[:])
	b.fields, err = parseObject(raw)
	return b, err
}

func parseError(message string) error {
	return &apierror.Error{Code: apierror.ParseError, Detail: "JSON parse error - " + message + "."}
}

// parseObject returns the fields of a JSON object, each still undecoded. It refuses an object that names a field twice:
// json.Unmarshal would take the last in silence.
func parseObject(raw []byte) (map[string]json.RawMessage, error) {
	if err := checkObject(raw); err != nil {
		return nil, err
	}
	fields, twice := map[string]json.RawMessage{}, apierror.Fields{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	_, _ = decoder.Token() // the opening brace; the syntax is known to be right
	for decoder.More() {
		token, _ := decoder.Token()
		name, _ := token.(string)
		if strings.ContainsRune(name, utf8.RuneError) {
			return nil, parseError("a name is not UTF-8")
		}
		if fields[name] != nil {
			twice.Add(name, "This field was given twice.")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, parseError("unexpected end")
		}
		fields[name] = value
	}
	return fields, twice.Err()
}

// checkObject refuses what is no JSON object, or more than one.
func checkObject(raw []byte) error {
	text := bytes.TrimLeft(raw, " \t\r\n")
	if json.Valid(raw) && text[0] == '{' {
		return nil
	}
	var into struct{}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(raw, &into); errors.As(err, &syntax) {
		return parseError(fmt.Sprintf("%s (char %d)", syntax.Error(), syntax.Offset))
	}
	return &apierror.Error{Code: apierror.Invalid, Detail: "Invalid data. Expected a dictionary."}
}

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
		s = models.Trim(s)
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
