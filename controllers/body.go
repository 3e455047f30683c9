package controllers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/models"
)

// body is a JSON object as the client sent it.
type body struct {
	fields map[string]json.RawMessage // each still undecoded
	called map[string]string          // the names that the client used for fields which have two, see readAliases
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
	b.hash = hashOf(raw)
	b.called = map[string]string{}
	b.fields, err = parseObject(raw)
	return b, err
}

func hashOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
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
	wrong := readAliases[T](b)
	return func(in *T) apierror.Fields {
		*in = *new(T)
		errs := maps.Clone(wrong)
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
	wrong := readAliases[T](b)
	return func(in *T) apierror.Fields { return decode[M](b, in, maps.Clone(wrong)) }
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
