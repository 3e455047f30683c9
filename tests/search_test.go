package tests

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// found are the names that a list finds, by name.
func found(c *kit.Client, list, query string) []any {
	return c.Get(list + "?ordering=name&" + query).Expect(http.StatusOK).Column("name")
}

func search(words string) string { return url.Values{"search": {words}}.Encode() }

func TestSearchFindsEveryWordRegardlessOfCase(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		for _, p := range []kit.Object{
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
			"ολυσσευς":         {"Ολυσσεύς"},
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
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		c.Post("/api/patients/", kit.Merge(kit.Records[0].Full, kit.Object{"name": "Petra"})).Expect(http.StatusCreated)
		c.Post("/api/doctors/", kit.Records[1].Full).Expect(http.StatusCreated)
		for _, word := range []string{"petra", "(0)30 123-45", "example.org", "1984", "1984-02"} {
			assert.Len(t, found(c, "/api/patients/", search(word)), 1, word)
		}
		for _, word := range []string{"Berlin", "pollen", "asthma", "AB-", "female", "1983", "29.02"} {
			assert.Empty(t, found(c, "/api/patients/", search(word)), word)
		}
		for _, word := range []string{"öz", "KARDIO", "l-1"} {
			assert.Len(t, found(c, "/api/doctors/", search(word)), 1, word)
		}
		for _, word := range []string{"example", "030/123"} {
			assert.Empty(t, found(c, "/api/doctors/", search(word)), word)
		}
		// What was changed is found under its new words only.
		c.Patch("/api/patients/1/", kit.Object{"name": "Paula", "phone": nil}).Expect(http.StatusOK)
		assert.Empty(t, found(c, "/api/patients/", search("45.6")))
		assert.Equal(t, []any{"Paula"}, found(c, "/api/patients/", search("PAULA")))
	})
}

func TestNamesAreOrderedByCodePointRegardlessOfCase(t *testing.T) {
	names := []any{"0", "Anna", "anna", "ANNA", "Anna B", "ann-b", "Zoe", "zoe\u0308", "_x", "Öz", "öz", "straße", "STRASSE", "strassf", "ЯНА", "яна", "😀", "\uff5a"}
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		for _, name := range names {
			c.Post(kind.Path, kit.With(kind.Required, "name", name)).Expect(http.StatusCreated)
		}
		want := []any{"0", "_x", "ann-b", "Anna", "anna", "ANNA", "Anna B", "straße", "STRASSE", "strassf", "Zoe", "zoe\u0308", "Öz", "öz", "ЯНА", "яна", "\uff5a", "😀"}
		got := c.Get(kind.Path + "?ordering=name").Expect(http.StatusOK).Column("name")
		assert.Equal(t, want, got)
		down := c.Get(kind.Path + "?ordering=-name").Expect(http.StatusOK).Column("name")
		slices.Reverse(down)
		assert.Equal(t, want, down)
	})
}

