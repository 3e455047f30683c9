package web

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestEachSentenceAboutAFieldHasItsCode(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		ana.Post("/api/doctors/", kit.Object{"name": "Cy", "specialization": "Eyes", "license_number": "C-1"}).Expect(http.StatusCreated)
		codes := func(r *kit.Response) any { return r.Expect(http.StatusBadRequest).JSON["error_codes"] }
		one := func(code string) []any { return []any{code} }

		assert.Equal(t, kit.Object{
			"name": one("blank"), "date_of_birth": one("out_of_range"), "gender": one("invalid_choice"), "phone": one("max_length"),
			"email": one("invalid"), "nick": one("unknown"),
		}, codes(ana.Post("/api/patients/", kit.Object{
			"name": " ", "date_of_birth": "1899-12-31", "gender": "x", "phone": "123456789012345678901234567890123", "email": "x", "nick": "",
		})))
		assert.Equal(t, kit.Object{"name": one("null"), "specialization": one("required"), "license_number": one("unique"), "years_of_experience": one("max_value")},
			codes(ana.Post("/api/doctors/", kit.Object{"name": nil, "license_number": "C-1", "years_of_experience": 81})))
		assert.Equal(t, kit.Object{"years_of_experience": one("min_value")}, codes(ana.Patch("/api/doctors/1/", kit.Object{"years_of_experience": -1})))
		assert.Equal(t, kit.Object{"patient_id": one("does_not_exist"), "doctor_id": one("invalid")},
			codes(ana.Post("/api/mappings/", kit.Object{"patient_id": 7, "doctor_id": "x"})))
		assert.Equal(t, kit.Object{"name": one("duplicate")}, codes(ana.Raw("POST", "/api/patients/", `{"name": "A", "name": "B"}`)))
		assert.Equal(t, kit.Object{
			"username": one("min_length"), "email": one("unique"), "password": []any{"password_too_common", "password_entirely_numeric"},
		}, codes(api.Nobody().Post(kit.RegisterPath, kit.Object{"username": "an", "email": "ana@example.org", "password": "12345678"})))
		for password, code := range map[string]string{"petronella1": "password_too_similar", "Zx7": "password_too_short"} {
			in := kit.Object{"username": "petronella", "email": "p@example.org", "password": password}
			assert.Equal(t, kit.Object{"password": one(code)}, codes(api.Nobody().Post(kit.RegisterPath, in)))
		}
		assert.Equal(t, kit.Object{"page": one("not_found")}, ana.Get("/api/patients/?page=7").Expect(http.StatusNotFound).JSON["error_codes"])
		assert.NotContains(t, ana.Get("/api/patients/7/").Expect(http.StatusNotFound).JSON, "error_codes")
	})
}
