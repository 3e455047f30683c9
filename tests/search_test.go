package tests

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// found are the names that a list finds, by name.
func found(c *Client, list, query string) []any {
	return c.Get(list + "?ordering=name&" + query).Expect(http.StatusOK).Column("name")
}

func search(words string) string { return url.Values{"search": {words}}.Encode() }

func TestSearchFindsEveryWordRegardlessOfCase(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		c := api.User("ana")
		for _, p := range []object{
			{"name": "Jürgen Müller", "phone": "+49 30 1234"}, {"name": "Jörg Straße", "email": "Joerg@Example.org"}, {"name": "100% Wolle"}, {"name": "a_b c"}, {"name": "acb"},
			{"name": `back\slash`}, {"name": "Ολυσσεύς"}, {"name": "Zoe\u0308 Li"}, {"name": "ДМИТРИЙ"}, {"name": "张伟"}, {"name": "x' OR '1'='1"},
		} {
			c.Post("/api/patients/", p).Expect(http.StatusCreated)
		}
		for words, want := range map[string][]any{
			"MÜLLER":           {"Jürgen Müller"},
			"mu\u0308ller":     {"Jürgen Müller"},
			"müller JÜRGEN":    {"Jürgen Müller"},
			" lle \t gen ":     {"Jürgen Müller"},
			"Jürgen Straße":    {},
			"STRASSE":          {"Jörg Straße"},
			"straße":           {"Jörg Straße"},
			"joerg@EXAMPLE":    {"Jörg Straße"},
			"30 12":            {"Jürgen Müller"},
			"1234 müller":      {"Jürgen Müller"},
			"+49":              {"Jürgen Müller"},
			"%":                {"100% Wolle"},
			"100%":             {"100% Wolle"},
			"_":                {"a_b c"},
			"a_b":              {"a_b c"},
			`\`:                {`back\slash`},
			`k\s`:              {`back\slash`},
			"ολυσσευς":         {}, // an accent is another letter
			"ΟΛΥΣΣΕΎΣ":         {"Ολυσσεύς"},
			"ZOË":              {"Zoe\u0308 Li"},
			"li":               {"Zoe\u0308 Li"},
			"дмитрий":          {"ДМИТРИЙ"},
			"伟":                {"张伟"},
			"' OR '1'='1":      {"x' OR '1'='1"},
			"müllerjoerg":      {},
			"1234\nmüller":     {"Jürgen Müller"},
			"nobody":           {},
			"jürgen müller 99": {},
		} {
			assert.Equal(t, want, found(c, "/api/patients/", search(words)), words)
		}
	})
}

func TestSearchLooksIntoTheFieldsThatItShould(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		c := api.User("ana")
		c.Post("/api/patients/", merged(records[0].full, object{"name": "Petra"})).Expect(http.StatusCreated)
		c.Post("/api/doctors/", records[1].full).Expect(http.StatusCreated)
		for _, word := range []string{"petra", "(0)30 123-45", "example.org"} {
			assert.Len(t, found(c, "/api/patients/", search(word)), 1, word)
		}
		for _, word := range []string{"Berlin", "pollen", "asthma", "AB-", "female", "1984"} {
			assert.Empty(t, found(c, "/api/patients/", search(word)), word)
		}
		for _, word := range []string{"öz", "KARDIO", "l-1"} {
			assert.Len(t, found(c, "/api/doctors/", search(word)), 1, word)
		}
		for _, word := range []string{"example", "030/123"} {
			assert.Empty(t, found(c, "/api/doctors/", search(word)), word)
		}
		// What was changed is found under its new words only.
		c.Patch("/api/patients/1/", object{"name": "Paula", "phone": nil}).Expect(http.StatusOK)
		assert.Empty(t, found(c, "/api/patients/", search("45.6")))
		assert.Equal(t, []any{"Paula"}, found(c, "/api/patients/", search("PAULA")))
	})
}

func TestNamesAreOrderedByCodePointRegardlessOfCase(t *testing.T) {
	names := []any{"0", "Anna", "anna", "ANNA", "Anna B", "ann-b", "Zoe", "zoe\u0308", "_x", "Öz", "öz", "straße", "STRASSE", "strassf", "ЯНА", "яна", "😀", "\uff5a"}
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		for _, name := range names {
			c.Post(kind.path, with(kind.required, "name", name)).Expect(http.StatusCreated)
		}
		want := []any{"0", "_x", "ann-b", "Anna", "anna", "ANNA", "Anna B", "straße", "STRASSE", "strassf", "Zoe", "zoe\u0308", "Öz", "öz", "ЯНА", "яна", "\uff5a", "😀"}
		got := c.Get(kind.path + "?ordering=name").Expect(http.StatusOK).Column("name")
		assert.Equal(t, want, got)
		down := c.Get(kind.path + "?ordering=-name").Expect(http.StatusOK).Column("name")
		slices.Reverse(down)
		assert.Equal(t, want, down)
	})
}

func TestListsAreFilteredByFields(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		c := api.User("ana")
		c.Post("/api/patients/", object{"name": "A", "gender": "female", "blood_group": "A+"}).Expect(http.StatusCreated)
		c.Post("/api/patients/", object{"name": "B", "gender": "female"}).Expect(http.StatusCreated)
		c.Post("/api/patients/", object{"name": "C", "blood_group": "A+"}).Expect(http.StatusCreated)
		c.Post("/api/doctors/", object{"name": "D", "specialization": "Ear & nose"}).Expect(http.StatusCreated)
		c.Doctor("E")
		for _, pair := range [][2]int{{1, 1}, {1, 2}, {2, 1}} {
			c.Assign(pair[0], pair[1]).Expect(http.StatusCreated)
		}
		for query, want := range map[string][]any{
			"gender=female": {"A", "B"}, "blood_group=A%2B": {"A", "C"}, "gender=female&blood_group=A%2B": {"A"}, "gender=unknown": {"C"}, "gender=male": {},
			"gender=female&search=b": {"B"},
		} {
			assert.Equal(t, want, found(c, "/api/patients/", query), query)
		}
		assert.Equal(t, []any{"D"}, found(c, "/api/doctors/", "specialization=Ear+%26+nose"))
		assert.Empty(t, found(c, "/api/doctors/", "specialization=x%27+OR+1=1"))
		for _, family := range families {
			for query, want := range map[string][]any{
				"patient_id=1": {1.0, 2.0}, "doctor_id=1": {1.0, 3.0}, "patient_id=1&doctor_id=1": {1.0}, "patient_id=99": {}, "patient_id=-1": {},
			} {
				assert.Equal(t, want, c.Get(family+"?ordering=created_at&"+query).Expect(http.StatusOK).Column("id"), query)
			}
		}
	})
}
