package tests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

type wrongField struct {
	field string
	value any
	says  string
}

// refuses asserts that POST, PUT and PATCH all refuse each wrong value, name just that field and change nothing.
func refuses(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record, cases []wrongField) {
	t.Helper()
	one := oneOf(kind, c.Post(kind.Path, kind.Full).Expect(http.StatusCreated))
	other := kit.With(kind.Full, "name", "Changed")
	if _, has := kind.Full["license_number"]; has {
		other["license_number"] = "L-2"
	} else {
		other["identifiers"] = []any{}
	}
	before := api.Contents()
	for _, w := range cases {
		body := kit.With(other, w.field, w.value)
		for method, r := range map[string]*kit.Response{
			"POST": c.Post(kind.Path, body), "PUT": c.Put(one, body), "PATCH": c.Patch(one, kit.With(kit.Object{"email": ""}, w.field, w.value)),
		} {
			what := fmt.Sprintf("%s %s: %.40v", method, w.field, w.value)
			assert.Equal(t, http.StatusBadRequest, r.Status, what)
			assert.Equal(t, "invalid", r.JSON["code"], what)
			assert.Contains(t, r.Error(w.field), w.says, what)
			assert.Len(t, r.JSON["errors"], 1, what)
		}
	}
	assert.Equal(t, before, api.Contents())
}

func longText(n int) string { return strings.Repeat("ü", n) }

func TestWrongFieldsOfAPatientAreRefused(t *testing.T) {
	tomorrowEverywhere := time.Now().UTC().Add(39 * time.Hour).Format(time.DateOnly)
	cases := []wrongField{
		{"name", nil, "may not be null"}, {"name", "", "may not be blank"}, {"name", " \t\n\u00a0", "may not be blank"},
		{"name", longText(256), "no more than 255 characters"}, {"name", 5, "Not a valid string"}, {"name", kit.Object{}, "Not a valid string"},
		{"name", "a\x00b", "Null characters"},
		{"date_of_birth", "1899-12-31", "not before 1900"}, {"date_of_birth", tomorrowEverywhere, "not in the future"},
		{"date_of_birth", "9999-12-31", "not in the future"}, {"date_of_birth", "2023-02-29", "wrong format"},
		{"date_of_birth", "29.02.2024", "wrong format"}, {"date_of_birth", "2024-2-9", "wrong format"},
		{"date_of_birth", "2024-02-09T00:00:00Z", "wrong format"}, {"date_of_birth", "0000-01-01", "wrong format"},
		{"date_of_birth", "10000-01-01", "wrong format"}, {"date_of_birth", 20240209, "Not a valid string"},
		{"gender", "Female", "Not a valid choice"}, {"gender", "", "Not a valid choice"}, {"gender", "f", "Not a valid choice"}, {"gender", 1, "Not a valid string"},
		{"phone", "call me", "valid phone"}, {"phone", "+49 30 <1>", "valid phone"}, {"phone", strings.Repeat("1", 33), "no more than 32"},
		{"phone", "١٢٣", "valid phone"}, {"phone", 4930123, "Not a valid string"},
		{"email", "petra", "valid email"}, {"email", "a@b@c.org", "valid email"}, {"email", strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 100) + "org", "no more than 254"},
		{"email", []string{"a@b.org"}, "Not a valid string"},
		{"address", longText(1001), "no more than 1000"}, {"address", kit.Object{"street": "x"}, "Not a valid string"},
		{"blood_group", "C+", "Not a valid choice"}, {"blood_group", "a+", "Not a valid choice"}, {"blood_group", "A", "Not a valid choice"}, {"blood_group", true, "Not a valid string"},
		{"allergies", longText(10001), "no more than 10000"}, {"allergies", []string{"pollen"}, "Not a valid string"},
		{"medical_history", longText(10001), "no more than 10000"}, {"medical_history", 0, "Not a valid string"}, {"medical_history", "\x00", "Null characters"},
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) { refuses(t, api, api.User("ana"), kit.Records[0], cases) })
}

func TestAPatientIsToldAllItsWrongFieldsAtOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		body := kit.Object{"date_of_birth": "soon", "gender": "x", "phone": "ring", "email": "x", "blood_group": "x", "allergies": 1, "nick": "x"}
		r := api.User("ana").Post("/api/patients/", body).Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"allergies", "blood_group", "date_of_birth", "email", "gender", "name", "nick", "phone"}, kit.Keys(r.JSON["errors"].(kit.Object)))
		assert.Zero(t, api.Count("SELECT count(*) FROM patients"))
	})
}

func TestFieldsOfAPatientGoToTheirLimits(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		one := kit.Path("patients", c.Patient("Petra"))
		type accepted struct {
			field string
			value any
		}
		cases := []accepted{
			{"name", longText(255)}, {"name", strings.Repeat("😀", 255)}, {"name", "O'Brien; DROP TABLE patients; --"}, {"name", `<script>"\&`}, {"name", "名前"}, {"name", "\ufffd"},
			{"date_of_birth", "1900-01-01"}, {"date_of_birth", "2024-02-29"}, {"date_of_birth", time.Now().UTC().Format(time.DateOnly)},
			{"phone", strings.Repeat("1", 32)}, {"address", longText(1000)}, {"allergies", longText(10000)}, {"medical_history", strings.Repeat("😀", 10000)},
		}
		for _, g := range []string{"male", "female", "other", "unknown"} {
			cases = append(cases, accepted{"gender", g})
		}
		for _, b := range []string{"A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-", ""} {
			cases = append(cases, accepted{"blood_group", b})
		}
		for _, a := range cases {
			r := c.Patch(one, kit.Object{a.field: a.value}).Expect(http.StatusOK)
			assert.Equal(t, a.value, r.JSON[a.field])
			assert.Equal(t, r.JSON, c.Get(one).JSON)
		}
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients"))
	})
}

func TestTextIsTrimmed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		r := api.User("ana").Post("/api/patients/", kit.Object{"name": " \u00a0Petra  Meier\t", "phone": " 123 ", "allergies": " ", "date_of_birth": " 2000-01-01 ", "gender": " male "})
		r.Expect(http.StatusCreated)
		assert.Equal(t, []any{"Petra  Meier", "123", "", "2000-01-01", "male"},
			[]any{r.JSON["name"], r.JSON["phone"], r.JSON["allergies"], r.JSON["date_of_birth"], r.JSON["gender"]})
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients WHERE name = 'Petra  Meier' AND allergies = ''"))
	})
}
