package tabular

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// FileNumber is the system of the identifiers in a column that is headed as a clinic's own number of a patient.
const FileNumber = "urn:clinic:file"

// Identifier begins the name of a field that holds a patient's identifier of the system that follows.
const Identifier = "identifier:"

// headers are how people head the columns of each field, in English, German and French: in small letters, without
// accents, spaces and punctuation. The fields' own names are understood too.
var headers = map[string]map[string][]string{
	"patients": {
		"name":                  {"fullname", "patient", "patientname", "vollstandigername", "patientenname", "nomcomplet", "nometprenom", "nomprenom", "nomdupatient"},
		"given_name":            {"firstname", "givennames", "forename", "vorname", "vornamen", "rufname", "prenom", "prenoms"},
		"family_name":           {"lastname", "surname", "nachname", "familienname", "nom", "nomdefamille"},
		"date_of_birth":         {"dob", "birthdate", "birthday", "dateofbirth", "born", "geburtsdatum", "gebdatum", "gebdat", "geburtstag", "geboren", "geborenam", "datedenaissance", "naissance", "neele", "ddn"},
		"gender":                {"sex", "geschlecht", "sexe", "genre"},
		"phone":                 {"telephone", "tel", "phonenumber", "mobile", "cell", "telefon", "telefonnummer", "telefonnr", "handy", "mobil", "numerodetelephone", "portable"},
		"email":                 {"mail", "emailaddress", "eemail", "emailadresse", "mailadresse", "adresseemail", "adressemail", "courriel", "adresseelectronique"},
		"address":               {"fulladdress", "adresse", "anschrift", "wohnadresse", "postaladdress", "adressepostale", "domicile"},
		"street":                {"streetaddress", "addressline1", "strasse", "strasseundhausnummer", "strasseundnr", "rue"},
		"postal_code":           {"postcode", "zip", "zipcode", "plz", "postleitzahl", "codepostal", "npa"},
		"city":                  {"town", "ort", "wohnort", "stadt", "ville", "localite", "commune"},
		"blood_group":           {"bloodtype", "blood", "blutgruppe", "groupesanguin"},
		"allergies":             {"allergy", "allergien", "allergie", "unvertraglichkeiten", "allergiesconnues"},
		"medical_history":       {"history", "anamnese", "vorerkrankungen", "krankengeschichte", "antecedents", "antecedentsmedicaux"},
		Identifier + FileNumber: fileNumbers,
	},
	"doctors": {
		"name":                {"fullname", "doctor", "doctorname", "physician", "arzt", "arztin", "arztname", "medecin", "nom", "nomcomplet", "nomdumedecin"},
		"specialization":      {"speciality", "specialty", "specialisation", "fachrichtung", "fachgebiet", "facharzt", "specialite"},
		"email":               {"mail", "emailaddress", "emailadresse", "adresseemail", "courriel"},
		"phone":               {"telephone", "tel", "phonenumber", "mobile", "telefon", "telefonnummer", "handy", "portable"},
		"license_number":      {"license", "licence", "licensenumber", "licencenumber", "licenseno", "lizenznummer", "arztnummer", "lanr", "approbationsnummer", "numerodelicence", "rpps", "numerorpps"},
		"years_of_experience": {"experience", "experienceyears", "yearsofexperience", "berufsjahre", "berufserfahrung", "anneesdexperience", "experienceenannees"},
	},
	"mappings": {
		"patient_id":            {"patient", "patientid"},
		"doctor_id":             {"doctor", "doctorid"},
		"license_number":        {"license", "licence", "doctorlicense", "licensenumber", "licencenumber", "lizenznummer", "arztnummer", "lanr", "numerodelicence", "rpps"},
		Identifier + FileNumber: fileNumbers,
	},
}

// fileNumbers are how people head the column of a clinic's own number of a patient.
var fileNumbers = []string{
	"filenumber", "fileno", "recordnumber", "patientnumber", "patientno", "mrn", "chartnumber", "aktennummer", "aktenzeichen", "patientennummer",
	"patientennr", "patientnr", "karteinummer", "numerodedossier", "dossier", "nodossier", "numeropatient",
}

// readOnly are columns of an export that say nothing which could be imported.
var readOnly = map[string]bool{"id": true, "created_by": true, "assigned_by": true, "created_at": true, "updated_at": true, "version": true, "reason": true}

// Columns says which column holds which field.
type Columns struct {
	table  *Table
	fields []string // of each column; "" is not imported
}

// Columns finds out what each column of a file of "patients", "doctors" or "mappings" is. Given maps headers to fields,
// and to "" where a column is to be left out; what it does not tell is known by its header. The error names every column
// that is not understood.
func (t *Table) Columns(of string, given map[string]string) (*Columns, error) {
	known, said := fieldsByHeader(of), map[string]string{}
	for header, field := range given {
		if field != "" && headers[of][field] == nil && !isIdentifier(of, field) {
			return nil, wrong("There is no field %q to import column %q into.", field, header)
		}
		known[letters(header)], said[letters(header)] = field, header
	}
	c := &Columns{table: t, fields: make([]string, len(t.Header))}
	var faults []string
	column := map[string]string{}
	for i, header := range t.Header {
		name := letters(header)
		delete(said, name)
		field, isKnown := known[name]
		if !isKnown && isIdentifier(of, header) { // as an export writes it
			field, isKnown = header, true
		}
		switch {
		case !isKnown && !readOnly[header]:
			faults = append(faults, fmt.Sprintf("column %q is not understood", header))
		case field != "" && column[field] != "":
			faults = append(faults, fmt.Sprintf("columns %q and %q are both %s", column[field], header, field))
		}
		c.fields[i], column[field] = field, header
	}
	for _, header := range said {
		faults = append(faults, fmt.Sprintf("there is no column %q", header))
	}
	if len(faults) > 0 {
		slices.Sort(faults)
		return nil, wrong("The columns cannot be imported: %s.", strings.Join(faults, "; "))
	}
	return c, nil
}

// fieldsByHeader are all headers that are known, in their plain form.
func fieldsByHeader(of string) map[string]string {
	known := map[string]string{}
	for field, names := range headers[of] {
		known[letters(field)] = field
		for _, name := range names {
			known[name] = field
		}
	}
	return known
}

// isIdentifier tells whether a field is an identifier of a patient.
func isIdentifier(of, field string) bool {
	system, ok := strings.CutPrefix(field, Identifier)
	return ok && system != "" && of != "doctors"
}

// Header is the header of the column that holds a field, or a part of it. It is the field's name if there is none.
func (c *Columns) Header(field string) string {
	for _, part := range append([]string{field}, parts[field]...) {
		if i := slices.Index(c.fields, part); i >= 0 {
			return c.table.Header[i]
		}
	}
	return field
}

// letters is a header without what people write in different ways: case, accents, spaces and punctuation.
func letters(header string) string {
	header = strings.ReplaceAll(strings.ToLower(header), "ß", "ss")
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, norm.NFKD.String(header))
}
