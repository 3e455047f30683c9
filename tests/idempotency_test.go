package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// creation is one of the routes that create, with two bodies that it accepts and one that it refuses.
type creation struct {
	path, table      string
	body, other, bad kit.Object
}

// creations are all such routes; the first two patients and doctors must exist.
var creations = []creation{
	{kit.Path("patients"), "patients", kit.Object{"name": "Ana <&> Ü", "date_of_birth": "1980-02-29"}, kit.Object{"name": "Bo"}, kit.Object{"name": ""}},
	{kit.Path("doctors"), "doctors", kit.Object{"name": "Cy", "specialization": "Eyes", "years_of_experience": 0}, kit.Object{"name": "Di", "specialization": "Skin"}, kit.Object{"name": "Di"}},
	{kit.Path("mappings"), "mappings", kit.Object{"patient_id": 1, "doctor_id": 1}, kit.Object{"patient_id": 1, "doctor_id": 2}, kit.Object{"patient_id": 1, "doctor_id": 99}},
	{kit.Path("doctor", "mappings"), "mappings", kit.Object{"patient_id": 2, "doctor_id": 1}, kit.Object{"patient_id": 2, "doctor_id": 2}, kit.Object{"patient_id": 99, "doctor_id": 2}},
}

// onCreations runs a test for each of the routes that create, on both databases.
func onCreations(t *testing.T, test func(t *testing.T, api *kit.API, ana *kit.Client, c creation)) {
	t.Helper()
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for i := range 2 {
			ana.Patient(fmt.Sprint("Patient ", i))
			ana.Doctor(fmt.Sprint("Doctor ", i))
		}
		for _, c := range creations {
			test(t, api, ana, c)
		}
	})
}

const (
	keyRows    = "SELECT count(*) FROM idempotency_keys"
	writesOfAs = "SELECT count(*) FROM events WHERE outcome = 'ok' AND action IN ('create', 'assign')"
)

func TestARetryIsAnsweredAsTheFirstTryWas(t *testing.T) {
	onCreations(t, func(t *testing.T, api *kit.API, ana *kit.Client, c creation) {
		before, events := api.Count("SELECT count(*) FROM "+c.table), api.Count(writesOfAs)
		first := ana.Once(c.path, c.body, "key "+c.path).Expect(http.StatusCreated)
		assert.Empty(t, first.Header.Get("Idempotent-Replayed"))
		for range 2 {
			again := ana.Once(c.path, c.body, "key "+c.path).Expect(http.StatusCreated)
			assert.Equal(t, first.Raw, again.Raw)
			assert.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
			assert.Equal(t, first.Header.Get("ETag"), again.Header.Get("ETag"))
		}
		assert.Equal(t, first.Raw, ana.Once(strings.TrimSuffix(c.path, "/"), c.body, "key "+c.path).Expect(http.StatusCreated).Raw)
		assert.Equal(t, before+1, api.Count("SELECT count(*) FROM "+c.table))
		assert.Equal(t, events+1, api.Count(writesOfAs))
	})
}

func TestAKeyWithAnotherBodyIsRefused(t *testing.T) {
	onCreations(t, func(t *testing.T, api *kit.API, ana *kit.Client, c creation) {
		first := ana.Once(c.path, c.body, "k").Expect(http.StatusCreated)
		rows := api.Count("SELECT count(*) FROM " + c.table)
		for _, other := range []kit.Object{c.other, c.bad} {
			r := ana.Once(c.path, other, "k").Expect(http.StatusUnprocessableEntity)
			assert.Equal(t, "idempotency_key_reused", r.JSON["code"])
		}
		assert.Equal(t, rows, api.Count("SELECT count(*) FROM "+c.table))
		assert.Equal(t, first.Raw, ana.Once(c.path, c.body, "k").Expect(http.StatusCreated).Raw)
		ana.Once(c.path, c.other, "another k").Expect(http.StatusCreated)
	})
}

