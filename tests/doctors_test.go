package tests

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestAllAccountsShareTheDoctors(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		d := ana.Post("/api/doctors/", kit.Records[1].Full).Expect(http.StatusCreated)
		assert.Equal(t, d.JSON, eve.Get(kit.Path("doctors", d.ID())).Expect(http.StatusOK).JSON)
		assert.Equal(t, []any{d.JSON}, eve.Get("/api/doctors/").JSON["results"])
	})
}

func TestOnlyItsCreatorAndStaffChangeADoctor(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		one := kit.Path("doctors", ana.Doctor("Dora"))
		before := api.Contents()
		for _, r := range []*kit.Response{
			eve.Put(one, kit.Object{"name": "Mine", "specialization": "None"}), eve.Patch(one, kit.Object{"name": "Mine"}), eve.Patch(one, kit.Object{}), eve.Delete(one),
		} {
			assert.Equal(t, http.StatusForbidden, r.Status)
			assert.Equal(t, "permission_denied", r.JSON["code"])
		}
		assert.Equal(t, before, api.Contents())

		r := staff.Patch(one, kit.Object{"name": "Dora Öz"}).Expect(http.StatusOK)
		assert.EqualValues(t, ana.ID, r.JSON["created_by"])
		staff.Put(one, kit.Object{"name": "Dora", "specialization": "Radiology"}).Expect(http.StatusOK)
		assert.Equal(t, 3.0, ana.Patch(one, kit.Object{"phone": ""}).Expect(http.StatusOK).JSON["version"])
		staff.Delete(one).Expect(http.StatusNoContent)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM doctors WHERE deleted_at IS NOT NULL"))
	})
}

func TestWrongFieldsOfADoctorAreRefused(t *testing.T) {
	cases := []wrongField{
		{"name", nil, "may not be null"}, {"name", " ", "may not be blank"}, {"name", longText(256), "no more than 255"}, {"name", false, "Not a valid string"},
		{"specialization", nil, "may not be null"}, {"specialization", "", "may not be blank"}, {"specialization", longText(256), "no more than 255"},
		{"specialization", []int{1}, "Not a valid string"}, {"specialization", "\x00", "Null characters"},
		{"email", "dora@", "valid email"}, {"email", 1, "Not a valid string"}, {"email", strings.Repeat("a", 250) + "@b.org", "no more than 254"},
		{"phone", "home", "valid phone"}, {"phone", strings.Repeat("1", 33), "no more than 32"}, {"phone", 1, "Not a valid string"},
		{"license_number", longText(65), "no more than 64"}, {"license_number", 7, "Not a valid string"}, {"license_number", "a\x00", "Null characters"},
		{"years_of_experience", -1, "greater than or equal to 0"}, {"years_of_experience", 81, "less than or equal to 80"},
		{"years_of_experience", 1.5, "valid integer"}, {"years_of_experience", "many", "valid integer"}, {"years_of_experience", "", "valid integer"},
		{"years_of_experience", true, "valid integer"}, {"years_of_experience", []int{1}, "valid integer"}, {"years_of_experience", 1e30, "valid integer"},
		{"years_of_experience", uint64(9223372036854775808), "valid integer"}, {"years_of_experience", "1 OR 1=1", "valid integer"},
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) { refuses(t, api, api.User("ana"), kit.Records[1], cases) })
}

func TestExperienceIsAWholeNumberAlsoInQuotes(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		one := kit.Path("doctors", c.Doctor("Dora"))
		for body, want := range map[string]any{`0`: 0.0, `80`: 80.0, `"7"`: 7.0, `8.0`: 8.0, `-0`: 0.0, `null`: nil} {
			r := c.Raw("PATCH", one, `{"years_of_experience": `+body+`}`).Expect(http.StatusOK)
			assert.Equal(t, want, r.JSON["years_of_experience"], body)
			assert.Equal(t, r.JSON, c.Get(one).JSON)
		}
	})
}

func TestALicenceNumberIsUniqueAmongDoctorsThatAreNotDeleted(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		licensed := kit.Object{"name": "Dora", "specialization": "Surgery", "license_number": "L-1"}
		first := kit.Path("doctors", ana.Post("/api/doctors/", licensed).Expect(http.StatusCreated).ID())
		second := kit.Path("doctors", eve.Doctor("Emil"))
		eve.Doctor("Without") // two without a number are no duplicates
		before := api.Contents()
		for _, r := range []*kit.Response{eve.Post("/api/doctors/", licensed), eve.Put(second, licensed), eve.Patch(second, kit.Object{"license_number": " L-1 "})} {
			assert.Equal(t, http.StatusBadRequest, r.Status)
			assert.Equal(t, kit.Object{"license_number": []any{"A doctor with that license number already exists."}}, r.JSON["errors"])
		}
		r := eve.Post("/api/doctors/", kit.With(licensed, "name", "", "phone", "home")).Expect(http.StatusBadRequest)
		assert.Len(t, r.JSON["errors"], 3) // told together with the other faults
		assert.Equal(t, before, api.Contents())

		ana.Put(first, licensed).Expect(http.StatusOK) // its own number is not taken
		ana.Delete(first).Expect(http.StatusNoContent)
		eve.Patch(second, kit.Object{"license_number": "L-1"}).Expect(http.StatusOK)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM doctors WHERE license_number = 'L-1'"))
		assert.Equal(t, http.StatusBadRequest, ana.Post("/api/doctors/", licensed).Status)
	})
}

func TestADoctorOfOtherAccountsPatientsIsDeletedByStaffOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		doctor := ana.Doctor("Dora")
		ana.Assign(ana.Patient("Petra"), doctor).Expect(http.StatusCreated)
		mapping := eve.Assign(eve.Patient("Paul"), doctor).Expect(http.StatusCreated).ID()
		before := api.Contents()
		r := ana.Delete(kit.Path("doctors", doctor)).Expect(http.StatusConflict)
		assert.Equal(t, "conflict", r.JSON["code"])
		kit.Absent(t, r.Raw, "Paul")
		assert.Equal(t, before, api.Contents())

		staff.Delete(kit.Path("doctors", doctor)).Expect(http.StatusNoContent)
		for _, c := range []*kit.Client{ana, eve, staff} {
			c.Get(kit.Path("doctors", doctor)).Expect(http.StatusNotFound)
			assert.Zero(t, c.Get("/api/mappings/").JSON["count"])
		}
		assert.Zero(t, eve.Get("/api/mappings/2/").Expect(http.StatusOK).JSON["count"])
		eve.Delete(kit.Path("mappings", mapping)).Expect(http.StatusNotFound)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM mappings WHERE deleted_at IS NOT NULL"))
	})
}

func TestACreatorDeletesADoctorOfNobodyElsesPatients(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		doctor, patient := ana.Doctor("Dora"), ana.Patient("Petra")
		ana.Assign(patient, doctor).Expect(http.StatusCreated)
		eves := eve.Assign(eve.Patient("Paul"), doctor).Expect(http.StatusCreated).ID()
		eve.Delete(kit.Path("mappings", eves)).Expect(http.StatusNoContent) // no longer assigned
		ana.Delete(kit.Path("doctors", doctor)).Expect(http.StatusNoContent)
		assert.Empty(t, ana.Get(kit.Path("mappings", patient)).Expect(http.StatusOK).Results())
		assert.Zero(t, api.Count("SELECT count(*) FROM mappings WHERE deleted_at IS NULL"))
	})
}
