// Package fhir says in FHIR R4 (4.0.1) what the clinic knows, and reads what others say so. It knows no HTTP and no
// database: controllers/fhir.go answers requests, and the models decide.
//
// Begin with patient.go: one table of elements drives reading, writing, the CapabilityStatement and docs/fhir.md.
// element.go is what such a table can say, json.go reads JSON strictly, outcome.go is what goes wrong, datatypes.go has
// the data types that several resources use, and capability.go says what this server can do. files.go reads files for an
// import, and lenient.go says what that may leave out.
package fhir

import (
	"bytes"
	"encoding/json"
	"time"
)

// Version is the version of FHIR.
const Version = "4.0.1"

// ContentType is what resources are sent as.
const ContentType = "application/fhir+json; charset=utf-8"

// base is where the clinic's own extensions and systems are defined. It is a name, the same on every host.
const base = "https://healthcare-api.example/fhir/"

// Resource is a resource that goes out: its elements in their order.
type Resource []Element

// Element is a named value of a resource or of a data type.
type Element struct {
	Name  string
	Value any
}

// MarshalJSON writes an object in the order of its elements. Those that are nil are left out, as FHIR has it.
func (r Resource) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	text.WriteByte('{')
	for _, e := range r {
		if e.Value == nil {
			continue
		}
		if text.Len() > 1 {
			text.WriteByte(',')
		}
		text.WriteString(`"` + e.Name + `":`)
		if err := encoder.Encode(e.Value); err != nil {
			return nil, err
		}
		text.Truncate(text.Len() - 1) // the line break
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// Get is the value of an element; nil if there is none.
func (r Resource) Get(name string) any {
	for _, e := range r {
		if e.Name == name {
			return e.Value
		}
	}
	return nil
}

// Instant is a time as FHIR writes it.
func Instant(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

// Meta is the version of a resource.
func Meta(version string, at time.Time) Resource {
	return Resource{{"versionId", version}, {"lastUpdated", Instant(at)}}
}
