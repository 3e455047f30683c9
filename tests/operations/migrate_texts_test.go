package operations

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/models"
	"healthcare/tests/kit"
)

// asEarlier puts the texts of an earlier version into a database: folded, with accents, and phone numbers as written.
// Every third patient has the text of this one, as after an upgrade that was interrupted.
func asEarlier(api *kit.API) {
	for _, table := range []string{"patients", "doctors", "users"} {
		api.Exec("DROP INDEX " + table + "_old_text")
	}
	api.Exec("UPDATE patients SET search_text = replace(lower(name), 'Ö', 'ö') || '\n' || phone || '\n' || email WHERE id % 3 <> 0")
	api.Exec("UPDATE doctors SET search_text = lower(name) || '\n' || lower(specialization) || '\n' || lower(license_number)")
	api.Exec("UPDATE users SET search_text = username_key || '\n' || email_key || '\n' || lower(first_name) || '\n' || lower(last_name)")
}

// fillEarlier makes a clinic with an earlier version's texts, in which 900 patients more have accents and phone numbers.
func fillEarlier(api *kit.API) (ana, boss *kit.Client) {
	ana, boss = api.User("ana"), api.Staff("boss")
	ana.Post("/api/patients/", kit.Object{"name": "Petra Lindström", "phone": "+49 (30) 123-4567", "date_of_birth": "1958-03-14"}).Expect(http.StatusCreated)
	gone := ana.Post("/api/patients/", kit.Object{"name": "Paul Lindström", "phone": "+49 (30) 123-4567"}).Expect(http.StatusCreated).ID()
	ana.Delete(kit.Path("patients", gone)).Expect(http.StatusNoContent)
	ana.Post("/api/doctors/", kit.Object{"name": "Dora åberg", "specialization": "Chirurgie générale", "license_number": "é-1"}).Expect(http.StatusCreated)
	ana.Patch(kit.MePath, kit.Object{"last_name": "Gómez"}).Expect(http.StatusOK)
	api.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
		INSERT INTO patients (id, name, gender, phone, email, address, blood_group, allergies, medical_history, created_by, created_at, updated_at, version, name_key, search_text)
		SELECT 100 + i, 'Núñez ' || i, 'unknown', '(040) 1' || (100000 + i), '', '', '', '', '', created_by, created_at, updated_at, 1, 'núñez ' || i,
		'
nunez ' || i || '
0401' || (100000 + i) || '

' FROM n, patients WHERE patients.id = 1`)
	asEarlier(api)
	return ana, boss
}

// counts are how many rows each search of a list finds.
func counts(c *kit.Client, list string, searches ...string) []any {
	numbers := []any{}
	for _, words := range searches {
		numbers = append(numbers, c.Get(list + "search=" + url.QueryEscape(words)).Expect(http.StatusOK).JSON["count"])
	}
	return numbers
}

const (
	oldTexts = "SELECT (SELECT count(*) FROM patients WHERE substr(search_text, 1, 1) <> '\n') + (SELECT count(*) FROM doctors WHERE substr(search_text, 1, 1) <> '\n')" +
		" + (SELECT count(*) FROM users WHERE substr(search_text, 1, 1) <> '\n')"
	unchanging = "SELECT id, name, name_key, version, updated_at, deleted_at FROM patients WHERE id NOT BETWEEN 101 AND 200 ORDER BY id"
)

