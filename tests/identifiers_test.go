package tests

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/models"
	"healthcare/tests/kit"
)

const file, insurer = "urn:clinic:file", "https://insurer.example/members"

// ids are identifiers: system, value, system, value, ….
func ids(texts ...string) []any {
	list := []any{}
	for i := 0; i < len(texts); i += 2 {
		list = append(list, kit.Object{"system": texts[i], "value": texts[i+1]})
	}
	return list
}

// known is a patient with these identifiers.
func known(name string, texts ...string) kit.Object {
	return kit.Object{"name": name, "identifiers": ids(texts...)}
}

const takenFirst = "Entry 1: another patient has this identifier."

func TestAPatientHasIdentifiersInTheirOrder(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		r := ana.Post("/api/patients/", known("Petra", insurer, "B 7", file, " ２０２４-0017 ")).Expect(http.StatusCreated)
		one := kit.Path("patients", r.ID())
		both := ids(insurer, "B 7", file, "2024-0017")
		assert.Equal(t, both, r.JSON["identifiers"])
		assert.Equal(t, []any{both}, ana.Get("/api/patients/").Column("identifiers"))

		assert.EqualValues(t, 1, ana.Patch(one, kit.Object{"identifiers": both}).Expect(http.StatusOK).JSON["version"], "nothing changed")
		turned := ids(file, "2024-0017", insurer, "B 7")
		r = ana.Patch(one, kit.Object{"identifiers": turned}).Expect(http.StatusOK)
		assert.Equal(t, turned, r.JSON["identifiers"])
		assert.EqualValues(t, 2, r.JSON["version"])
		assert.Equal(t, turned, ana.Patch(one, kit.Object{"phone": "1"}).Expect(http.StatusOK).JSON["identifiers"])
		r = ana.Patch(one, kit.Object{"identifiers": ids(file, "2024-0018")}).Expect(http.StatusOK)
		assert.Equal(t, r.JSON, ana.Get(one).JSON)
		assert.Equal(t, []string{"2024-0018"}, api.Rows("SELECT value FROM patient_identifiers"))
		assert.Equal(t, []any{}, ana.Put(one, kit.Object{"name": "Petra"}).Expect(http.StatusOK).JSON["identifiers"])
		assert.Zero(t, api.Count("SELECT count(*) FROM patient_identifiers"))

		history := ana.Get(one + "history/").Results()
		assert.Equal(t, kit.Object{"from": ids(file, "2024-0018"), "to": []any{}}, history[0]["changes"].(kit.Object)["identifiers"])
		assert.Equal(t, kit.Object{"from": turned, "to": ids(file, "2024-0018")}, history[1]["changes"].(kit.Object)["identifiers"])
		assert.Equal(t, kit.Object{"from": nil, "to": both}, history[4]["changes"].(kit.Object)["identifiers"])
		assert.Equal(t, []any{}, ana.Patch(one, kit.Object{"identifiers": nil}).Expect(http.StatusOK).JSON["identifiers"])
	})
}

