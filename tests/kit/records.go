package kit

import (
	"net/http"
	"slices"
)

// Marker is a text that must stand in no log and in no answer to what is refused.
const Marker = "Zaphod-Beeblebrox"

// Lists are the paths of the lists of records; EveryTable fills each with one row.
var Lists = []string{"/api/patients/", "/api/doctors/", "/api/mappings/", "/api/doctor/mappings/", "/api/mappings/1/", "/api/doctor/mappings/1/"}

// EveryTable puts one row of ana's into each table and returns her.
func EveryTable(api *API) *Client {
	ana := api.User("ana")
	ana.Assign(ana.Patient("Petra"), ana.Doctor("Dora")).Expect(http.StatusCreated)
	return ana
}

// Patient creates a patient and returns its id.
func (c *Client) Patient(name string) int {
	c.T.Helper()
	return c.Post("/api/patients/", Object{"name": name}).Expect(http.StatusCreated).ID()
}

// Doctor creates a doctor and returns its id.
func (c *Client) Doctor(name string) int {
	c.T.Helper()
	return c.Post("/api/doctors/", Object{"name": name, "specialization": "Surgery"}).Expect(http.StatusCreated).ID()
}

// Assign assigns a doctor to a patient.
func (c *Client) Assign(patient, doctor int) *Response {
	c.T.Helper()
	return c.Post("/api/mappings/", Object{"patient_id": patient, "doctor_id": doctor})
}

// DoctorsOf lists the names of a patient's doctors, sorted; the query may be empty.
func (c *Client) DoctorsOf(patient int, query string) []string {
	c.T.Helper()
	names := []string{}
	for _, name := range c.Get(Path("mappings", patient) + query).Expect(http.StatusOK).Column("name") {
		names = append(names, name.(string))
	}
	slices.Sort(names)
	return names
}

// Record is what patients and doctors have in common.
type Record struct {
	Path     string
	Required Object // the fields that a new one needs
	Full     Object // every field that a client writes
	Defaults Object // the optional fields of a new one
}

// Records are patients and doctors.
var Records = []Record{
	{
		"/api/patients/",
		Object{"name": "Petra"},
		Object{
			"name": "Petra Müller", "date_of_birth": "1984-02-29", "gender": "female", "phone": "+49 (0)30 123-45.6 x7/8", "email": "petra@example.org",
			"address": "Weg 1\n10115 Berlin", "blood_group": "AB-", "allergies": "Pollen 🌼", "medical_history": "Asthma",
			"identifiers": []any{Object{"system": "urn:clinic:file", "value": "2024-0017"}},
		},
		Object{
			"date_of_birth": nil, "gender": "unknown", "phone": "", "email": "", "address": "", "blood_group": "", "allergies": "", "medical_history": "",
			"identifiers": []any{},
		},
	},
	{
		"/api/doctors/",
		Object{"name": "Dora", "specialization": "Surgery"},
		Object{
			"name": "Dr. Dora Öz", "specialization": "Kardiologie", "email": "dora@example.org", "phone": "030/123", "license_number": "L-1", "years_of_experience": 0.0,
		},
		Object{"email": "", "phone": "", "license_number": "", "years_of_experience": nil},
	},
}