func TestListsAreFilteredByFields(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		c.Post("/api/patients/", kit.Object{"name": "A", "gender": "female", "blood_group": "A+"}).Expect(http.StatusCreated)
		c.Post("/api/patients/", kit.Object{"name": "B", "gender": "female"}).Expect(http.StatusCreated)
		c.Post("/api/patients/", kit.Object{"name": "C", "blood_group": "A+"}).Expect(http.StatusCreated)
		c.Post("/api/doctors/", kit.Object{"name": "D", "specialization": "Ear & nose"}).Expect(http.StatusCreated)
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

// How words are looked for depends on the numbers of patients; what is found must not.
func TestASearchFindsTheSameAmongFewAndMany(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		for _, name := range []string{`Zoë "Zo" O'Brien`, "100% Straße_x", "Ng", "ÅNGSTRÖM ZZZ"} {
			ana.Post("/api/patients/", kit.Object{"name": name}).Expect(http.StatusCreated)
		}
		eve.Post("/api/patients/", kit.Object{"name": "ÅNGSTRÖM of another"}).Expect(http.StatusCreated)
		gone := ana.Post("/api/patients/", kit.Object{"name": "Ångström gone"}).Expect(http.StatusCreated).ID()
		ana.Delete(kit.Path("patients", gone)).Expect(http.StatusNoContent)
		fill := func(owner, from, count int) {
			api.Exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
				INSERT INTO patients (id, name, gender, phone, email, address, blood_group, allergies, medical_history, created_by, created_at, updated_at, version, name_key, search_text)
				SELECT %d + i, 'filler ' || i, 'unknown', '', '', '', '', '', '', %d, created_at, updated_at, 1, 'filler ' || i, 'filler ' || i FROM n, patients WHERE patients.id = 1`,
				count, from, owner))
		}
		finds := func(fillers float64) {
			for search, count := range map[string]float64{
				"ångström": 1, "STRASSE_X": 1, "100%": 1, `"zo"`: 1, "o'brien ZOË": 1, "ng": 2, "zzz ng": 1, "filler": fillers,
				"nobody": 0, "of another": 0, "%%%": 0, `"""`: 0, "fill*": 0, "filler OR zzz": 0,
			} {
				assert.Equal(t, count, ana.Get("/api/patients/?search=" + url.QueryEscape(search)).Expect(http.StatusOK).JSON["count"], search)
				cursor := ana.Get("/api/patients/?cursor=&search=" + url.QueryEscape(search)).Expect(http.StatusOK)
				assert.Len(t, cursor.Results(), int(min(count, 20)), search)
			}
		}
		finds(0)
		fill(eve.ID, 100_000, 1) // PostgreSQL tells the size of a table by its highest id
		finds(0)
		fill(ana.ID, 200_000, 12_000)
		finds(12_000)
		for search, count := range map[string]float64{"filler 599": 22, "ler 11999": 1} {
			assert.Equal(t, count, ana.Get("/api/patients/?search=" + url.QueryEscape(search)).Expect(http.StatusOK).JSON["count"], search)
		}
		ana.Patch("/api/patients/1/", kit.Object{"name": "renamed"}).Expect(http.StatusOK)
		assert.Empty(t, ana.Get("/api/patients/?search=zo%C3%AB").Results())
		assert.Equal(t, []any{"renamed"}, ana.Get("/api/patients/?search=renamed").Column("name"))
	})
}

// An index holds what is searched, and PostgreSQL limits what fits in an index.
func TestTheLongestPatientCanBeStoredAndFound(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		random := rand.New(rand.NewPCG(1, 2))
		text := func(n int, from, count rune) string {
			letters := make([]rune, n)
			for i := range letters {
				letters[i] = from + random.Int32N(count)
			}
			return string(letters)
		}
		for _, letters := range []struct{ from, count rune }{
			{0x20000, 40_000}, // CJK extension B: four bytes each, and none like another
			{0x1F80, 0x30},    // Greek with iota subscript: five bytes when folded
			{0xFB2A, 0x0D},    // Hebrew presentation forms: six bytes in NFC
			{0x1D15E, 7},      // musical symbols: up to twelve bytes in NFC
		} {
			email := "a@example.com"
			if letters.from < 0x10000 {
				email = text(242, 0x1F80, 0x30) + "@example.com"
			}
			sent := kit.Object{"name": text(255, letters.from, letters.count), "email": email, "phone": "12345678901234567890123456789012", "date_of_birth": "1958-03-14"}
			numbers := []string{}
			for i := range 20 {
				numbers = append(numbers, file, text(250, 0x20000, 40_000), insurer, text(11+i, 0x20000, 40_000))
			}
			sent["identifiers"] = ids(numbers[:40]...)
			made := ana.Post("/api/patients/", sent).Expect(http.StatusCreated)
			found := ana.Get("/api/patients/?search=" + url.QueryEscape(sent["name"].(string))).Expect(http.StatusOK)
			assert.Contains(t, found.Column("id"), made.JSON["id"])
		}
	})
}

// Where the database's owner does not let the program make extensions, searches read every row, and find the same.
func TestASearchNeedsNoExtension(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	database := kit.FreshPostgresFrom(t, "template0")
	role := fmt.Sprintf("clinic_test_%s_plain", kit.RunID)
	operator := &kit.API{T: t, Config: kit.BaseConfig(database)}
	operator.Exec("CREATE ROLE " + role + " LOGIN PASSWORD 'plain'")
	t.Cleanup(func() {
		operator.Exec("DROP OWNED BY " + role + " CASCADE")
		operator.Exec("DROP ROLE " + role)
	})
	operator.Exec("GRANT CREATE, USAGE ON SCHEMA public TO " + role)
	u, err := url.Parse(database)
	require.NoError(t, err)
	u.User = url.UserPassword(role, "plain")
	api := kit.Start(t, kit.BaseConfig(u.String()))
	assert.Zero(t, api.Count("SELECT count(*) FROM pg_indexes WHERE indexname = 'patients_search'"))
	ana := api.User("ana")
	for _, name := range []string{"Müller", "Ng", "100%"} {
		ana.Post("/api/patients/", kit.Object{"name": name}).Expect(http.StatusCreated)
	}
	for word, name := range map[string]string{"MÜLL": "Müller", "ng": "Ng", "0%": "100%"} {
		assert.Equal(t, []any{name}, found(ana, "/api/patients/", search(word)))
	}
}
