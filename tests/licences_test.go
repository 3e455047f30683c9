package tests

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// spellings are of one licence number: capital, small and full-width letters.
var spellings = []string{"C-1042", "c-1042", "Ｃ-1042", "ｃ－１０４２"}

func licensed(number string) kit.Object {
	return kit.Object{"name": "Dora", "specialization": "Surgery", "license_number": number}
}

func TestALicenceNumberIsOneInEverySpelling(t *testing.T) {
	const taken = "A doctor with that license number already exists."
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		first := ana.Post("/api/doctors/", licensed(spellings[0])).Expect(http.StatusCreated).ID()
		second := kit.Path("doctors", ana.Doctor("Emil"))
		before := api.Contents()
		for _, number := range spellings {
			for _, r := range []*kit.Response{
				ana.Post("/api/doctors/", licensed(number)), ana.Put(second, licensed(number)), ana.Patch(second, kit.Object{"license_number": number}),
			} {
				assert.Equal(t, http.StatusBadRequest, r.Status, number)
				assert.Equal(t, kit.Object{"license_number": []any{taken}}, r.JSON["errors"], number)
			}
			for _, search := range []string{"c-1042", "C-1042", "1042"} {
				assert.Equal(t, []any{float64(first)}, ana.Get("/api/doctors/?search="+url.QueryEscape(search)).Column("id"), search)
			}
		}
		assert.Equal(t, before, api.Contents())

		for _, number := range []string{spellings[2], spellings[1]} { // its own, spelt anew, is stored as it is sent
			assert.Equal(t, number, ana.Patch(kit.Path("doctors", first), kit.Object{"license_number": number}).Expect(http.StatusOK).JSON["license_number"])
		}
		ana.Delete(kit.Path("doctors", first)).Expect(http.StatusNoContent)
		ana.Patch(second, kit.Object{"license_number": spellings[0]}).Expect(http.StatusOK)
		assert.Equal(t, taken, staff.Post(kit.Path("doctors", first, "restore"), nil).Expect(http.StatusConflict).JSON["detail"])
		ana.Patch(second, kit.Object{"license_number": ""}).Expect(http.StatusOK)
		staff.Post(kit.Path("doctors", first, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, http.StatusBadRequest, ana.Patch(second, kit.Object{"license_number": spellings[3]}).Status)
	})
}

func TestALicenceNumberInManySpellingsAtOnceGoesToOneOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		second := ana.At(kit.Start(t, api.Config))
		for i := range 5 {
			got := statuses(kit.AtOnce(4, func(j int) *kit.Response {
				return []*kit.Client{ana, second}[j%2].Post("/api/doctors/", licensed(fmt.Sprint(spellings[j], i)))
			}))
			assert.Equal(t, 1, count(got, 201), got)
			assert.Equal(t, 3, count(got, 400, 409), got)
		}
		assert.Equal(t, 5, api.Count("SELECT count(*) FROM doctors"))
	})
}
