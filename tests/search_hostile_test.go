package tests

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/listing"
	"healthcare/tests/kit"
)

// hostileNames make a search as slow as names can.
var hostileNames = []string{
	strings.Repeat("a", 255), strings.Repeat("a", 254) + "b", "b" + strings.Repeat("a", 254), strings.Repeat("a", 127) + "b" + strings.Repeat("a", 127),
	strings.Repeat("𐐨", 254) + "b", strings.Repeat("ab", 127), "short",
}

// hostileTexts are searches that look as much like these names as they can.
var hostileTexts = []string{
	hostileNames[0], hostileNames[1], hostileNames[2], hostileNames[3], hostileNames[4], hostileNames[5],
	strings.Repeat("a", 100) + "b" + strings.Repeat("a", 100), strings.Repeat("𐐨", 127) + "b", strings.Repeat("𐐨", 126) + "c",
	strings.Repeat("a", 128) + " " + strings.Repeat("a", 125) + "b", strings.Repeat("b", 255), "aaa", "AA", "b", "aab baa", "aaba abaa b a aa",
	ladder("", ""), ladder("b", ""), ladder("", "b"), ladder("ab", "ba"), strings.Repeat("a ", 127),
}

// ladder is sixteen different words.
func ladder(before, after string) string {
	words := make([]string, 16)
	for i := range words {
		words[i] = before + strings.Repeat("a", i+1) + after
	}
	return strings.Join(words, " ")
}

// matching are the ids from 1 to count whose names hold every word of a text.
func matching(text string, count int) []any {
	ids := []any{}
	words := strings.Fields(strings.ToLower(text))
	for id := range count {
		name := hostileNames[(id+1)%len(hostileNames)]
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(name, word) }) {
			ids = append(ids, float64(id+1))
		}
	}
	return ids
}

