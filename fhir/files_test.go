package fhir

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
)

func TestAFileGivesItsResourcesWithTheirPlaces(t *testing.T) {
	const text = "\uFEFF" + `{"resourceType":"Patient","id":"a"}` + "\r\n\n" + `{ "id": "b/c",
  "name": [ {"text": "B"} ], "resourceType": "Patient" } {"resourceType":"List","entry":[{"item":{}}]}
{"type":"batch","entry":[{"resource":{"resourceType":"Patient"}},
 {"request":{"method":"DELETE","url":"Patient/1"}},
 {"resource":{"resourceType":"Practitioner","id":"d"}}],"resourceType":"Bundle"}`
	var got []string
	require.NoError(t, ReadFile(strings.NewReader(text), func(s Sent) error {
		got = append(got, fmt.Sprintf("%s/%s %s %s", s.Type, s.ID, s.Place, s.Raw))
		return nil
	}))
	assert.Equal(t, []string{
		`Patient/a line 1 {"resourceType":"Patient","id":"a"}`,
		`Patient/ line 3 {"id":"b/c","name":[ {"text": "B"} ],"resourceType":"Patient"}`,
		`List/ line 4 {"resourceType":"List","entry":[{"item":{}}]}`,
		`Patient/ line 5, entry 1 {"resourceType":"Patient"}`,
		`Practitioner/d line 7, entry 3 {"resourceType":"Practitioner","id":"d"}`,
	}, got)
}

func TestAFileThatCannotBeReadNamesTheLine(t *testing.T) {
	const good = `{"resourceType":"Patient"}` + "\n"
	for text, want := range map[string]string{
		"":                                       "the file is empty",
		"\n":                                     "the file is empty",
		"hello":                                  "line 1: this is no JSON",
		good + "\n[1]":                           "line 3: a resource is a JSON object, and this is none",
		good + `{"resourceType":"Patient","n":`:  "line 2: the file ends within a resource",
		good + `{"resourceType":"Patient"`:       "line 2: the file ends within a resource",
		good + "{\"id\":\"\x00\"}":               "line 2: this is no JSON",
		good + strings.Repeat("\x00", 4096):      "line 2: this is no JSON",
		good + `{"name":[{"text":"B"}]}`:         "line 2: this is no resource: its resourceType is missing or wrong",
		good + `{"resourceType":["Patient"]}`:    "line 2: this is no resource: its resourceType is missing or wrong",
		good + `{"resourceType":"\u001b[31m"}`:   "line 2: this is no resource: its resourceType is missing or wrong",
		good + strings.Repeat(`{"a":`, 20000):    "line 2: this is no JSON",
		good + `{"n":` + "\n" + good + good:      "line 4: this is no JSON",
		good + strings.Repeat(" ", biggest+4096): ": a resource has more than 16 MiB",
		good + `{"resourceType":"Patient","a":"` + strings.Repeat("x", 50<<20):                         "line 2: a resource has more than 16 MiB",
		good + `{"a":"` + strings.Repeat("x", 9<<20) + `","b":"` + strings.Repeat("x", 9<<20) + `"}`:   "line 2: a resource has more than 16 MiB",
		good + `{"resourceType":"Bundle","type":"history","entry":[]}`:                                 "line 2: this Bundle is none of transaction, batch, collection and searchset",
		good + `{"resourceType":"Bundle","type":"batch","entry":{}}`:                                   "line 2: the entries of a Bundle are a list, and this is none",
		good + `{"resourceType":"Bundle","type":"batch","entry":[{},7]}`:                               "line 2, entry 2: an entry of a Bundle is an object, and this is none",
		good + `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"id":"1"}}]}`:            "line 2, entry 1: this is no resource",
		good + `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + good:                  "line 2: the file ends within a resource",
		good + `{"entry":[{"resource":{"resourceType":"Patient"}}],"resourceType":"List"}`:             "line 2: these entries are of no Bundle",
		good + `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Repeat("[", 1000) + "1]}": "line 2: this is no JSON",
	} {
		err := ReadFile(strings.NewReader(text), func(Sent) error { return nil })
		if assert.Error(t, err, text[:min(len(text), 200)]) {
			assert.Contains(t, err.Error(), want, text[:min(len(text), 200)])
		}
	}
}