func TestOnlySuccessIsRemembered(t *testing.T) {
	onCreations(t, func(t *testing.T, api *kit.API, ana *kit.Client, c creation) {
		keys := api.Count(keyRows)
		ana.Once(c.path, c.bad, "k").Expect(http.StatusBadRequest)
		ana.Once(c.path, kit.Object{"nonsense": 1}, "k").Expect(http.StatusBadRequest)
		assert.Equal(t, keys, api.Count(keyRows))
		made := ana.Once(c.path, c.body, "k").Expect(http.StatusCreated)
		assert.Empty(t, made.Header.Get("Idempotent-Replayed"))
		assert.Equal(t, keys+1, api.Count(keyRows))
		if c.table == "mappings" { // a conflict is no success either
			ana.Once(c.path, c.body, "k2").Expect(http.StatusConflict)
			assert.Equal(t, keys+1, api.Count(keyRows))
			ana.Delete(kit.Path("mappings", made.ID())).Expect(http.StatusNoContent)
			again := ana.Once(c.path, c.body, "k2").Expect(http.StatusCreated)
			assert.Empty(t, again.Header.Get("Idempotent-Replayed"))
		}
	})
}

func TestAKeyCountsForItsAccountAndRoute(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		body := kit.Object{"name": "Cy", "specialization": "Eyes"}
		ids := map[int]bool{}
		for _, c := range []*kit.Client{ana, eve} {
			ids[c.Once(kit.Path("doctors"), body, "k").Expect(http.StatusCreated).ID()] = true
		}
		assert.Len(t, ids, 2)
		assert.Empty(t, ana.Once(kit.Path("patients"), kit.Object{"name": "Cy"}, "k").Expect(http.StatusCreated).Header.Get("Idempotent-Replayed"))
		pair := kit.Object{"patient_id": 1, "doctor_id": 1}
		mapping := ana.Once(kit.Path("mappings"), pair, "k").Expect(http.StatusCreated)
		ana.Once(kit.Path("doctor", "mappings"), pair, "k").Expect(http.StatusConflict) // another route, so no replay
		assert.Equal(t, mapping.Raw, ana.Once(kit.Path("mappings"), pair, "k").Expect(http.StatusCreated).Raw)
		assert.Equal(t, 4, api.Count(keyRows))
	})
}

func TestTwelveRacingRetriesCreateOne(t *testing.T) {
	onCreations(t, func(t *testing.T, api *kit.API, ana *kit.Client, c creation) {
		before, events := api.Count("SELECT count(*) FROM "+c.table), api.Count(writesOfAs)
		answers := make(chan *kit.Response, 12)
		statuses := kit.Tally(kit.AtOnce(12, func(int) *kit.Response {
			r := ana.Once(c.path, c.body, "race")
			answers <- r
			return r
		}))
		assert.Equal(t, map[int]int{http.StatusCreated: 12}, statuses)
		close(answers)
		raw, firsts := map[string]bool{}, 0
		for r := range answers {
			raw[r.Raw] = true
			if r.Header.Get("Idempotent-Replayed") == "" {
				firsts++
			}
		}
		assert.Len(t, raw, 1)
		assert.Equal(t, 1, firsts)
		assert.Equal(t, before+1, api.Count("SELECT count(*) FROM "+c.table))
		assert.Equal(t, events+1, api.Count(writesOfAs))
	})
}

func TestAKeyIsForgottenAfterADay(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		body := kit.Object{"name": "Cy"}
		first := ana.Once(kit.Path("patients"), body, "k").Expect(http.StatusCreated)
		ana.Once(kit.Path("patients"), body, "k2").Expect(http.StatusCreated)
		age := func(hours string) {
			if api.IsPostgres() {
				api.Exec("UPDATE idempotency_keys SET created_at = now() - interval '" + hours + "'")
				return
			}
			api.Exec("UPDATE idempotency_keys SET created_at = strftime('%Y-%m-%d %H:%M:%f+00:00', 'now', '-" + hours + "')")
		}
		age("23 hours")
		assert.Equal(t, first.Raw, ana.Once(kit.Path("patients"), body, "k").Raw)
		age("25 hours")
		again := ana.Once(kit.Path("patients"), kit.Object{"name": "Di"}, "k").Expect(http.StatusCreated)
		assert.NotEqual(t, first.ID(), again.ID())
		assert.Equal(t, again.Raw, ana.Once(kit.Path("patients"), kit.Object{"name": "Di"}, "k").Raw)
		require.NoError(t, api.DB.Cleanup(t.Context()))
		assert.Equal(t, []string{"k"}, api.Rows("SELECT key FROM idempotency_keys")) // k2 is gone
	})
}