func TestWrongIdentifiersAreRefused(t *testing.T) {
	twenty, more := []string{}, []string{}
	for i := range 21 {
		more = append(more, file, fmt.Sprint(i))
	}
	twenty = more[:40]
	required, invisible, uri := "This field is required.", "Invisible characters are not allowed.", "Enter a URI, such as urn:clinic:file."
	cases := []wrongField{
		{"identifiers", "x", "Expected a list of objects."}, {"identifiers", kit.Object{"system": file, "value": "1"}, "Expected a list"},
		{"identifiers", 7, "Expected a list"}, {"identifiers", true, "Expected a list"}, {"identifiers", []any{"x"}, "Entry 1: Invalid data"},
		{"identifiers", []any{nil}, "Entry 1: Invalid data"}, {"identifiers", []any{[]any{}}, "Entry 1: Invalid data"},
		{"identifiers", []any{kit.Object{}}, "Entry 1: system: " + required + " Entry 1: value: " + required},
		{"identifiers", []any{kit.Object{"system": file}}, "Entry 1: value: " + required},
		{"identifiers", []any{kit.Object{"system": file, "value": 1}}, "Entry 1: value: Not a valid string."},
		{"identifiers", []any{kit.Object{"system": file, "value": nil}}, "Entry 1: value: This field may not be null."},
		{"identifiers", []any{kit.Object{"system": file, "value": "1", "use": "old"}}, "Entry 1: use: There is no such field."},
		{"identifiers", ids(file, "1", file, " "), "Entry 2: value: This field may not be blank."},
		{"identifiers", ids("", "1"), "Entry 1: system: This field may not be blank."},
		{"identifiers", ids(file, "1", file, "１"), "given twice"}, {"identifiers", ids(more...), "no more than 20 entries"},
		{"identifiers", ids(file, longText(256)), "no more than 255"}, {"identifiers", ids("urn:"+strings.Repeat("a", 252), "1"), "no more than 255"},
		{"identifiers", ids(file, strings.Repeat("ﷺ", 255)), "no more than 255"}, // of which NFKC makes 18 letters each
		{"identifiers", ids("clinic", "1"), uri}, {"identifiers", ids("urn:a b", "1"), uri}, {"identifiers", ids("urn:a|b", "1"), uri},
		{"identifiers", ids("urn:ä", "1"), uri}, {"identifiers", ids(":x", "1"), uri}, {"identifiers", ids("1rn:x", "1"), uri}, {"identifiers", ids("urn:", "1"), uri},
		{"identifiers", ids(file, "1\u200b2"), invisible}, {"identifiers", ids(file, "1\u202e2"), invisible}, {"identifiers", ids(file, "1\n2"), invisible},
		{"identifiers", ids(file, "1\u20282"), invisible}, {"identifiers", ids(file, "a\u007fb"), invisible}, {"identifiers", ids(file, "a\x00b"), "Null characters"},
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		refuses(t, api, ana, kit.Records[0], cases)
		one := kit.Path("patients", ana.Patient("Petra"))
		before := api.Contents()
		for _, raw := range []string{`[{"system":"urn:a","value":"1","value":"2"}]`, `[{"system":"urn:a","value":"\ud800"}]`, `[` + strings.Repeat(`{},`, 5000) + `{}]`} {
			ana.Raw("PATCH", one, `{"identifiers":`+raw+`}`).Expect(http.StatusBadRequest)
		}
		assert.Equal(t, before, api.Contents())
		assert.Equal(t, ids(twenty...), ana.Patch(one, kit.Object{"identifiers": ids(twenty...)}).Expect(http.StatusOK).JSON["identifiers"])
		long := ids("urn:"+strings.Repeat("a", 251), strings.Repeat("😀", 255))
		assert.Equal(t, long, ana.Patch(one, kit.Object{"identifiers": long}).Expect(http.StatusOK).JSON["identifiers"])
	})
}

func TestAnIdentifierBelongsToOnePatientOfAnAccount(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		first := ana.Post("/api/patients/", known("Petra", file, "A-1", insurer, "9")).Expect(http.StatusCreated).ID()
		second := kit.Path("patients", ana.Post("/api/patients/", known("Paul", file, "A-2")).Expect(http.StatusCreated).ID())
		before := api.Contents()
		for _, r := range []*kit.Response{
			ana.Post("/api/patients/", known("Double", file, "A-1")), ana.Once("/api/patients/", known("Double", file, "Ａ-1"), "key"),
			ana.Put(second, known("Paul", file, "A-1")), ana.Patch(second, kit.Object{"identifiers": ids(file, " A-1 ", file, "A-2")}),
		} {
			assert.Equal(t, http.StatusBadRequest, r.Status)
			assert.Equal(t, kit.Object{"identifiers": []any{takenFirst}}, r.JSON["errors"])
		}
		r := ana.Post("/api/patients/", kit.Object{"phone": "home", "identifiers": ids(file, "new", insurer, "9")}).Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"identifiers", "name", "phone"}, kit.Keys(r.JSON["errors"].(kit.Object)))
		assert.Equal(t, "[Entry 2: another patient has this identifier.]", fmt.Sprint(r.JSON["errors"].(kit.Object)["identifiers"]))
		assert.Equal(t, before, api.Contents())

		ana.Post("/api/patients/", known("Other case", file, "a-1", "urn:other", "A-1")).Expect(http.StatusCreated)
		eve.Post("/api/patients/", known("Eve's", file, "A-1")).Expect(http.StatusCreated)
		ana.Patch(kit.Path("patients", first), kit.Object{"identifiers": ids(insurer, "9")}).Expect(http.StatusOK)
		ana.Patch(second, kit.Object{"identifiers": ids(file, "A-1")}).Expect(http.StatusOK) // which the first gave away
	})
}