// endless repeats a resource so often.
type endless struct {
	resource string
	left     int
	rest     string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		if e.left == 0 {
			return 0, io.EOF
		}
		e.left--
		e.rest = e.resource
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestMemoryDoesNotGrowWithAFile(t *testing.T) {
	entry := `{"resource":{"resourceType":"Patient","text":{"div":"` + strings.Repeat("x", 1000) + `"}}},` + "\n"
	from := io.MultiReader(strings.NewReader(`{"resourceType":"Bundle","type":"collection","entry":[`), &endless{resource: entry, left: 30_000}, strings.NewReader("{}]}"))
	read := 0
	var last string
	require.NoError(t, ReadFile(from, func(s Sent) error {
		read++
		last = s.Place
		return nil
	}))
	assert.Equal(t, 30_000, read, "30 MiB, of which no more than 16 may be in memory")
	assert.Equal(t, "line 30000, entry 30000", last)
}

func TestWhatMayBeLeftOutIsLeftOutAndTheRestStays(t *testing.T) {
	take := func(body string) (models.PatientFields, string) {
		r, err := ReadPatient([]byte(body))
		require.NoError(t, err)
		fields, left, wrong := r.Take(true)
		require.Empty(t, wrong, body)
		return fields, strings.Join(left, ", ")
	}
	fields, left := take(`{"resourceType":"Patient","name":[{"text":"Old","use":"old","period":{"end":"2001"}},{"text":"Now","period":{"start":"2001"}},{"text":"Else"}],
		"telecom":[{"system":"phone","value":"1","use":"old"},{"system":"pager","value":"2"},{"system":"phone","value":"3"},{"system":"phone","value":"4"}],
		"address":[{"text":"Gone","period":{"end":"2001"}},{"text":"Here","_text":{"extension":[{"url":"x"}]}}],
		"identifier":[{"value":"1"},{"system":"urn:a","value":"2","assigner":{"display":"A"}}],"contained":[{"resourceType":"Patient"}]}`)
	assert.Equal(t, []string{"Now", "3", "Here"}, []string{fields.Name, fields.Phone, fields.Address})
	assert.Equal(t, models.Identifiers{{System: "urn:a", Value: "2"}}, fields.Identifiers)
	assert.Equal(t, "Patient.address[…], Patient.contained, Patient.identifier[…], Patient.name[…], Patient.telecom[…], Patient.telecom[…], "+
		"Patient.address._text, Patient.name.period, Patient.name[…], Patient.telecom[…], Patient.identifier.assigner", left)

	r, err := ReadPractitioner([]byte(`{"resourceType":"Practitioner","name":[{"text":"D"}],"gender":"male","identifier":[{"system":"urn:npi","value":"1"},
		{"system":"urn:dea","value":"2"},{"system":"` + LicenseSystem + `","value":"L-1"}],"qualification":[{"code":{"text":"Surgery","coding":[{"code":"S"}]}},{"code":{"text":"X"}}]}`))
	require.NoError(t, err)
	doctor, gone, wrong := r.Take(true)
	require.Empty(t, wrong)
	assert.Equal(t, models.DoctorFields{Name: "D", Specialization: "Surgery", LicenseNumber: "L-1"}, doctor)
	assert.Contains(t, gone, "Practitioner.gender")
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","name":[{"text":"A","use":"old"},{"text":"B"}]}}]}`))
	f.Add([]byte(`{"resourceType":"Practitioner","_gender":{"id":"x"},"address":[{"_line":[null]}],"qualification":[{"period":{"end":"x"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = ReadFile(bytes.NewReader(text), func(s Sent) error {
			for _, lenient := range []bool{false, true} {
				if r, err := ReadPatient(s.Raw); err == nil {
					r.Take(lenient)
				}
				if r, err := ReadPractitioner(s.Raw); err == nil {
					r.Take(lenient)
				}
			}
			return nil
		})
	})
}
