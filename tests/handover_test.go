package tests

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// clinic is one patient of ana's with one doctor.
func clinic(api *kit.API) (ana *kit.Client, patient, mapping string) {
	api.T.Helper()
	ana = api.User("ana")
	p := ana.Post("/api/patients/", kit.Object{"name": "Petra"}).Expect(http.StatusCreated).ID()
	d := ana.Post("/api/doctors/", kit.Object{"name": "Dora", "specialization": "Surgery"}).Expect(http.StatusCreated).ID()
	m := ana.Post("/api/mappings/", kit.Object{"patient_id": p, "doctor_id": d}).Expect(http.StatusCreated).ID()
	return ana, fmt.Sprintf("/api/patients/%d/", p), fmt.Sprintf("/api/mappings/%d/", m)
}

func TestStaffHandAPatientOver(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, patient, mapping := clinic(api)
		boss, eve := api.Staff("boss"), api.User("eve")
		r := boss.Patch(patient, kit.Object{"created_by": eve.ID, "name": "Petra Neu"}).Expect(http.StatusOK)
		assert.EqualValues(t, eve.ID, r.JSON["created_by"])
		assert.EqualValues(t, 2, r.JSON["version"])
		assert.Equal(t, r.JSON, eve.Get(patient).Expect(http.StatusOK).JSON)

		for _, gone := range []*kit.Response{
			ana.Get(patient), ana.Patch(patient, kit.Object{"name": "Mine"}), ana.Delete(patient), ana.Delete(mapping),
			ana.Get("/api/mappings/1/"), ana.Post("/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": 1}),
		} {
			assert.Equal(t, http.StatusNotFound, gone.Status)
		}
		for _, list := range []string{"/api/patients/", "/api/mappings/"} {
			assert.Empty(t, ana.Get(list).Expect(http.StatusOK).Results(), list)
			assert.Len(t, eve.Get(list).Expect(http.StatusOK).Results(), 1, list)
		}
		assert.Len(t, eve.Get("/api/mappings/1/").Expect(http.StatusOK).Results(), 1)
		eve.Delete(mapping).Expect(http.StatusNoContent)
	})
}

func TestAPatientIsHandedOverToAnActiveAccountOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, patient, _ := clinic(api)
		boss, gone := api.Staff("boss"), api.User("gone")
		boss.Patch(gone.AccountPath(), kit.Object{"is_active": false}).Expect(http.StatusOK)
		before := boss.Get(patient).JSON
		for _, owner := range []any{77, gone.ID, 0, -1, nil, "x", 1.5, true} {
			r := boss.Patch(patient, kit.Object{"created_by": owner, "name": "Changed"})
			assert.Equal(t, http.StatusBadRequest, r.Status, owner)
			assert.NotEmpty(t, r.Error("created_by"), owner)
		}
		assert.Equal(t, "This field may not be null.", boss.Patch(patient, kit.Object{"created_by": nil}).Error("created_by"))
		assert.Equal(t, before, boss.Get(patient).JSON)
		assert.Len(t, ana.Get("/api/mappings/").Results(), 1)
		assert.Equal(t, before, boss.Patch(patient, kit.Object{"created_by": ana.ID}).Expect(http.StatusOK).JSON, "nothing changed")
	})
}

func TestWhoIsNotStaffCannotHandAPatientOver(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, patient, _ := clinic(api)
		eve := api.User("eve")
		r := ana.Patch(patient, kit.Object{"created_by": eve.ID}).Expect(http.StatusOK)
		assert.EqualValues(t, ana.ID, r.JSON["created_by"])
		assert.EqualValues(t, 1, r.JSON["version"])
		r = ana.Put(patient, kit.Object{"name": "Petra", "created_by": eve.ID}).Expect(http.StatusOK)
		assert.EqualValues(t, ana.ID, r.JSON["created_by"])
		r = eve.Post("/api/patients/", kit.Object{"name": "Paul", "created_by": ana.ID}).Expect(http.StatusCreated)
		assert.EqualValues(t, eve.ID, r.JSON["created_by"])
		assert.Equal(t, http.StatusNotFound, eve.Patch(patient, kit.Object{"created_by": eve.ID}).Status)
		assert.Len(t, ana.Get("/api/patients/").Results(), 1)
	})
}

func TestStaffListsCoverEverybodyAndNarrowToOneAccount(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, patient, mapping := clinic(api)
		boss, eve := api.Staff("boss"), api.User("eve")
		eve.Post("/api/patients/", kit.Object{"name": "Paul"}).Expect(http.StatusCreated)
		for query, names := range map[string][]any{
			"": {"Paul", "Petra"}, fmt.Sprintf("?created_by=%d", ana.ID): {"Petra"}, fmt.Sprintf("?created_by=%d", eve.ID): {"Paul"}, "?created_by=77": {},
		} {
			assert.Equal(t, names, boss.Get("/api/patients/"+query).Expect(http.StatusOK).Column("name"), query)
		}
		assert.Len(t, boss.Get(fmt.Sprintf("/api/mappings/?created_by=%d", ana.ID)).Results(), 1)
		assert.Empty(t, boss.Get(fmt.Sprintf("/api/mappings/?created_by=%d", eve.ID)).Results())
		assert.NotEmpty(t, boss.Get("/api/patients/?created_by=x").Expect(http.StatusBadRequest).Error("created_by"))
		assert.Empty(t, eve.Get(fmt.Sprintf("/api/patients/?created_by=%d", ana.ID)).Expect(http.StatusOK).Results())

		r := boss.Patch(patient, kit.Object{"phone": "123"}).Expect(http.StatusOK)
		assert.EqualValues(t, ana.ID, r.JSON["created_by"], "a change by staff leaves the owner")
		boss.Delete(mapping).Expect(http.StatusNoContent)
		boss.Delete(patient).Expect(http.StatusNoContent)
		ana.Get(patient).Expect(http.StatusNotFound)
	})
}
