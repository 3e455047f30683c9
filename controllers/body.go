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

func parseError(says string) error {
	return &apierror.Error{Code: apierror.ParseError, Detail: "JSON parse error - " + says + "."}
}

func parseObject(raw []byte) (map[string]json.RawMessage, error) {
	var b map[string]json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(raw, &b)
	switch {
	case errors.As(err, &syntax):
		return nil, parseError(fmt.Sprintf("%s (char %d)", syntax.Error(), syntax.Offset))
	case err != nil || b == nil:
		return nil, &apierror.Error{Code: apierror.Invalid, Detail: "Invalid data. Expected a dictionary."}
	}
	twice := apierror.Fields{}
	seen := map[string]bool{}
	for dec, depth := json.NewDecoder(bytes.NewReader(raw)), 0; ; {
		token, err := dec.Token()
		if err != nil {
			return b, twice.Err()
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
			continue
		}
		key, isText := token.(string)
		if depth != 1 || !isText {
			continue
		}
		if !utf8.ValidString(key) || strings.ContainsRune(key, utf8.RuneError) {
			return nil, parseError("a name is not UTF-8")
		}
		if seen[key] {
			twice.Add(key, "This field was given twice.")
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, parseError("unexpected end")
		}
	}
}

// whole makes a change that builds a whole row of T, as POST and PUT do: what is left out gets its default. M is
// what clients are shown of such a row; its other fields are read-only, accepted and ignored, so that what GET
// returned can be sent back.
func whole[M, T any](b body) models.Change[T] {
	return func(in *T) apierror.Fields {
		*in = *new(T)
		wrong := apierror.Fields{}
		for name, f := range models.JSONFields[T]() {
			if _, given := b.fields[name]; !given && required(f) {
				wrong.Add(name, "This field is required.")
			}
			reset(reflect.ValueOf(in).Elem().FieldByIndex(f.Index), f)
		}
		return decode[M](b, in, wrong)
	}
}

// partial makes a change of just the fields that the body names, as PATCH does.
func partial[M, T any](b body) models.Change[T] {
	return func(in *T) apierror.Fields { return decode[M](b, in, apierror.Fields{}) }
}

func decode[M, T any](b body, in *T, wrong apierror.Fields) apierror.Fields {
	writable, readable := models.JSONFields[T](), models.JSONFields[M]()
	for name, raw := range b.fields {
		f, ok := writable[name]
		if !ok {
			if _, ok := readable[name]; !ok {
				wrong.Add(name, "There is no such field.")
			}
			continue
		}
		if says := set(reflect.ValueOf(in).Elem().FieldByIndex(f.Index), f, raw); says != "" {
			wrong.Add(name, says)
		}
	}
	return wrong
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

// set decodes one field; null returns it to its default. It says what is wrong, or nothing.
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
	default: // whole numbers, also in quotes
		digits, _, _ := strings.Cut(strings.Trim(string(raw), `"`), ".")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || !wholeNumber.MatchString(strings.Trim(string(raw), `"`)) {
			return "A valid integer is required."
		}
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		v.SetInt(n)
	}
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
	// encoding/json puts U+FFFD in place of what is no character, in silence.
	replaced := strings.ContainsRune(s, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) && !bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`))
	if !utf8.Valid(raw) || replaced {
		return "Invalid UTF-8 is not allowed."
	}
	if trim {
		s = strings.TrimSpace(s)
	}
	v.SetString(s)
	return ""
}
