package fhir

import (
	"strconv"
	"strings"
	"time"

	"healthcare/models"
)

type patientElement = element[models.PatientFields, models.Patient]

// patients is the table of Patient. A line says what becomes of an element that is sent, and how it is shown.
var patients = table[models.PatientFields, models.Patient]{name: "Patient", finish: hasGender, elements: []patientElement{
	{name: "id", how: ignored, summary: true, note: "the number in /api; ignored in POST"},
	{name: "meta", how: ignored, summary: true, note: "version and time; a source, profile or tag is dropped", read: func(in *input, at string, v any, _ *models.PatientFields) { readMeta(in, at, v) }},
	{name: "implicitRules", how: refused, summary: true},
	{name: "language", how: dropped},
	{name: "text", how: dropped},
	{name: "contained", how: refused},
	{
		name: "extension", fields: []string{"blood_group", "allergies", "medical_history"}, note: "blood-group (valueCode), allergies and medical-history (valueString); another one is refused",
		read: readPatientExtensions, write: writePatientExtensions,
	},
	{name: "modifierExtension", how: refused},
	{
		name: "identifier", fields: []string{"identifiers"}, summary: true, note: "system and value, both required",
		read: func(in *input, at string, v any, into *models.PatientFields) {
			into.Identifiers = readIdentifiers(in, at, v)
		},
		write: func(p *models.Patient) any { return writeIdentifiers(p.Identifiers) },
	},
	{
		name: "active", summary: true, note: "true; false is refused",
		read:  func(in *input, at string, v any, _ *models.PatientFields) { readActive(in, at, v) },
		write: func(*models.Patient) any { return true },
	},
	{
		name: "name", fields: []string{"name"}, summary: true, note: "one; its text, else prefix, given, family and suffix joined",
		read: func(in *input, at string, v any, into *models.PatientFields) {
			into.Name = readName(in, at, v)
		},
		write: func(p *models.Patient) any { return writeName(p.Name) },
	},
	{
		name: "telecom", fields: []string{"phone", "email"}, summary: true, note: "one phone number and one e-mail address",
		read: func(in *input, at string, v any, into *models.PatientFields) {
			readTelecom(in, at, v, &into.Phone, &into.Email)
		},
		write: func(p *models.Patient) any { return writeTelecom(p.Phone, p.Email) },
	},
	{
		name: "gender", fields: []string{"gender"}, summary: true, note: "absent: unknown",
		read: func(in *input, at string, v any, into *models.PatientFields) {
			into.Gender = in.code(at, v, "male", "female", "other", "unknown")
		},
		write: func(p *models.Patient) any { return p.Gender },
	},
	{
		name: "birthDate", fields: []string{"date_of_birth"}, summary: true, note: "a whole day",
		read:  func(in *input, at string, v any, into *models.PatientFields) { into.DateOfBirth = readDay(in, at, v) },
		write: func(p *models.Patient) any { return orNil(string(p.DateOfBirth)) },
	},
	{name: "deceasedBoolean", how: refused, summary: true},
	{name: "deceasedDateTime", how: refused, summary: true},
	{
		name: "address", fields: []string{"address"}, summary: true, note: "one; its text, else its parts as lines",
		read: func(in *input, at string, v any, into *models.PatientFields) {
			into.Address = readAddress(in, at, v)
		},
		write: func(p *models.Patient) any { return writeAddress(p.Address) },
	},
	{name: "maritalStatus", how: refused},
	{name: "multipleBirthBoolean", how: refused},
	{name: "multipleBirthInteger", how: refused},
	{name: "photo", how: refused},
	{name: "contact", how: refused},
	{name: "communication", how: refused},
	{name: "generalPractitioner", how: refused, note: "assignments are in the CareTeam"},
	{name: "managingOrganization", how: refused, summary: true},
	{name: "link", how: refused, summary: true},
}}

// hasGender: who says nothing does not know.
func hasGender(_ *input, fields *models.PatientFields) {
	if fields.Gender == "" {
		fields.Gender = "unknown"
	}
}

var identifierParts = parts{"system": stored, "value": stored, "use": ignored, "type": dropped, "period": refused, "assigner": dropped}

