package tests

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// families are the two addresses of the assignments.
var families = []string{"/api/mappings/", "/api/doctor/mappings/"}

func TestAssigningAnswersWithTheNamesOfBoth(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		doctor := eve.Doctor("Dora") // of the shared directory
		for i, family := range families {
			patient := ana.Patient("Petra")
			r := ana.Post(family, kit.Object{"patient_id": patient, "doctor_id": doctor, "id": 9, "assigned_by": 9, "patient": kit.Object{"name": "X"}}).Expect(http.StatusCreated)
			assert.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`, r.JSON["created_at"])
			assert.Equal(t, kit.Object{
				"id": float64(i + 1), "patient_id": float64(patient), "doctor_id": float64(doctor), "assigned_by": float64(ana.ID), "created_at": r.JSON["created_at"],
				"patient": kit.Object{"id": float64(patient), "name": "Petra"}, "doctor": kit.Object{"id": float64(doctor), "name": "Dora", "specialization": "Surgery"},
			}, r.JSON)
			for _, other := range families {
				assert.Equal(t, r.JSON, ana.Get(other).Expect(http.StatusOK).Results()[0])
			}
		}
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM mappings WHERE deleted_at IS NULL AND doctor_id = 1"))
	})
}

func TestTheDoctorsOfAPatientCarryTheirAssignment(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		patient, other := ana.Patient("Petra"), ana.Patient("Paul")
		doctors := []int{ana.Doctor("Dora"), ana.Doctor("Emil"), ana.Doctor("Finn")}
		ana.Assign(other, doctors[2]).Expect(http.StatusCreated)
		first, second := ana.Assign(patient, doctors[1]), ana.Assign(patient, doctors[0])
		for _, family := range families {
			r := ana.Get(family + "1/").Expect(http.StatusOK)
			assert.Equal(t, []any{"Dora", "Emil"}, r.Column("name")) // the newest assignment first
			for i, m := range []*kit.Response{second, first} {
				doctor := ana.Get(kit.Path("doctors", int(m.JSON["doctor_id"].(float64)))).JSON
				assert.Equal(t, kit.With(doctor, "mapping_id", m.JSON["id"], "assigned_at", m.JSON["created_at"]), r.Results()[i])
			}
			assert.Equal(t, []any{"Emil", "Dora"}, ana.Get(family+"1/?ordering=-name").Column("name"))
			assert.Equal(t, []any{"Emil"}, ana.Get(family+"1/?search=EMI").Column("name"))
			assert.Empty(t, ana.Get(family+"1/?specialization=None").Results())
		}
		none := ana.Patient("Pia")
		assert.Equal(t, kit.Object{"count": 0.0, "next": nil, "previous": nil, "results": []any{}}, ana.Get(kit.Path("mappings", none)).Expect(http.StatusOK).JSON)
		// A doctor of this list can be PUT as it is.
		listed := ana.Get("/api/mappings/1/").Results()[0]
		assert.Equal(t, 1.0, ana.Put(kit.Path("doctors", doctors[0]), listed).Expect(http.StatusOK).JSON["version"])
	})
}

func TestWrongAssignmentsAreRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		eve := api.User("eve")
		evesPatient := eve.Patient("Paul")
		ana := kit.EveryTable(api)
		before := api.Contents()
		for _, c := range []struct {
			body   kit.Object
			field  string
			says   string
			errors int
		}{
			{kit.Object{}, "patient_id", "required", 2},
			{kit.Object{}, "doctor_id", "required", 2},
			{kit.Object{"patient_id": 2}, "doctor_id", "required", 1},
			{kit.Object{"doctor_id": 1}, "patient_id", "required", 1},
			{kit.Object{"patient_id": nil, "doctor_id": 1}, "patient_id", "may not be null", 1},
			{kit.Object{"patient_id": "two", "doctor_id": 1}, "patient_id", "valid integer", 1},
			{kit.Object{"patient_id": true, "doctor_id": 1}, "patient_id", "valid integer", 1},
			{kit.Object{"patient_id": 2, "doctor_id": 1.5}, "doctor_id", "valid integer", 1},
			{kit.Object{"patient_id": 2, "doctor_id": []int{1}}, "doctor_id", "valid integer", 1},
			{kit.Object{"patient_id": 2, "doctor_id": uint64(9223372036854775808)}, "doctor_id", "valid integer", 1},
			{kit.Object{"patient_id": 2, "doctor_id": 99}, "doctor_id", "does not exist", 1},
			{kit.Object{"patient_id": 2, "doctor_id": -1}, "doctor_id", "does not exist", 1},
			{kit.Object{"patient_id": 99, "doctor_id": 99}, "patient_id", "does not exist", 2},
			{kit.Object{"patient_id": evesPatient, "doctor_id": 1}, "patient_id", "does not exist", 1}, // not hers to know of
			{kit.Object{"patient_id": 2, "doctor_id": 1, "note": "x"}, "note", "no such field", 1},
		} {
			for _, family := range families {
				r := ana.Post(family, c.body)
				assert.Equal(t, http.StatusBadRequest, r.Status, c)
				assert.Contains(t, r.Error(c.field), c.says, c)
				assert.Len(t, r.JSON["errors"], c.errors, c)
			}
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestIdsMayBeInQuotes(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		r := ana.Post("/api/mappings/", kit.Object{"patient_id": "1", "doctor_id": "1"})
		assert.Equal(t, http.StatusBadRequest, r.Status)
		ana.Patient("Petra")
		ana.Doctor("Dora")
		ana.Post("/api/mappings/", kit.Object{"patient_id": "1", "doctor_id": "1"}).Expect(http.StatusCreated)
		ana.Post("/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": "1"}).Expect(http.StatusOK)
	})
}

func TestPatientAndDoctorAreOtherNamesOfTheirIds(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		for _, family := range families {
			patient, doctor := ana.Patient("Paul"), ana.Doctor("Emil")
			r := ana.Post(family, kit.Object{"patient": fmt.Sprint(patient), "doctor": doctor}).Expect(http.StatusCreated)
			assert.Equal(t, []any{float64(patient), float64(doctor)}, []any{r.JSON["patient_id"], r.JSON["doctor_id"]})
			ana.Post("/api/doctor/mappings/"+fmt.Sprint(patient)+"/remove/", kit.Object{"doctor": doctor}).Expect(http.StatusOK)

			again := kit.Object{"patient_id": patient, "doctor_id": fmt.Sprint(doctor), "patient": fmt.Sprint(patient), "doctor": doctor} // both, and the same
			second := ana.Post(family, again).Expect(http.StatusCreated)
			assert.Equal(t, r.JSON["doctor"], second.JSON["doctor"])
			ana.Delete(kit.Path("mappings", second.ID())).Expect(http.StatusNoContent)
			// What GET showed can be sent back; its objects are read-only.
			ana.Post(family, kit.With(r.JSON, "patient", kit.Object{"id": 1, "name": "X"})).Expect(http.StatusCreated)
			ana.Post("/api/doctor/mappings/"+fmt.Sprint(patient)+"/remove/", kit.With(r.JSON, "patient", nil, "doctor", nil)).Expect(http.StatusOK)
		}
	})
}

func TestWhatIsWrongIsToldUnderTheNameThatTheClientUsed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		before := api.Contents()
		for _, c := range []struct {
			body kit.Object
			says map[string]string // by the names of all fields that are wrong
		}{
			{kit.Object{"patient": 1}, map[string]string{"doctor_id": "required"}},
			{kit.Object{"patient": nil, "doctor": 0}, map[string]string{"patient": "may not be null", "doctor": "required"}},
			{kit.Object{"patient": "x", "doctor": []int{1}}, map[string]string{"patient": "valid integer", "doctor": "valid integer"}},
			{kit.Object{"patient": 99, "doctor_id": 99}, map[string]string{"patient": "does not exist", "doctor_id": "does not exist"}},
			{kit.Object{"patient_id": 99, "doctor": 99}, map[string]string{"patient_id": "does not exist", "doctor": "does not exist"}},
			{kit.Object{"patient": kit.Object{"id": 1}, "doctor": 1}, map[string]string{"patient_id": "required"}},
			{kit.Object{"patient_id": 1, "patient": 2, "doctor": 1}, map[string]string{"patient": "not what patient_id says"}},
			{kit.Object{"patient_id": 1, "doctor_id": 1, "doctor": "x"}, map[string]string{"doctor": "not what doctor_id says"}},
			{kit.Object{"patient_id": "x", "patient": 1, "doctor": 1}, map[string]string{"patient_id": "valid integer"}},
		} {
			for _, family := range families {
				r := ana.Post(family, c.body)
				assert.Equal(t, http.StatusBadRequest, r.Status, c)
				assert.Len(t, r.JSON["errors"], len(c.says), c)
				for field, says := range c.says {
					assert.Contains(t, r.Error(field), says, c)
				}
			}
		}
		for says, body := range map[string]kit.Object{
			"may not be null": {"doctor": nil}, "valid integer": {"doctor": true}, "required": {"doctor": 0}, "not what doctor_id says": {"doctor": 1, "doctor_id": 2},
		} {
			r := ana.Post("/api/doctor/mappings/1/remove/", body).Expect(http.StatusBadRequest)
			assert.Contains(t, r.Error("doctor"), says)
			assert.Len(t, r.JSON["errors"], 1)
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestAnAssignmentExistsOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		before := api.Contents()
		for _, family := range families {
			r := ana.Post(family, kit.Object{"patient_id": 1, "doctor_id": 1}).Expect(http.StatusConflict)
			assert.Equal(t, "conflict", r.JSON["code"])
		}
		assert.Equal(t, before, api.Contents())
		ana.Delete("/api/mappings/1/").Expect(http.StatusNoContent)
		again := ana.Assign(1, 1).Expect(http.StatusCreated)
		assert.NotEqual(t, 1, again.ID())
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM mappings"))
	})
}

func TestAnAssignmentIsRemovedInBothWays(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		ana.Delete("/api/mappings/1/").Expect(http.StatusNoContent)
		ana.Delete("/api/mappings/1/").Expect(http.StatusNotFound)
		ana.Assign(1, 1).Expect(http.StatusCreated)
		r := ana.Post("/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": 1}).Expect(http.StatusOK)
		assert.Equal(t, []string{"message"}, kit.Keys(r.JSON))
		ana.Post("/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": 1}).Expect(http.StatusNotFound)
		assert.Empty(t, ana.Get("/api/mappings/1/").Expect(http.StatusOK).Results())
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM mappings WHERE deleted_at IS NOT NULL"))
	})
}

func TestWrongRemovalsAreRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		ana.Doctor("Emil") // 2, not assigned
		before := api.Contents()
		for _, c := range []struct {
			body   kit.Object
			status int
		}{
			{kit.Object{}, http.StatusBadRequest}, {kit.Object{"doctor_id": nil}, http.StatusBadRequest}, {kit.Object{"doctor_id": "x"}, http.StatusBadRequest},
			{kit.Object{"doctor_id": 1, "reason": "x"}, http.StatusBadRequest}, {kit.Object{"doctor_id": 2}, http.StatusNotFound}, {kit.Object{"doctor_id": 99}, http.StatusNotFound},
		} {
			assert.Equal(t, c.status, ana.Post("/api/doctor/mappings/1/remove/", c.body).Status, c)
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestAssignmentsBelongToTheOwnerOfThePatient(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := kit.EveryTable(api), api.User("eve"), api.Staff("sue")
		before := api.Contents()
		for _, family := range families {
			assert.Empty(t, eve.Get(family).Expect(http.StatusOK).Results())
			eve.Get(family + "1/").Expect(http.StatusNotFound)
			assert.Len(t, staff.Get(family).Expect(http.StatusOK).Results(), 1)
			assert.Len(t, staff.Get(family+"1/").Expect(http.StatusOK).Results(), 1)
		}
		eve.Delete("/api/mappings/1/").Expect(http.StatusNotFound)
		eve.Post("/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": 1}).Expect(http.StatusNotFound)
		assert.Equal(t, before, api.Contents())

		staff.Delete("/api/mappings/1/").Expect(http.StatusNoContent)
		r := staff.Assign(1, 1).Expect(http.StatusCreated)
		assert.EqualValues(t, staff.ID, r.JSON["assigned_by"])
		assert.Equal(t, r.JSON, ana.Get("/api/mappings/").Results()[0]) // hers, though another assigned
		staff.Post("/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": 1}).Expect(http.StatusOK)
	})
}