func TestIdentifiersGoAndComeBackWithThePatient(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		first := kit.Path("patients", ana.Post("/api/patients/", known("Petra", file, "1")).Expect(http.StatusCreated).ID())
		ana.Delete(first).Expect(http.StatusNoContent)
		second := kit.Path("patients", ana.Post("/api/patients/", known("Paul", file, "1")).Expect(http.StatusCreated).ID())
		assert.Equal(t, []any{"Petra"}, staff.Get("/api/patients/?deleted=true&identifier=1").Column("name"))
		before := api.Contents()
		r := staff.Post(first+"restore/", nil).Expect(http.StatusConflict)
		assert.Equal(t, "Another patient has one of these identifiers.", r.JSON["detail"])
		assert.Equal(t, before, api.Contents())
		ana.Patch(second, kit.Object{"identifiers": []any{}}).Expect(http.StatusOK)
		assert.Equal(t, ids(file, "1"), staff.Post(first+"restore/", nil).Expect(http.StatusOK).JSON["identifiers"])
		assert.Equal(t, http.StatusBadRequest, ana.Patch(second, kit.Object{"identifiers": ids(file, "1")}).Status)
	})
}

func TestAPatientIsNotHandedOverToWhoHasItsIdentifier(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		one := kit.Path("patients", ana.Post("/api/patients/", known("Petra", file, "1", file, "2")).Expect(http.StatusCreated).ID())
		eve.Post("/api/patients/", known("Paul", file, "1")).Expect(http.StatusCreated)
		before := api.Contents()
		r := staff.Patch(one, kit.Object{"created_by": eve.ID}).Expect(http.StatusBadRequest)
		assert.Equal(t, kit.Object{"identifiers": []any{takenFirst}}, r.JSON["errors"])
		assert.Equal(t, before, api.Contents())
		staff.Patch(one, kit.Object{"created_by": eve.ID, "identifiers": ids(file, "2", file, "3")}).Expect(http.StatusOK)
		for _, value := range []string{"2", "3"} {
			assert.Equal(t, http.StatusBadRequest, eve.Post("/api/patients/", known("Double", file, value)).Status)
			ana.Post("/api/patients/", known("Not double", file, value)).Expect(http.StatusCreated)
		}
	})
}

func TestPatientsAreFoundByTheirIdentifiers(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		ana.Post("/api/patients/", known("Petra", file, "2024-0017", insurer, "Ä|9")).Expect(http.StatusCreated)
		ana.Post("/api/patients/", known("Paul", file, "2024-0018", insurer, "2024-0017")).Expect(http.StatusCreated)
		eve.Post("/api/patients/", known("Eve's", file, "2024-0017")).Expect(http.StatusCreated)
		for query, names := range map[string][]any{
			"identifier=2024-0017": {"Paul", "Petra"}, "identifier=" + file + "|2024-0017": {"Petra"}, "identifier=" + insurer + "|2024-0017": {"Paul"},
			"identifier=Ä|9": {"Petra"}, "identifier=" + insurer + "|Ä|9": {"Petra"}, "identifier=ä|9": {}, "identifier=2024": {}, "identifier=２０２４-0017&gender=male": {},
			"identifier= ２０２４-0018 ": {"Paul"}, "identifier=": {"Paul", "Petra"}, "identifier=urn:none|2024-0017": {}, "identifier=" + file + "|": {},
			"identifier=' OR 1=1 --": {}, "identifier=%": {}, "search=2024-0018": {"Paul"}, "search=petra 2024": {"Petra"}, "search=ä|9": {"Petra"},
			"search=0017&cursor=": {"Paul", "Petra"},
		} {
			name, value, _ := strings.Cut(query, "=")
			value, more, _ := strings.Cut(value, "&")
			found := ana.Get("/api/patients/?" + name + "=" + url.QueryEscape(value) + "&" + more).Expect(http.StatusOK)
			assert.Equal(t, names, found.Column("name"), query)
		}
		assert.Len(t, staff.Get("/api/patients/?identifier=2024-0017").Results(), 3)
		for _, wrong := range []string{strings.Repeat("a", 2042), "a%00b", "%ff"} {
			ana.Get("/api/patients/?identifier=" + wrong).Expect(http.StatusBadRequest)
		}
	})
}

