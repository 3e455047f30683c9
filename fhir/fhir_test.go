package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
)

// spellings are what people write, and what nobody should.
var spellings = []string{
	"Åsa Lindström", "Jürgen Müller", "O'Brien", "d’Été", "Nguyễn Thị Hạnh", "山田 太郎", "محمد علي", "שרה כהן", "Jean-Luc  Picard", "A\u00a0B", "X\u2003Y",
	"two\nlines", "tab\there", "😀 Emoji", "zero\u200bwidth", "quo\"te", `back\slash`, "<b>&amp;</b>", "e\u0301", "\u00e9", "ﬀ", "a,b|c$d",
}

func TestWhatIsShownMayBeSentBackAndChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(all ...string) string { return all[random.IntN(len(all))] }
	for i := range 1000 {
		p := &models.Patient{ID: int64(i + 1), Version: 1, UpdatedAt: time.Unix(int64(i), 123456000)}
		p.Name = pick(spellings...) + pick("", " ", " von ") + pick(spellings...)
		p.Name = strings.TrimSpace(p.Name)
		p.Gender = pick("male", "female", "other", "unknown")
		p.DateOfBirth = models.Date(pick("", "1900-01-01", "1958-03-14", "2000-02-29"))
		p.Phone = pick("", "+49 (0)30 123-4567", "030/1234", "1.2.3")
		p.Email = pick("", "a@example.org", "jürgen@exämple.org")
		p.Address = pick("", "Main 1\n10115 Berlin", spellings[i%len(spellings)])
		p.BloodGroup = pick("", "A+", "AB-")
		p.Allergies = pick("", "nuts", strings.Repeat("x y\n", 2000)+"z", spellings[i%len(spellings)])
		p.MedicalHistory = pick("", "none", "a\r\nb")
		for n := range random.IntN(4) {
			p.Identifiers = append(p.Identifiers, models.Identifier{System: "urn:clinic:file", Value: fmt.Sprint(pick(spellings...), n)})
		}
		text, err := json.Marshal(Patient(p))
		require.NoError(t, err)
		read, err := ReadPatient(text)
		require.NoError(t, err)
		again := p.PatientFields
		require.Empty(t, read.Bind()(&again), "%s", text)
		assert.Equal(t, p.PatientFields, again, "%s", text)
		assert.Empty(t, read.Warnings())
		assert.Equal(t, fmt.Sprint(p.ID), read.ID)

		d := &models.Doctor{ID: 1, Version: 2}
		d.Name, d.Specialization, d.LicenseNumber = p.Name, pick(spellings...), pick("", "C-1", spellings[i%len(spellings)])
		if years := i % 81; years > 0 {
			d.YearsOfExperience = &years
		}
		text, err = json.Marshal(Practitioner(d))
		require.NoError(t, err)
		doctor, err := ReadPractitioner(text)
		require.NoError(t, err)
		fields := d.DoctorFields
		require.Empty(t, doctor.Bind()(&fields), "%s", text)
		assert.Equal(t, d.DoctorFields, fields)
	}
}

