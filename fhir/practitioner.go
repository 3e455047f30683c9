package fhir

import (
	"encoding/json"
	"strconv"

	"healthcare/models"
)

type doctorElement = element[models.DoctorFields, models.Doctor]

// practitioners is the table of Practitioner.
var practitioners = table[models.DoctorFields, models.Doctor]{name: "Practitioner", finish: needsSpecialization, elements: []doctorElement{
	{name: "id", how: ignored, summary: true, note: "the number in /api; ignored in POST"},
	{name: "meta", how: ignored, summary: true, note: "version and time; a source, profile or tag is dropped", read: func(in *input, at string, v any, _ *models.DoctorFields) { readMeta(in, at, v) }},
	{name: "implicitRules", how: refused, summary: true},
	{name: "language", how: dropped},
	{name: "text", how: dropped},
	{name: "contained", how: refused},
	{
		name: "extension", fields: []string{"years_of_experience"}, note: "years-of-experience (valueUnsignedInt); another one is refused",
		read: readDoctorExtensions, write: writeDoctorExtensions,
	},
	{name: "modifierExtension", how: refused},
	{
		name: "identifier", fields: []string{"license_number"}, summary: true, note: "one, of the system license-number: the licence",
		read: readLicense, write: writeLicense,
	},
	{
		name: "active", summary: true, note: "true; false is refused",
		read:  func(in *input, at string, v any, _ *models.DoctorFields) { readActive(in, at, v) },
		write: func(*models.Doctor) any { return true },
	},
	{
		name: "name", fields: []string{"name"}, summary: true, note: "one; its text, else prefix, given, family and suffix joined",
		read: func(in *input, at string, v any, into *models.DoctorFields) {
			into.Name = readName(in, at, v)
		},
		write: func(d *models.Doctor) any { return writeName(d.Name) },
	},
	{
		name: "telecom", fields: []string{"phone", "email"}, summary: true, note: "one phone number and one e-mail address",
		read: func(in *input, at string, v any, into *models.DoctorFields) {
			readTelecom(in, at, v, &into.Phone, &into.Email)
		},
		write: func(d *models.Doctor) any { return writeTelecom(d.Phone, d.Email) },
	},
	{name: "address", how: refused, summary: true},
	{name: "gender", how: refused, summary: true},
	{name: "birthDate", how: refused, summary: true},
	{name: "photo", how: refused},
	{
		name: "qualification", fields: []string{"specialization"}, note: "one; the text of its code is the specialization",
		read: readQualification, write: func(d *models.Doctor) any {
			return []Resource{{{"code", Resource{{"text", shown(d.Specialization)}}}}}
		},
	},
	{name: "communication", how: refused},
}}

// LicenseSystem is whose numbers licence numbers are.
const LicenseSystem = base + "sid/license-number"

// licenseType says that it is a medical licence (HL7's table 0203).
var licenseType = Resource{{"coding", []Resource{{{"system", "http://terminology.hl7.org/CodeSystem/v2-0203"}, {"code", "MD"}}}}}

func readLicense(in *input, at string, value any, into *models.DoctorFields) {
	one := in.one(at, value)
	if one == nil {
		return
	}
	at = index(at, 0)
	allowed := parts{"system": stored, "value": stored, "use": dropped, "type": ignored, "period": refused, "assigner": dropped}
	identifier, ok := in.object(at, "An Identifier", one, allowed)
	if !ok {
		return
	}
	number := in.text(at+".value", identifier["value"])
	if system := in.text(at+".system", identifier["system"]); system != LicenseSystem {
		in.refuse("not-supported", at+".system", "This server keeps licence numbers, of the system "+LicenseSystem+".")
	}
	if number == "" {
		in.refuse("required", at+".value", "An identifier needs a value here.")
	}
	into.LicenseNumber = number
}

func writeLicense(d *models.Doctor) any {
	if d.LicenseNumber == "" {
		return nil
	}
	return []Resource{{{"type", licenseType}, {"system", LicenseSystem}, {"value", shown(d.LicenseNumber)}}}
}

func readQualification(in *input, at string, value any, into *models.DoctorFields) {
	one := in.one(at, value)
	if one == nil {
		return
	}
	at = index(at, 0)
	qualification, ok := in.object(at, "A qualification", one, parts{"code": stored, "identifier": refused, "period": refused, "issuer": refused})
	if !ok {
		return
	}
	if qualification["code"] == nil {
		in.invalid("required", at+".code", "A qualification needs a code.")
		return
	}
	if code, ok := in.object(at+".code", "A CodeableConcept", qualification["code"], parts{"text": stored, "coding": refused}); ok {
		into.Specialization = in.text(at+".code.text", code["text"])
	}
}

func needsSpecialization(in *input, fields *models.DoctorFields) {
	if fields.Specialization == "" && len(in.wrong) == 0 {
		in.refuse("required", "Practitioner.qualification", "This server needs a specialization: the text of the qualification's code.")
	}
}

const experience = "years-of-experience"

func readDoctorExtensions(in *input, at string, value any, into *models.DoctorFields) {
	readExtensions(in, at, value, map[string]string{experience: "valueUnsignedInt"}, func(_, at string, v any) {
		number, _ := v.(json.Number)
		years, err := strconv.Atoi(number.String())
		switch {
		case err != nil || years < 0:
			in.invalid("value", at, "This must be a whole number from 0.")
		case into.YearsOfExperience != nil:
			in.refuse("not-supported", at, "This server can keep one only.")
		default:
			into.YearsOfExperience = &years
		}
	})
}

func writeDoctorExtensions(d *models.Doctor) any {
	if d.YearsOfExperience == nil {
		return nil
	}
	return []Resource{{{"url", extensionOf(experience)}, {"valueUnsignedInt", *d.YearsOfExperience}}}
}

// Practitioner is a doctor as FHIR has it.
func Practitioner(d *models.Doctor) Resource {
	id, version := strconv.FormatInt(d.ID, 10), strconv.FormatInt(d.Version, 10)
	return practitioners.write(id, d, Meta(version, d.UpdatedAt))
}