// fillPatients puts patients with the ids from 1 to count straight into the table. Their search text is made by SQL
// from the number n.
func fillPatients(api *kit.API, owner, count int, text string) {
	api.Exec(fmt.Sprintf(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)
		INSERT INTO patients (id, name, gender, phone, email, address, blood_group, allergies, medical_history, created_by, created_at, updated_at, version, name_key, search_text)
		SELECT n, 'hostile', 'unknown', '', '', '', '', '', '', %d, %s, %[3]s, 1, 'hostile', %s FROM numbers`, count, owner, kit.Ago(time.Hour), text))
	if api.IsPostgres() {
		api.Exec("SELECT setval('patients_id_seq', max(id)) FROM patients")
		api.Exec("ANALYZE patients")
	}
}

// hostileText is the search text of patient n in SQL.
func hostileText() string {
	var text strings.Builder
	for i, name := range hostileNames {
		_, _ = fmt.Fprintf(&text, " WHEN %d THEN '%s'", i, name)
	}
	return fmt.Sprintf("CASE n %% %d%s END", len(hostileNames), text.String())
}

func TestASearchOfOneLetterFindsWhatItShould(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		finds := func(count int) {
			for _, text := range hostileTexts {
				want := matching(text, count)
				page := ana.Get("/api/patients/?page_size=100&ordering=created_at&" + search(text)).Expect(http.StatusOK)
				assert.EqualValues(t, len(want), page.JSON["count"], text)
				assert.Equal(t, want[:min(len(want), 100)], page.Column("id"), text)
			}
		}
		fillPatients(api, ana.ID, 4_000, hostileText()) // few enough to be read on SQLite
		finds(4_000)
		if !kit.Whole {
			return
		}
		api.Exec("DELETE FROM patients")
		fillPatients(api, ana.ID, 10_500, hostileText()) // and enough to be looked up
		finds(10_500)
	})
}

func TestASearchHasALimitedNumberOfDifferentWords(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss := api.Staff("boss")
		id := boss.Patient("Abcdefghijklmnop")
		boss.Doctor("Abcdefghijklmnop")
		for _, list := range []string{"/api/patients/", "/api/doctors/", "/api/users/", kit.Path("mappings", id)} {
			boss.Get(list + "?" + search("a b c d e f g h i j k l m n o p")).Expect(http.StatusOK)
			boss.Get(list + "?" + search(strings.Repeat("a A b ", 40))).Expect(http.StatusOK) // repeated words count once
			r := boss.Get(list + "?" + search("a b c d e f g h i j k l m n o p q")).Expect(http.StatusBadRequest)
			assert.Equal(t, "Ensure this field has no more than 16 different words.", r.Error("search"))
		}
		assert.Len(t, found(boss, "/api/patients/", search("p o n m l k j i h g f e d c b a A B C")), 1)
	})
}

func TestASearchReadsAllKindsOfNumbers(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		ana.Post("/api/patients/", kit.Object{"name": "Ä-x", "phone": "+49 (0)30 123-4567"}).Expect(http.StatusCreated)
		ana.Post("/api/patients/", kit.Object{"name": "B", "phone": "000000"}).Expect(http.StatusCreated)
		for text, want := range map[string][]any{
			"-": {"Ä-x"}, "+": {"Ä-x"}, "x": {"Ä-x"}, "xX": {}, "/": {}, "()": {}, "(0)": {}, "(0)(0)": {}, "+++++++": {}, "(((((((": {}, "%0": {}, "_": {},
			"0": {"B", "Ä-x"}, "00000": {"B"}, "000000": {"B"}, "0000000": {}, "0-0 (0) 0": {"B"}, "x 1234567 -": {"Ä-x"}, "0 0 0 1 2 3 4 5 6 7": {"Ä-x"},
			strings.Repeat("0 ", 127): {"B", "Ä-x"}, strings.Repeat("1", 255): {}, strings.Repeat("1-", 127): {}, strings.Repeat("(0)", 85): {},
			"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16": {},
		} {
			assert.Equal(t, want, found(ana, "/api/patients/", search(text)), text)
		}
		r := ana.Get("/api/patients/?" + search("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17")).Expect(http.StatusBadRequest)
		assert.Equal(t, "Ensure this field has no more than 16 different words.", r.Error("search"))
	})
}

func TestATextThatIsTooLongIsNotFolded(t *testing.T) {
	t.Parallel()
	list := listing.List{Search: "name", Read: func(string, bool) [][]string { t.Error("it was read"); return nil }}
	_, err := listing.Find[struct{}](nil, list, url.Values{"search": {strings.Repeat("ä ", 128)}}, listing.Client{})
	require.Error(t, err)
}

// The text of each patient here is longer than any that a client can store, so that comparing it takes its time.
func TestASearchEndsWithinItsTimeLimitAndLeavesTheOthersAlone(t *testing.T) {
	kit.NeedSlow(t)
	const limit = time.Second
	late, others := time.Second, 5
	if kit.RaceDetector {
		late, others = kit.WaitLimit, 0
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		eve.Doctor("Emil")
		repeat := "repeat('a', 100000)"
		if !api.IsPostgres() {
			repeat = "replace(hex(zeroblob(100000)), '00', 'a')"
			api.Exec("DROP TRIGGER patients_search_insert") // the index of such texts would take long; few patients are read
		}
		fillPatients(api, ana.ID, 400, "'aabaa ' || "+repeat+" || 'baaaaaaaaaaaaaaaa'")
		var words []string
		for n := range 12 { // each is only at the end
			words = append(words, "aaaaaaaab"+strings.Repeat("a", n+1))
		}
		done := make(chan []*kit.Response)
		began := time.Now()
		go func() {
			done <- kit.AtOnce(60, func(int) *kit.Response { return ana.Get("/api/patients/?" + search(strings.Join(words, " "))) })
		}()
		answered := 0
		for {
			select {
			case answers := <-done:
				assert.Less(t, time.Since(began), limit+late)
				tally := kit.Tally(answers)
				assert.Equal(t, 60, tally[http.StatusServiceUnavailable]+tally[http.StatusTooManyRequests], "%v: at work, or outside of the account's share", tally)
				assert.Greater(t, answered, others)
				return
			default:
				eve.Get("/api/doctors/").Expect(http.StatusOK)
				eve.Get("/api/doctors/?search=emil").Expect(http.StatusOK)
				answered++
			}
		}
	}, func(cfg *config.Config) { cfg.RequestTimeout = limit })
}
