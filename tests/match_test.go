package tests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

const match = "/api/patients/match/"

func juergen() kit.Object {
	return kit.Object{
		"name": "Jürgen Müller", "date_of_birth": "1957-03-08", "gender": "male", "phone": "+49 (0)30 5550-117", "email": "j.mueller@example.org",
		"identifiers": ids(file, "A-17"),
	}
}

func TestAMatchFindsWhoIsNearlyTheSameAndSaysWhy(t *testing.T) {
	cases := []struct {
		known   kit.Object
		score   int
		reasons []any
	}{
		{kit.Object{"name": "JURGEN MULLER", "date_of_birth": "1957-03-08"}, 75, []any{"name_equal", "birth_date_equal"}},
		{kit.Object{"name": "Müller, Jürgen", "date_of_birth": "1957-08-03"}, 66, []any{"name_swapped", "birth_date_swapped"}},
		{kit.Object{"name": "Jürgen Mülller", "date_of_birth": "1957-03-09"}, 57, []any{"name_similar", "birth_date_digit"}},
		{kit.Object{"name": "Jügren Müller"}, 32, []any{"name_similar"}},
		{kit.Object{"name": "Jrgen Mueller", "date_of_birth": "1957-03-08"}, 67, []any{"name_similar", "birth_date_equal"}},
		{kit.Object{"phone": "0049 30 5550117", "email": "J.Mueller@Example.org"}, 50, []any{"phone_equal", "email_equal"}},
		{kit.Object{"identifiers": ids(file, "A-17")}, 60, []any{"identifier_equal"}},
		{kit.Object{"identifiers": ids(file, "A-17"), "name": "Petra"}, 30, []any{"identifier_equal", "name_differs"}},
		{
			kit.Object{"name": "Jürgen Müller", "date_of_birth": "1999-12-31", "phone": "030 5550117", "gender": "female"}, 30,
			[]any{"name_equal", "birth_date_differs", "phone_equal", "gender_differs"},
		},
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		made := ana.Post("/api/patients/", juergen()).Expect(http.StatusCreated).JSON
		ana.Post("/api/patients/", kit.Object{"name": "Petra Schmidt", "date_of_birth": "1984-02-29"}).Expect(http.StatusCreated)
		for _, c := range cases {
			for _, who := range []*kit.Client{ana, staff} {
				found := who.Post(match, c.known).Expect(http.StatusOK).Results()
				if assert.Len(t, found, 1, c.known) {
					assert.Equal(t, kit.Object{"patient": made, "score": float64(c.score), "reasons": c.reasons}, found[0], c.known)
				}
			}
			assert.Empty(t, eve.Post(match, c.known).Expect(http.StatusOK).Results(), "another's patient")
		}
		assert.Equal(t, made, ana.Post(match, made).Expect(http.StatusOK).Results()[0]["patient"], "what GET returned may be sent")
		for _, none := range []kit.Object{{"name": "Jo Ng"}, {"name": "Anton Berg"}, {"date_of_birth": "2000-01-01"}, {"name": "% _ ' \""}} {
			assert.Empty(t, ana.Post(match, none).Expect(http.StatusOK).Results())
		}
		ana.Delete(kit.Path("patients", 1)).Expect(http.StatusNoContent)
		assert.Empty(t, ana.Post(match, juergen()).Expect(http.StatusOK).Results(), "deleted")
	})
}

func TestAMatchIsAuditedWithThePatientsThatItShowed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		ana.Post("/api/patients/", juergen()).Expect(http.StatusCreated)
		ana.Post(match, kit.Object{"name": "Jürgen Müller"}).Expect(http.StatusOK)
		seen := staff.Get("/api/audit/?patient_id=1&action=read").Results()
		if assert.Len(t, seen, 1) {
			assert.Equal(t, []any{[]any{1.0}, "patient", nil}, []any{seen[0]["patient_ids"], seen[0]["object"], seen[0]["object_id"]})
		}
	})
}

func TestAMatchNeedsSomethingToLookFor(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for field, body := range map[string]kit.Object{
			"name": {"gender": "male"}, "date_of_birth": {"date_of_birth": "3.8.1957"}, "phone": {"phone": "home"}, "email": {"email": "x"},
			"gender": {"name": "Petra", "gender": "x"}, "identifiers": {"identifiers": ids("x", "1")}, "nick": {"name": "Petra", "nick": "x"},
		} {
			assert.NotEmpty(t, ana.Post(match, body).Expect(http.StatusBadRequest).Error(field), field)
		}
		ana.Post(match, kit.Object{"name": strings.Repeat("😀", 256)}).Expect(http.StatusBadRequest)
		ana.Post(match, kit.Object{"name": strings.Repeat("abc ", 63)}).Expect(http.StatusOK)
		words := strings.TrimSpace(strings.Repeat("word ", 17))
		long := kit.Object{"name": words, "date_of_birth": "1957-03-08"} // more than a search may have
		ana.Post("/api/patients/", long).Expect(http.StatusCreated)
		assert.Len(t, ana.Post(match, long).Expect(http.StatusOK).Results(), 1)
		ana.Do("POST", "/api/patients/", long, "Prefer", "handling=strict").Expect(http.StatusConflict)
		api.Nobody().Post(match, juergen()).Expect(http.StatusUnauthorized)
	})
}

func TestAStrictCreationRefusesWhoIsProbablyThere(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		made := ana.Post("/api/patients/", juergen()).Expect(http.StatusCreated).JSON
		again := kit.With(juergen(), "name", "Müller Jürgen", "identifiers", []any{})
		before := api.Contents()
		for _, prefer := range []string{"handling=strict", "return=minimal, handling=strict", `respond-async; Handling="strict"`} {
			r := ana.Do("POST", "/api/patients/", again, "Prefer", prefer, "Idempotency-Key", "one").Expect(http.StatusConflict)
			assert.Equal(t, "possible_duplicate", r.JSON["code"])
			candidates := r.JSON["candidates"].([]any)
			assert.Len(t, candidates, 1)
			assert.Equal(t, made, candidates[0].(kit.Object)["patient"])
		}
		wrong := ana.Do("POST", "/api/patients/", kit.With(again, "phone", "home"), "Prefer", "handling=strict").Expect(http.StatusBadRequest)
		assert.NotEmpty(t, wrong.Error("phone"))
		assert.Equal(t, before, api.Contents())

		strict := []string{"Prefer", "handling=strict", "Idempotency-Key", "two"}
		first := eve.Do("POST", "/api/patients/", again, strict...).Expect(http.StatusCreated) // ana's are none of hers
		replay := eve.Do("POST", "/api/patients/", again, strict...).Expect(http.StatusCreated)
		assert.Equal(t, first.JSON, replay.JSON)
		ana.Do("POST", "/api/patients/", kit.Object{"name": "Petra"}, "Prefer", "handling=strict").Expect(http.StatusCreated)
		ana.Do("POST", "/api/patients/", again, "Prefer", "handling=lenient", "Idempotency-Key", "one").Expect(http.StatusCreated)
		assert.Equal(t, 4, api.Count(fmt.Sprintf("SELECT count(*) FROM patients WHERE created_by IN (%d, %d)", ana.ID, eve.ID)))
	})
}