func TestWhatCannotBeKeptIsNamed(t *testing.T) {
	for body, want := range map[string]string{
		`{"resourceType":"Patient","contact":[{}]}`:                                                      "400 structure Patient.contact[0], not-supported Patient.contact",
		`{"resourceType":"Patient","contact":[{"gender":"male"}]}`:                                       "422 not-supported Patient.contact",
		`{"resourceType":"Patient","birthDate":"1958"}`:                                                  "422 not-supported Patient.birthDate",
		`{"resourceType":"Patient","birthDate":"1958-3-1"}`:                                              "400 value Patient.birthDate",
		`{"resourceType":"Patient","birthDate":"1958-02-30"}`:                                            "400 value Patient.birthDate",
		`{"resourceType":"Patient","birthDate":"1958-13-45"}`:                                            "400 value Patient.birthDate",
		`{"resourceType":"Patient","birthDate":"1958-13"}`:                                               "400 value Patient.birthDate",
		`{"resourceType":"Patient","birthDate":"0000"}`:                                                  "400 value Patient.birthDate",
		`{"resourceType":"Patient","birthDate":"1958-03-14T10:00:00Z"}`:                                  "400 value Patient.birthDate",
		`{"resourceType":"Patient","birthDate":"1958-03"}`:                                               "422 not-supported Patient.birthDate",
		`{"resourceType":"Patient","gender":"m"}`:                                                        "400 code-invalid Patient.gender",
		`{"resourceType":"Patient","active":false}`:                                                      "422 business-rule Patient.active",
		`{"resourceType":"Patient","name":[{"text":"A"},{"text":"B"}]}`:                                  "422 not-supported Patient.name[1]",
		`{"resourceType":"Patient","name":[{"text":"A","use":"old"}]}`:                                   "422 not-supported Patient.name[0].use",
		`{"resourceType":"Patient","name":{"text":"A"}}`:                                                 "400 structure Patient.name",
		`{"resourceType":"Patient","telecom":[{"value":"1"}]}`:                                           "400 required Patient.telecom[0].system",
		`{"resourceType":"Patient","telecom":[{"system":"fax","value":"1"}]}`:                            "422 not-supported Patient.telecom[0].system",
		`{"resourceType":"Patient","identifier":[{"value":"1"}]}`:                                        "422 required Patient.identifier[0].system",
		`{"resourceType":"Patient","extension":[{"url":"urn:x","valueString":"1"}]}`:                     "422 extension Patient.extension[0]",
		`{"resourceType":"Patient","_birthDate":{"id":"x"}}`:                                             "422 extension Patient._birthDate",
		`{"resourceType":"Patient","colour":"red"}`:                                                      "400 structure Patient.colour",
		`{"resourceType":"Patient","gender":null}`:                                                       "400 structure Patient.gender",
		`{"resourceType":"Patient","gender":"male","gender":"male"}`:                                     "400 structure Patient.gender",
		`{"resourceType":"Patient","meta":{"tag":[{"code":"SUBSETTED"}]}}`:                               "422 business-rule Patient.meta.tag[0]",
		`{"resourceType":"Patient","deceasedBoolean":false,"generalPractitioner":[{"reference":"x/1"}]}`: "422 not-supported Patient.deceasedBoolean, not-supported Patient.generalPractitioner",
	} {
		read, err := ReadPatient([]byte(body))
		require.NoError(t, err, body)
		var in models.PatientFields
		require.NotEmpty(t, read.Bind()(&in), body)
		assert.Equal(t, want, fmt.Sprint(read.faults.Status(), " ", strings.TrimPrefix(read.faults.Error(), "fhir: ")), body)
	}
	for _, body := range []string{"", "[]", "{", `{"resourceType":"Practitioner"}`, `{"a":`, `{"a":1} x`, "\xff", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)} {
		_, err := ReadPatient([]byte(body))
		var issues Issues
		require.True(t, errors.As(err, &issues), body)
		assert.Equal(t, http.StatusBadRequest, issues.Status())
	}
}

func TestADateOfASearchMeansAllOfIt(t *testing.T) {
	for text, want := range map[string]string{
		"2026":                      "eq 2026-01-01T00:00:00Z 2027-01-01T00:00:00Z",
		"ge2024-02":                 "ge 2024-02-01T00:00:00Z 2024-03-01T00:00:00Z",
		"sa2024-02-29":              "sa 2024-02-29T00:00:00Z 2024-03-01T00:00:00Z",
		"2026-11-24T10:30":          "eq 2026-11-24T10:30:00Z 2026-11-24T10:31:00Z",
		"2026-11-24T10:30:05+02:00": "eq 2026-11-24T08:30:05Z 2026-11-24T08:30:06Z",
		"2026-11-24T10:30:05.12Z":   "eq 2026-11-24T10:30:05.12Z 2026-11-24T10:30:05.13Z",
	} {
		prefix, from, until, ok := interval(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, strings.Join([]string{prefix, Instant(from), Instant(until)}, " "), text)
	}
	for _, text := range []string{"", "26", "2026-13", "2026-02-30", "2026T10:00", "2026-11T10:00Z", "ap2026", "xx2026", "0000", "2026-11-24T25:00"} {
		_, _, _, ok := interval(text)
		assert.False(t, ok, text)
	}
}

func TestTheDocumentSaysWhatTheTablesSay(t *testing.T) {
	text, err := os.ReadFile("../docs/fhir.md")
	require.NoError(t, err)
	assert.Contains(t, string(text), Tables(), "docs/fhir.md must have these tables:\n"+Tables())
}

func FuzzResource(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Patient","name":[{"text":"A"}],"telecom":[{"system":"phone","value":"1"}]}`))
	f.Add([]byte(`{"resourceType":"Patient","name":[{"text":"a\u0000b"}],"identifier":[{"system":"urn:x","value":"\ud800"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if read, err := ReadPatient(body); err == nil {
			var in models.PatientFields
			read.Bind()(&in)
		}
		if read, err := ReadPractitioner(body); err == nil {
			var in models.DoctorFields
			read.Bind()(&in)
		}
		_, _, _ = ReadCareTeam(body, &models.CareTeam{})
	})
}