func TestAKeyMustBePrintableASCIIAndNotTooLong(t *testing.T) {
	onCreations(t, func(t *testing.T, api *kit.API, ana *kit.Client, c creation) {
		rows := api.Count("SELECT count(*) FROM " + c.table)
		for _, key := range []string{strings.Repeat("k", 256), "Schlüssel", "a\tb"} {
			r := ana.Once(c.path, c.body, key)
			r.Expect(http.StatusBadRequest)
			assert.NotEmpty(t, r.Error("Idempotency-Key"), key)
		}
		assert.Equal(t, rows, api.Count("SELECT count(*) FROM "+c.table))
		ana.Once(c.path, c.body, strings.Repeat("k", 253)+" ~").Expect(http.StatusCreated)
	})
}

// What is kept of a creation is its answer, which must say what was stored: both come from one transaction.
func TestAKeyIsKeptTogetherWithWhatItCreated(t *testing.T) {
	onCreations(t, func(t *testing.T, api *kit.API, ana *kit.Client, c creation) {
		made := ana.Once(c.path, c.body, "k").Expect(http.StatusCreated)
		route := strings.TrimSuffix(c.path, "/")
		var kept kit.Object
		require.NoError(t, json.Unmarshal([]byte(api.Rows("SELECT answer FROM idempotency_keys WHERE key = 'k' AND route = '" + route + "'")[0]), &kept))
		assert.Equal(t, made.JSON, kept)

		// When the object cannot be stored, neither is its key.
		if api.IsPostgres() {
			api.Exec("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
			api.Exec("CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()")
		} else {
			api.Exec("CREATE TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
		keys, rows := api.Count(keyRows), api.Count("SELECT count(*) FROM "+c.table)
		ana.Once(c.path, c.other, "k2").Expect(http.StatusInternalServerError)
		assert.Equal(t, keys, api.Count(keyRows))
		assert.Equal(t, rows, api.Count("SELECT count(*) FROM "+c.table))
		if api.IsPostgres() {
			api.Exec("DROP TRIGGER refuse ON events")
		} else {
			api.Exec("DROP TRIGGER refuse")
		}
		assert.Empty(t, ana.Once(c.path, c.other, "k2").Expect(http.StatusCreated).Header.Get("Idempotent-Replayed"))
	})
}

func TestAReplayShowsNoPatientWhomTheAccountMayNotSeeAnyMore(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, ben, boss := api.User("ana"), api.User("ben"), api.Staff("boss")
		create := func() *kit.Response { return ana.Once(kit.Path("patients"), kit.Object{"name": "Cy"}, "k") }
		patient := create().Expect(http.StatusCreated).ID()
		mapping := kit.Object{"patient_id": patient, "doctor_id": ana.Doctor("Dr. One")}
		assign := func() *kit.Response { return ana.Once(kit.Path("mappings"), mapping, "k") }
		assign().Expect(http.StatusCreated)
		boss.Patch(kit.Path("patients", patient), kit.Object{"created_by": ben.ID}).Expect(http.StatusOK)
		create().Expect(http.StatusUnprocessableEntity)
		kit.Absent(t, assign().Expect(http.StatusUnprocessableEntity).Raw, "Cy")
		boss.Patch(kit.Path("patients", patient), kit.Object{"created_by": ana.ID}).Expect(http.StatusOK)
		assert.Equal(t, "true", assign().Expect(http.StatusCreated).Header.Get("Idempotent-Replayed"))
	})
}

func TestAReplayIsTheFirstAnswerWhateverHappenedSince(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		first := ana.Once(kit.Path("patients"), kit.Object{"name": "Cy"}, "k").Expect(http.StatusCreated)
		path := kit.Path("patients", first.ID())
		ana.Patch(path, kit.Object{"name": "Di"}).Expect(http.StatusOK)
		assert.Equal(t, first.Raw, ana.Once(kit.Path("patients"), kit.Object{"name": "Cy"}, "k").Raw)
		ana.Delete(path).Expect(http.StatusNoContent)
		assert.Equal(t, first.Raw, ana.Once(kit.Path("patients"), kit.Object{"name": "Cy"}, "k").Raw)
		ana.Get(path).Expect(http.StatusNotFound)
		other := kit.Start(t, api.Config) // a second instance on the same database
		assert.Equal(t, first.Raw, ana.At(other).Once(kit.Path("patients"), kit.Object{"name": "Cy"}, "k").Raw)
	})
}