func readIdentifiers(in *input, at string, value any) (all models.Identifiers) {
	for i, one := range in.list(at, value) {
		at := index(at, i)
		identifier, ok := in.object(at, "An Identifier", one, identifierParts)
		if !ok {
			continue
		}
		switch use := in.code(at+".use", identifier["use"], "usual", "official", "temp", "secondary", "old"); use {
		case "old", "temp":
			in.refuse("not-supported", at+".use", "This server keeps the identifiers that are used now.")
		case "usual", "official", "secondary":
			in.drop(at + ".use")
		}
		entry := models.Identifier{System: in.text(at+".system", identifier["system"]), Value: in.text(at+".value", identifier["value"])}
		if entry.System == "" {
			in.refuse("required", at+".system", "This server needs to know whose number it is.")
		}
		if entry.Value == "" {
			in.refuse("required", at+".value", "An identifier needs a value here.")
		}
		all = append(all, entry)
	}
	return all
}

func writeIdentifiers(identifiers models.Identifiers) any {
	if len(identifiers) == 0 {
		return nil
	}
	all := make([]Resource, len(identifiers))
	for i, one := range identifiers {
		all[i] = Resource{{"system", one.System}, {"value", one.Value}}
	}
	return all
}

// isDate tells whether a text is a date that there is, as long as the layout.
func isDate(layout, text string) bool {
	day, err := time.Parse(layout, text)
	return err == nil && day.Year() > 0
}

// readDay takes a whole day. A year or a month is never padded.
func readDay(in *input, at string, value any) models.Date {
	text := in.text(at, value)
	switch {
	case text == "", isDate(time.DateOnly, text):
	case isDate("2006-01", text), isDate("2006", text):
		in.refuse("not-supported", at, "This server needs a whole day.")
	default:
		in.invalid("value", at, "Write a day that there is, as YYYY-MM-DD.")
	}
	return models.Date(text)
}

const (
	bloodGroup     = "blood-group"
	allergies      = "allergies"
	medicalHistory = "medical-history"
)

// extensionsOfPatient are the clinic's extensions: their names, and the type of the value.
var extensionsOfPatient = map[string]string{bloodGroup: "valueCode", allergies: "valueString", medicalHistory: "valueString"}

func readPatientExtensions(in *input, at string, value any, into *models.PatientFields) {
	fields := map[string]*string{bloodGroup: &into.BloodGroup, allergies: &into.Allergies, medicalHistory: &into.MedicalHistory}
	given := map[string]bool{}
	readExtensions(in, at, value, extensionsOfPatient, func(name, at string, v any) {
		if given[name] {
			in.refuse("not-supported", at, "This server can keep one only.")
		}
		given[name] = true
		*fields[name] = in.text(at, v)
	})
}

// readExtensions reads the clinic's own extensions; all others are refused.
func readExtensions(in *input, at string, value any, types map[string]string, take func(name, at string, value any)) {
	for i, one := range in.list(at, value) {
		at := index(at, i)
		entry, ok := one.(object)
		if !ok {
			in.invalid("structure", at, "An Extension must be an object.")
			continue
		}
		name, ours := strings.CutPrefix(in.text(at+".url", entry["url"]), extensionOf(""))
		wanted, known := types[name]
		switch {
		case entry["url"] == nil:
			in.invalid("required", at+".url", "An Extension needs a url.")
		case !ours || !known:
			in.refuse("extension", at, "This server does not know this extension.")
		case len(entry) != 2 || entry[wanted] == nil:
			in.invalid("structure", at, "This extension has a url and "+wanted+".")
		default:
			take(name, at+"."+wanted, entry[wanted])
		}
	}
}

func writePatientExtensions(p *models.Patient) any {
	var all []Resource
	for _, e := range []struct{ name, value string }{{bloodGroup, p.BloodGroup}, {allergies, p.Allergies}, {medicalHistory, p.MedicalHistory}} {
		if e.value != "" {
			all = append(all, Resource{{"url", extensionOf(e.name)}, {extensionsOfPatient[e.name], shown(e.value)}})
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// Patient is a patient as FHIR has it.
func Patient(p *models.Patient) Resource {
	id, version := strconv.FormatInt(p.ID, 10), strconv.FormatInt(p.Version, 10)
	return patients.write(id, p, Meta(version, p.UpdatedAt))
}
