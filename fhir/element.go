package fhir

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// What becomes of an element that is sent.
type handling int

const (
	stored  handling = iota // it is kept, and comes back
	dropped                 // it is left out, with a warning: nothing that this server keeps depends on it
	ignored                 // it says what the server says itself
	refused                 // it carries meaning that this server cannot keep
)

// element is a line of a resource's table. F is what a client writes over /api, R the row that is shown.
type element[F, R any] struct {
	name    string
	fields  []string // of /api
	how     handling
	summary bool   // it is in _summary=true, by R4's definition
	note    string // for docs/fhir.md
	read    func(in *input, at string, value any, into *F)
	write   func(row *R) any // nil leaves the element out
}

// input is a resource that is read: what is wrong with it, and what was left out.
type input struct {
	wrong    Issues
	warnings Issues
}

func (in *input) invalid(code, at, says string) {
	in.wrong = append(in.wrong, Issue{Code: code, At: at, Says: says})
}

func (in *input) refuse(code, at, says string) {
	in.wrong = append(in.wrong, Issue{Code: code, At: at, Says: says, Refused: true})
}

func (in *input) drop(at string) {
	in.warnings = append(in.warnings, Issue{Code: "not-supported", At: at, Says: "This element was not stored."})
}

// table is how one type of resource is read and written.
type table[F, R any] struct {
	name     string
	elements []element[F, R]
	finish   func(in *input, fields *F) // fills in what was left out, or says that it must be there
}

// write makes the resource of a row.
func (t *table[F, R]) write(id string, row *R, meta Resource) Resource {
	out := make(Resource, 0, len(t.elements)+3)
	out = append(out, Element{"resourceType", t.name}, Element{"id", id}, Element{"meta", meta})
	for _, e := range t.elements {
		if e.write != nil {
			if v := e.write(row); v != nil {
				out = append(out, Element{e.name, v})
			}
		}
	}
	return out
}

// read puts what was sent into the fields of /api, which are empty. An id is the caller's to compare.
func (t *table[F, R]) read(whole object, into *F) *input {
	in := &input{}
	rest := maps.Clone(whole)
	delete(rest, "resourceType")
	for _, e := range t.elements {
		value, given := rest[e.name]
		delete(rest, e.name)
		if given {
			in.take(e.how, t.name+"."+e.name)
			if e.read != nil {
				e.read(in, t.name+"."+e.name, value, into)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		known := func(e element[F, R]) bool { return e.name == strings.TrimPrefix(name, "_") }
		if strings.HasPrefix(name, "_") && slices.ContainsFunc(t.elements, known) {
			in.refuse("extension", t.name+"."+name, "Extensions of a single value are not supported.")
		} else {
			in.invalid("structure", t.name+"."+name, "A "+t.name+" has no such element.")
		}
	}
	if t.finish != nil {
		t.finish(in, into)
	}
	return in
}

// take notes what becomes of an element, unless it is stored.
func (in *input) take(how handling, at string) {
	switch how {
	case dropped:
		in.drop(at)
	case refused:
		in.refuse("not-supported", at, "This server cannot keep this element.")
	}
}

// parts are the elements of a data type.
type parts map[string]handling

// object reads a data type: what it has of stored elements. A missing "extension" is refused, as everywhere.
func (in *input) object(at, kind string, value any, allowed parts) (object, bool) {
	whole, ok := value.(object)
	if !ok {
		in.invalid("structure", at, kind+" must be an object.")
		return nil, false
	}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		how, known := allowed[name]
		switch {
		case known:
			in.take(how, at+"."+name)
		case name == "id":
			in.drop(at + ".id")
		case name == "extension" || strings.HasPrefix(name, "_"):
			in.refuse("extension", at+"."+name, "There is no place for this extension.")
		default:
			in.invalid("structure", at+"."+name, kind+" has no such element.")
		}
	}
	return whole, true
}

// list reads a list.
func (in *input) list(at string, value any) []any {
	all, ok := value.([]any)
	if !ok {
		in.invalid("structure", at, "This must be a list.")
	}
	return all
}

// one reads a list of which this server keeps one entry.
func (in *input) one(at string, value any) any {
	all := in.list(at, value)
	for i := 1; i < len(all); i++ {
		in.refuse("not-supported", index(at, i), "This server can keep one only.")
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// text reads a text; "" if there is none.
func (in *input) text(at string, value any) string {
	if value == nil {
		return ""
	}
	s, ok := value.(string)
	if !ok {
		in.invalid("value", at, "This must be a text.")
	}
	return s
}

// texts reads a list of texts.
func (in *input) texts(at string, value any) []string {
	if value == nil {
		return nil
	}
	var all []string
	for i, one := range in.list(at, value) {
		all = append(all, in.text(index(at, i), one))
	}
	return all
}

// code reads a code of a value set.
func (in *input) code(at string, value any, set ...string) string {
	s := in.text(at, value)
	if s != "" && !slices.Contains(set, s) {
		in.invalid("code-invalid", at, "Use one of: "+strings.Join(set, ", ")+".")
	}
	return s
}

// joined puts texts together, with those left out that are empty.
func joined(separator string, all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), separator)
}

// orNil makes the value of an element of a text, or leaves it out.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// places are where the fields of /api stand in a resource, for what is wrong with them.
func (t *table[F, R]) places() map[string]string {
	all := map[string]string{}
	for _, e := range t.elements {
		for _, field := range e.fields {
			all[field] = cmp.Or(all[field], t.name+"."+e.name)
		}
	}
	return all
}
