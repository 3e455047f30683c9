package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
	"healthcare/tests/kit"
)

// clinicMode is an option: everybody who is signed in sees all patients. (Registration stays open, for the tests' accounts;
// what comes from a real configuration cannot be so.)
func clinicMode(cfg *config.Config) { cfg.PatientAccess = "clinic" }

// whatAColleagueMay is what an ordinary account may do with patient 1, doctor 1 and assignment 1 of another one, by
// PATIENT_ACCESS. Each is asked on its own, on what was there before.
var whatAColleagueMay = []struct {
	method, path string
	body         any
	own, clinic  int
}{
	{"GET", "/api/patients/1/", nil, http.StatusNotFound, http.StatusOK},
	{"GET", "/api/patients/1/history/", nil, http.StatusNotFound, http.StatusOK},
	{"GET", "/api/mappings/1/", nil, http.StatusNotFound, http.StatusOK},
	{"GET", "/api/doctor/mappings/1/", nil, http.StatusNotFound, http.StatusOK},
	{"GET", "/api/patients/2/", nil, http.StatusNotFound, http.StatusNotFound}, // is deleted
	{"GET", "/api/patients/2/history/", nil, http.StatusNotFound, http.StatusNotFound},
	{"PATCH", "/api/patients/2/", kit.Object{"name": "New"}, http.StatusNotFound, http.StatusNotFound},
	{"PATCH", "/api/patients/1/", kit.Object{"phone": "1"}, http.StatusNotFound, http.StatusOK},
	{"PUT", "/api/patients/1/", kit.Object{"name": "New"}, http.StatusNotFound, http.StatusOK},
	{"DELETE", "/api/patients/1/", nil, http.StatusNotFound, http.StatusForbidden},
	{"DELETE", "/api/doctors/1/", nil, http.StatusForbidden, http.StatusForbidden},
	{"PATCH", "/api/doctors/1/", kit.Object{"name": "New"}, http.StatusForbidden, http.StatusForbidden},
	{"GET", "/api/doctors/1/history/", nil, http.StatusForbidden, http.StatusForbidden},
	{"POST", "/api/mappings/", kit.Object{"patient_id": 1, "doctor_id": 2}, http.StatusBadRequest, http.StatusCreated},
	{"POST", "/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": 2}, http.StatusNotFound, http.StatusOK},
	{"DELETE", "/api/mappings/1/", nil, http.StatusNotFound, http.StatusNoContent},
	{"POST", "/api/patients/2/restore/", nil, http.StatusForbidden, http.StatusForbidden},
	{"GET", "/api/patients/?deleted=true", nil, http.StatusForbidden, http.StatusForbidden},
	{"GET", "/api/mappings/?deleted=true", nil, http.StatusForbidden, http.StatusForbidden},
	{"GET", "/api/users/", nil, http.StatusForbidden, http.StatusForbidden},
	{"POST", "/api/users/", kit.Object{"username": "new", "email": "new@example.org"}, http.StatusForbidden, http.StatusForbidden},
	{"POST", "/api/users/1/reset/", nil, http.StatusForbidden, http.StatusForbidden},
	{"GET", "/api/audit/", nil, http.StatusForbidden, http.StatusForbidden},
}

func TestWhatAColleagueMay(t *testing.T) {
	for access, option := range map[string]func(*config.Config){"own": func(*config.Config) {}, "clinic": clinicMode} {
		t.Run(access, func(t *testing.T) {
			kit.OnBoth(t, func(t *testing.T, api *kit.API) {
				ana := kit.EveryTable(api)
				eve := api.User("eve")
				ana.Delete(kit.Path("patients", ana.Patient("Gone"))).Expect(http.StatusNoContent)
				ana.Doctor("Dr. Two")
				for _, c := range whatAColleagueMay {
					want := map[string]int{"own": c.own, "clinic": c.clinic}[access]
					r := eve.Do(c.method, c.path, c.body)
					assert.Equal(t, want, r.Status, "%s %s: %s", c.method, c.path, r.Raw)
				}
				// Nobody's owner has changed, and handing over is for staff.
				assert.Equal(t, ana.ID, int(ana.Get("/api/patients/1/").Expect(http.StatusOK).JSON["created_by"].(float64)))
				eve.Patch("/api/patients/1/", kit.Object{"created_by": eve.ID})
				assert.Equal(t, ana.ID, int(ana.Get("/api/patients/1/").Expect(http.StatusOK).JSON["created_by"].(float64)))
			}, option)
		})
	}
}

func TestAClinicsListsHoldEverybodysPatients(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		doctor := ana.Doctor("Dora")
		for _, p := range []int{ana.Patient("Petra"), eve.Patient("Paul")} {
			ana.Assign(p, doctor).Expect(http.StatusCreated)
		}
		for _, who := range []*kit.Client{ana, eve} {
			for query, want := range map[string][]any{
				"": {"Paul", "Petra"}, "?cursor=": {"Paul", "Petra"}, "?ordering=name": {"Paul", "Petra"}, "?ordering=-name": {"Petra", "Paul"},
				"?ordering=updated_at": {"Petra", "Paul"}, "?search=petr": {"Petra"}, "?search=PAUL&cursor=": {"Paul"},
				"?created_by=1": {"Petra"}, "?created_by=2": {"Paul"}, "?created_by=2&search=petra": {},
			} {
				assert.Equal(t, want, who.Get("/api/patients/"+query).Expect(http.StatusOK).Column("name"), query)
			}
			assert.Len(t, who.Get("/api/mappings/").Expect(http.StatusOK).Results(), 2)
			assert.Equal(t, []any{2.0}, who.Get("/api/mappings/?created_by=2").Expect(http.StatusOK).Column("patient_id"))
		}
		// The assignment belongs to the patient's owner, whoever made it: so the doctor's creator may not delete it.
		ana.Delete(kit.Path("doctors", doctor)).Expect(http.StatusConflict)
		eve.Delete(kit.Path("patients", 2)).Expect(http.StatusNoContent)
		assert.Equal(t, []any{"Petra"}, eve.Get("/api/patients/").Expect(http.StatusOK).Column("name"))
		ana.Delete(kit.Path("doctors", doctor)).Expect(http.StatusNoContent)
	}, clinicMode)
}

func TestWhatAColleagueReadsIsInTheTrail(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana, eve := api.Staff("boss"), api.User("ana"), api.User("eve")
		patient := ana.Patient("Petra")
		eve.Get(kit.Path("patients", patient)).Expect(http.StatusOK)
		eve.Delete(kit.Path("patients", patient)).Expect(http.StatusForbidden)
		trail := boss.Get("/api/audit/?patient_id=1&user_id=3").Expect(http.StatusOK)
		assert.Equal(t, []any{"delete", "read"}, trail.Column("action"))
		assert.Equal(t, []any{"permission_denied", "ok"}, trail.Column("outcome"))
	}, clinicMode)
}
