package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"healthcare/models"
)

// object is a JSON object that was sent. Its values are texts, numbers (json.Number), booleans, lists and objects.
type object = map[string]any

// deepest is how deep a resource may be nested: what is stored is never deeper than six.
const deepest = 32

// parse reads the JSON of a resource, and tells all that no resource may have: an element that is given twice, null, and
// an empty text, list or object (http://hl7.org/fhir/R4/json.html).
func parse(raw []byte, name string) (object, Issues) {
	if !utf8.Valid(raw) {
		return nil, Issues{{Code: "structure", Says: "The body is not in UTF-8."}}
	}
	p := &parser{Decoder: json.NewDecoder(bytes.NewReader(raw)), raw: raw}
	p.UseNumber()
	value, err := p.value(name, 0)
	if err == nil {
		if _, err = p.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else {
			err = errors.New("there is more after the resource")
		}
	}
	if err != nil {
		return nil, Issues{{Code: "structure", Says: "This is no JSON: " + err.Error() + "."}}
	}
	whole, ok := value.(object)
	if !ok {
		return nil, Issues{{Code: "structure", Says: "A resource is a JSON object."}}
	}
	return whole, p.wrong
}

type parser struct {
	*json.Decoder
	raw   []byte
	wrong Issues
}

func (p *parser) is(at, says string) {
	if len(p.wrong) < mostIssues {
		p.wrong = append(p.wrong, Issue{Code: "structure", At: at, Says: says})
	}
}

// mostIssues is how many faults are told of one resource.
const mostIssues = 100

func (p *parser) value(at string, depth int) (any, error) {
	if depth > deepest {
		return nil, fmt.Errorf("it is nested deeper than %d", deepest)
	}
	start := p.InputOffset()
	token, err := p.Token()
	if err != nil {
		return nil, syntax(err)
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(at, depth)
		}
		return p.list(at, depth)
	case nil:
		p.is(at, "null is no value: leave the element out.")
	case string:
		return p.text(at, t, p.raw[start:p.InputOffset()]), nil
	}
	return token, nil
}

// text checks a text: what is empty, or not of characters alone, is none. PostgreSQL keeps no U+0000, and of half a pair of
// surrogates encoding/json makes U+FFFD in silence. In what it returns is no U+0000, so
// that the rest of the resource can be checked, too.
func (p *parser) text(at, decoded string, raw []byte) string {
	switch {
	case strings.TrimSpace(decoded) == "":
		p.is(at, "An empty text is no value: leave the element out.")
	case strings.ContainsRune(decoded, 0):
		p.is(at, "Null characters are not allowed.")
	case !models.IsUTF8(raw, decoded):
		p.is(at, "Invalid UTF-8 is not allowed.")
	}
	return strings.ReplaceAll(decoded, "\x00", "\uFFFD")
}

func (p *parser) object(at string, depth int) (any, error) {
	all := object{}
	for p.More() {
		token, err := p.Token()
		if err != nil {
			return nil, syntax(err)
		}
		name, _ := token.(string)
		value, err := p.value(at+"."+name, depth+1)
		if err != nil {
			return nil, err
		}
		if _, again := all[name]; again {
			p.is(at+"."+name, "This element was given twice.")
		}
		all[name] = value
	}
	if len(all) == 0 {
		p.is(at, "An empty object is no value: leave the element out.")
	}
	_, err := p.Token()
	return all, syntax(err)
}

func (p *parser) list(at string, depth int) (any, error) {
	var all []any
	for p.More() {
		value, err := p.value(index(at, len(all)), depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	if len(all) == 0 {
		p.is(at, "An empty list is no value: leave the element out.")
	}
	_, err := p.Token()
	return all, syntax(err)
}

// syntax is an error without Go's own words for it.
func syntax(err error) error {
	var wrong *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return fmt.Errorf("%s (char %d)", wrong.Error(), wrong.Offset)
	}
	return errors.New("it ends too soon")
}
