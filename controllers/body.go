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
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
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