func TestAnIdentifierWantedByManyAtOnceGoesToOneOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		second := ana.At(kit.Start(t, api.Config))
		have := kit.Path("patients", ana.Patient("Petra"))
		for i := range 3 {
			one, other := fmt.Sprint("a", i), fmt.Sprint("b", i)
			got := statuses(kit.AtOnce(20, func(j int) *kit.Response {
				c := []*kit.Client{ana, second}[j%2]
				switch {
				case j == 0:
					return c.Patch(have, known("Petra", file, one, file, other))
				case j%4 < 2:
					return c.Post("/api/patients/", known("Paul", file, one, file, other))
				}
				return c.Post("/api/patients/", known("Paul", file, other, file, one))
			}))
			assert.Equal(t, 1, count(got, 200, 201), got)
			assert.Equal(t, 19, count(got, 400, 409), got)
		}
		assert.Equal(t, api.Count("SELECT count(*) FROM patient_identifiers"), api.Count("SELECT count(DISTINCT value) FROM patient_identifiers"))
		assert.Equal(t, api.Count("SELECT count(*) FROM patients WHERE identifiers IS NOT NULL")*2, api.Count("SELECT count(*) FROM patient_identifiers"))
	})
}

func TestWherePatientsAreSharedAnIdentifierIsOfOneOfThemAll(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		anas := kit.Path("patients", ana.Post("/api/patients/", known("Petra", file, "1")).Expect(http.StatusCreated).ID())
		eves := kit.Path("patients", eve.Post("/api/patients/", known("Paul", file, "1")).Expect(http.StatusCreated).ID())
		shared := *api.Config
		clinicMode(&shared)
		_, err := models.Open(t.Context(), &shared)
		assert.ErrorContains(t, err, "share an identifier: 1 2. Start with PATIENT_ACCESS=own")

		eve.Patch(eves, kit.Object{"identifiers": ids(file, "2")}).Expect(http.StatusOK)
		clinic := kit.Start(t, &shared)
		for _, c := range []*kit.Client{ana.At(clinic), eve.At(clinic)} {
			for _, value := range []string{"1", "2"} {
				assert.Equal(t, http.StatusBadRequest, c.Post("/api/patients/", known("Double", file, value)).Status, value)
			}
		}
		assert.Equal(t, http.StatusBadRequest, eve.At(clinic).Patch(anas, kit.Object{"identifiers": ids(file, "2")}).Status)
		got := statuses(kit.AtOnce(20, func(i int) *kit.Response {
			return []*kit.Client{ana, eve}[i%2].At(clinic).Post("/api/patients/", known("Race", file, "3"))
		}))
		assert.Equal(t, 1, count(got, 201), got)

		own := kit.Start(t, api.Config) // and back again
		ana.At(own).Post("/api/patients/", known("Double", file, "2")).Expect(http.StatusCreated)
		assert.Equal(t, http.StatusBadRequest, ana.At(own).Post("/api/patients/", known("Double", file, "1")).Status)
		assert.Zero(t, api.Count("SELECT count(*) FROM patient_identifiers WHERE scope_id = 0"))
	})
}
