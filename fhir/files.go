package fhir

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
)

// Sent is a resource in a file.
type Sent struct {
	Type  string
	ID    string // "" if it has none, or a wrong one
	Raw   []byte
	Place string // such as "line 3", or "line 2, entry 17" of a Bundle
}

// biggest is how many bytes of a file are in memory at once: those of one resource.
const biggest = 16 << 20

// ReadFile gives each resource of a file to use: of NDJSON, or of Bundles. It reads as a stream, so that memory does not grow
// with the file. An error names the line.
func ReadFile(from io.Reader, use func(Sent) error) error {
	in := bufio.NewReader(from)
	if mark, _ := in.Peek(3); string(mark) == "\uFEFF" {
		_, _ = in.Discard(3)
	}
	f := &file{lines: &lines{from: in, left: biggest}, use: use}
	f.Decoder = json.NewDecoder(f.lines)
	for n := 0; ; n++ {
		f.lines.left = biggest
		token, err := f.Token()
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return errors.New("the file is empty")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return f.broken(err)
		case token != json.Delim('{'):
			return f.wrong("a resource is a JSON object, and this is none")
		}
		if err := f.resource(f.line(f.InputOffset())); err != nil {
			return err
		}
	}
}

type file struct {
	*json.Decoder
	lines *lines
	use   func(Sent) error
}

// lines are read, with a note of where each ends. So many bytes are left until somebody says that all is well.
type lines struct {
	from   io.Reader
	left   int
	read   int64
	ends   []int64 // of lines that have been read ahead
	passed int
}

var errTooBig = fmt.Errorf("a resource has more than %d MiB", biggest>>20)

func (l *lines) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooBig
	}
	n, err := l.from.Read(p[:min(len(p), l.left)])
	l.left -= n
	for i, b := range p[:n] {
		if b == '\n' {
			l.ends = append(l.ends, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// line is the number of the line of a place in the file. Places only grow.
func (f *file) line(offset int64) int {
	for len(f.lines.ends) > 0 && f.lines.ends[0] < offset {
		f.lines.ends = f.lines.ends[1:]
		f.lines.passed++
	}
	return f.lines.passed + 1
}

// wrong is an error at the place that has been read to.
func (f *file) wrong(says string) error {
	return fmt.Errorf("line %d: %s", f.line(f.InputOffset()), says)
}

// broken says why JSON could not be read.
func (f *file) broken(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return f.wrong("the file ends within a resource")
	case errors.As(err, &syntax):
		return f.wrong("this is no JSON: " + syntax.Error())
	}
	return f.wrong(err.Error())
}

// whole is an object at the top of a file.
type whole struct {
	kind, bundle string // its resourceType and its type
	entries      bool   // they have been read
	raw          bytes.Buffer
}

// resource reads an object whose first brace has been read: the entries of a Bundle one by one, all else at once.
func (f *file) resource(line int) error {
	var r whole
	r.raw.WriteByte('{')
	for f.More() {
		token, err := f.Token()
		if err != nil {
			return f.broken(err)
		}
		name, _ := token.(string)
		if name == "entry" && (r.kind == "Bundle" || r.kind == "") {
			r.entries = true
			err = f.entries()
		} else {
			err = f.element(&r, name)
		}
		if err != nil {
			return err
		}
	}
	if _, err := f.Token(); err != nil { // the last brace
		return f.broken(err)
	}
	place := fmt.Sprintf("line %d", line)
	switch {
	case r.kind == "Bundle" && !slices.Contains([]string{"transaction", "batch", "collection", "searchset"}, r.bundle):
		return errors.New(place + ": this Bundle is none of transaction, batch, collection and searchset")
	case r.kind == "Bundle":
		return nil
	case r.entries:
		return errors.New(place + ": these entries are of no Bundle")
	}
	r.raw.WriteByte('}')
	return f.send(r.raw.Bytes(), place)
}

// element reads an element of a resource, whose name has been read.
func (f *file) element(r *whole, name string) error {
	value, err := f.value()
	if err != nil {
		return err
	}
	switch name {
	case "resourceType":
		_ = json.Unmarshal(value, &r.kind)
	case "type":
		_ = json.Unmarshal(value, &r.bundle)
	}
	if r.raw.Len()+len(value) > biggest {
		return f.broken(errTooBig)
	}
	key, _ := json.Marshal(name) // of a text: cannot fail
	if r.raw.Len() > 1 {
		r.raw.WriteByte(',')
	}
	r.raw.Write(key)
	r.raw.WriteByte(':')
	r.raw.Write(value)
	return nil
}

// value reads a value as it stands in the file.
func (f *file) value() (value json.RawMessage, err error) {
	f.lines.left = biggest
	if err := f.Decode(&value); err != nil {
		return nil, f.broken(err)
	}
	return value, nil
}

// entries reads those of a Bundle.
func (f *file) entries() error {
	if token, err := f.Token(); err != nil {
		return f.broken(err)
	} else if token != json.Delim('[') {
		return f.wrong("the entries of a Bundle are a list, and this is none")
	}
	for n := 1; f.More(); n++ {
		value, err := f.value()
		if err != nil {
			return err
		}
		place := fmt.Sprintf("line %d, entry %d", f.line(f.InputOffset()-int64(len(value))+1), n)
		var entry struct{ Resource json.RawMessage }
		if err := json.Unmarshal(value, &entry); err != nil {
			return errors.New(place + ": an entry of a Bundle is an object, and this is none")
		}
		if entry.Resource == nil {
			continue
		}
		if err := f.send(entry.Resource, place); err != nil {
			return err
		}
	}
	if _, err := f.Token(); err != nil { // the last bracket
		return f.broken(err)
	}
	return nil
}

var (
	typeName = regexp.MustCompile(`^[A-Z][A-Za-z]{1,63}$`)
	idName   = regexp.MustCompile(`^[A-Za-z0-9.\-]{1,64}$`)
)

// send gives a resource to whoever reads the file.
func (f *file) send(raw []byte, place string) error {
	var head struct{ ResourceType, ID any }
	_ = json.Unmarshal(raw, &head)
	kind, _ := head.ResourceType.(string)
	if !typeName.MatchString(kind) {
		return errors.New(place + ": this is no resource: its resourceType is missing or wrong")
	}
	id, _ := head.ID.(string)
	if !idName.MatchString(id) {
		id = ""
	}
	return f.use(Sent{Type: kind, ID: id, Raw: raw, Place: place})
}