func TestSearchesFindTheTextsOfAnEarlierVersion(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := fillEarlier(api)
		old := api.Count(oldTexts)
		assert.Greater(t, old, 600)
		records, events := api.Rows(unchanging), api.Count("SELECT count(*) FROM events WHERE action = 'update'")

		upgraded := kit.Start(t, api.Config) // nothing is renewed yet
		ana, boss = ana.At(upgraded), boss.At(upgraded)
		asBefore := func() {
			assert.Equal(t, []any{1.0, 1.0, 1.0, 1.0, 900.0, 900.0, 1.0},
				counts(ana, "/api/patients/?", "lindström", "LINDSTRÖM petra", "123-4567", "+49", "núñez", "NÚÑEZ 040", "núñez 17 100017"))
			assert.Equal(t, []any{1.0, 1.0, 1.0}, counts(ana, "/api/doctors/?", "ÅBERG", "GÉNÉRALE", "É-1"))
			assert.Equal(t, []any{1.0, 1.0}, counts(boss, "/api/users/?", "gómez", "ANA gómez"))
			assert.Equal(t, []any{1.0}, counts(boss, "/api/patients/?deleted=true&", "paul lindström"))
		}
		asBefore()
		assert.Equal(t, []any{0.0, 300.0}, counts(ana, "/api/patients/?", "lindstrom", "nunez"))
		assert.Equal(t, old, api.Count(oldTexts))

		// Two instances renew while clients write, of whose changes none is lost.
		other := kit.Start(t, api.Config)
		var log kit.Buffer
		renew := func(a *kit.API) error {
			return a.DB.RenewSearchTexts(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
		}
		done := make(chan error, 2)
		for _, a := range []*kit.API{upgraded, other} {
			go func() { done <- renew(a) }()
		}
		for id := 101; id <= 200; id += 2 {
			ana.Patch(kit.Path("patients", id), kit.Object{"name": fmt.Sprint("Renée ", id)}).Expect(http.StatusOK)
		}
		assert.NoError(t, <-done)
		assert.NoError(t, <-done)
		assert.Regexp(t, `renewing the search texts of an earlier version" rows=\d+`, log.String())
		assert.Regexp(t, `search texts are renewed" rows=\d+`, log.String())
		kit.Absent(t, strings.ToLower(log.String()), "lindstr", "ana", "123")
		assert.Zero(t, api.Count(oldTexts))
		assert.Equal(t, records, api.Rows(unchanging))
		assert.Equal(t, events+50, api.Count("SELECT count(*) FROM events WHERE action = 'update'"))
		for _, row := range api.Rows("SELECT name || '|' || search_text FROM patients") {
			name, text, _ := strings.Cut(row, "|")
			assert.True(t, strings.HasPrefix(text, "\n"+models.Plain(name)+"\n"), row)
		}
		for _, a := range []*kit.API{upgraded, other} {
			assert.Equal(t, []any{1.0, 1.0, 1.0, 1.0, 850.0, 50.0}, counts(ana.At(a), "/api/patients/?", "lindström", "lindstrom", "0301234567", "1958-03-14", "nunez", "renee"))
			assert.Equal(t, []any{1.0, 1.0, 1.0}, counts(ana.At(a), "/api/doctors/?", "aberg", "GENERALE", "e-1"))
			assert.Equal(t, []any{1.0, 1.0}, counts(boss.At(a), "/api/users/?", "gomez", "gómez"))
			assert.Equal(t, []any{1.0}, counts(boss.At(a), "/api/patients/?deleted=true&", "paul lindstrom"))
		}

		// An instance of the earlier version still writes.
		api.Exec("UPDATE patients SET search_text = 'petra lindström' WHERE id = 1")
		assert.NoError(t, renew(upgraded))
		assert.Equal(t, []any{1.0, 1.0}, counts(ana, "/api/patients/?", "lindström", "lindstrom"))
		log = kit.Buffer{}
		assert.NoError(t, renew(upgraded))
		assert.Empty(t, log.String())
	}, kit.MigrateAgain)
}

func TestTheServerRenewsTheTextsOfAnEarlierVersion(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, _ := fillEarlier(api)
		p := kit.Launch(t, t.TempDir(), nil, api.Environ()...)
		ana = ana.At(p.Serving())
		assert.Equal(t, []any{1.0}, counts(ana, "/api/patients/?", "lindström"))
		p.Await(p.Err, "search texts are renewed")
		assert.Zero(t, api.Count(oldTexts))
		assert.Equal(t, []any{1.0}, counts(ana, "/api/patients/?", "lindstrom"))
	}, kit.MigrateAgain)
}
