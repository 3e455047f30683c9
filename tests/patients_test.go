package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestAPatientIsSeenByItsCreatorOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		p := ana.Post("/api/patients/", kit.Object{"name": "Jürgen"}).Expect(http.StatusCreated)
		one := kit.Path("patients", p.ID())
		before := api.Contents()
		for name, r := range map[string]*kit.Response{
			"GET": eve.Get(one), "PUT": eve.Put(one, kit.Object{"name": "Mine"}), "PATCH": eve.Patch(one, kit.Object{"name": "Mine"}), "DELETE": eve.Delete(one),
		} {
			assert.Equal(t, http.StatusNotFound, r.Status, name) // not 403: that would tell that it exists
			assert.Equal(t, "not_found", r.JSON["code"], name)
			kit.Absent(t, r.Raw, "Jürgen")
		}
		r := eve.Get("/api/patients/?search=J").Expect(http.StatusOK)
		assert.Equal(t, kit.Object{"count": 0.0, "next": nil, "previous": nil, "results": []any{}}, r.JSON)
		assert.Equal(t, before, api.Contents())
		assert.Equal(t, p.JSON, ana.Get(one).Expect(http.StatusOK).JSON)
		assert.Equal(t, []any{p.JSON}, ana.Get("/api/patients/").JSON["results"])
	})
}

func TestAWrongBodyDoesNotTellThatAPatientExists(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana").Patient("Petra")
		eve := api.User("eve")
		for _, id := range []int{1, 2} { // one that exists, one that does not
			assert.Equal(t, http.StatusNotFound, eve.Put(kit.Path("patients", id), kit.Object{"gender": "x"}).Status)
			assert.Equal(t, http.StatusNotFound, eve.Patch(kit.Path("patients", id), kit.Object{"nonsense": "x"}).Status)
		}
	})
}

func TestStaffSeeAndChangeEverybodysPatients(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		first, second := ana.Patient("Petra"), eve.Patient("Paul")
		assert.Equal(t, 2.0, staff.Get("/api/patients/").JSON["count"])
		r := staff.Patch(kit.Path("patients", first), kit.Object{"name": "Petra Öz"}).Expect(http.StatusOK)
		assert.EqualValues(t, ana.ID, r.JSON["created_by"]) // it stays hers
		assert.Equal(t, r.JSON, ana.Get(kit.Path("patients", first)).Expect(http.StatusOK).JSON)
		staff.Put(kit.Path("patients", second), kit.Object{"name": "Paula"}).Expect(http.StatusOK)
		staff.Delete(kit.Path("patients", second)).Expect(http.StatusNoContent)
		eve.Get(kit.Path("patients", second)).Expect(http.StatusNotFound)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients WHERE deleted_at IS NOT NULL"))
	})
}

func TestAMissingRecordIsNotFound(t *testing.T) {
	ids := []string{"2", "abc", "0", "-1", "1.5", "+1", "0x1", "1e0", "９", "9223372036854775807", "9223372036854775808", "1%20OR%201=1", "1%00", "%31%32", "null", "1;2", "%ff", "%2e%2e"}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := kit.EveryTable(api)
		before := api.Contents()
		for _, id := range ids {
			for _, r := range []*kit.Response{
				c.Get("/api/patients/" + id + "/"), c.Put("/api/patients/"+id+"/", kit.Object{"name": "X"}), c.Patch("/api/patients/"+id+"/", kit.Object{"name": "X"}), c.Delete("/api/patients/" + id + "/"),
				c.Get("/api/doctors/" + id + "/"), c.Put("/api/doctors/"+id, kit.Object{"name": "X", "specialization": "Y"}), c.Patch("/api/doctors/"+id, kit.Object{"name": "X"}), c.Delete("/api/doctors/" + id + "/"),
				c.Get("/api/mappings/" + id + "/"), c.Delete("/api/mappings/" + id + "/"),
				c.Get("/api/doctor/mappings/" + id + "/"), c.Post("/api/doctor/mappings/"+id+"/remove/", kit.Object{"doctor_id": 1}),
			} {
				assert.Equal(t, http.StatusNotFound, r.Status, id)
				assert.Equal(t, "not_found", r.JSON["code"], id)
			}
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestADeletedPatientTakesItsAssignmentsAlong(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		gone, kept, doctor := ana.Patient("Petra"), ana.Patient("Paul"), ana.Doctor("Dora")
		mapping := ana.Assign(gone, doctor).Expect(http.StatusCreated).ID()
		ana.Assign(kept, doctor).Expect(http.StatusCreated)
		ana.Delete(kit.Path("patients", gone)).Expect(http.StatusNoContent)

		assert.Equal(t, []any{float64(kept)}, ana.Get("/api/mappings/").Column("patient_id"))
		ana.Get(kit.Path("mappings", gone)).Expect(http.StatusNotFound)
		ana.Delete(kit.Path("mappings", mapping)).Expect(http.StatusNotFound)
		ana.Post(kit.Path("doctor/mappings", gone, "remove"), kit.Object{"doctor_id": doctor}).Expect(http.StatusNotFound)
		assert.Contains(t, ana.Assign(gone, doctor).Expect(http.StatusBadRequest).Error("patient_id"), "does not exist")
		ana.Get(kit.Path("doctors", doctor)).Expect(http.StatusOK)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM mappings"))
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM mappings WHERE deleted_at IS NULL"))
	})
}
