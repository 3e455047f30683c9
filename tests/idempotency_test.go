package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// creation is one of the routes that create, with two bodies that it accepts and one that it refuses.
type creation struct {
	path, table      string
	body, other, bad fields
}

// creations are all such routes; the first two patients and doctors must exist.
var creations = []creation{
	{at("patients"), "patients", fields{"name": "Ana <&> Ü", "date_of_birth": "1980-02-29"}, fields{"name": "Bo"}, fields{"name": ""}},
	{at("doctors"), "doctors", fields{"name": "Cy", "specialization": "Eyes", "years_of_experience": 0}, fields{"name": "Di", "specialization": "Skin"}, fields{"name": "Di"}},
	{at("mappings"), "mappings", fields{"patient_id": 1, "doctor_id": 1}, fields{"patient_id": 1, "doctor_id": 2}, fields{"patient_id": 1, "doctor_id": 99}},
	{at("doctor", "mappings"), "mappings", fields{"patient_id": 2, "doctor_id": 1}, fields{"patient_id": 2, "doctor_id": 2}, fields{"patient_id": 99, "doctor_id": 2}},
}

// onCreations runs a test for each of the routes that create, on both databases.
func onCreations(t *testing.T, test func(t *testing.T, api *API, ana *Client, c creation)) {
	t.Helper()
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		for i := range 2 {
			ana.newPatient(fmt.Sprint("Patient ", i))
			ana.newDoctor(fmt.Sprint("Doctor ", i))
		}
		for _, c := range creations {
			test(t, api, ana, c)
		}
	})
}

// once sends a creation with an Idempotency-Key.
func (c *Client) once(path string, body any, key string) *Response {
	c.t.Helper()
	return c.Do("POST", path, body, "Idempotency-Key", key)
}

const (
	keyRows    = "SELECT count(*) FROM idempotency_keys"
	writesOfAs = "SELECT count(*) FROM events WHERE outcome = 'ok' AND action IN ('create', 'assign')"
)

func TestARetryIsAnsweredAsTheFirstTryWas(t *testing.T) {
	onCreations(t, func(t *testing.T, api *API, ana *Client, c creation) {
		before, events := api.count("SELECT count(*) FROM "+c.table), api.count(writesOfAs)
		first := ana.once(c.path, c.body, "key "+c.path).Expect(http.StatusCreated)
		assert.Empty(t, first.Header.Get("Idempotent-Replayed"))
		for range 2 {
			again := ana.once(c.path, c.body, "key "+c.path).Expect(http.StatusCreated)
			assert.Equal(t, first.Raw, again.Raw)
			assert.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
			assert.Equal(t, first.Header.Get("ETag"), again.Header.Get("ETag"))
		}
		assert.Equal(t, first.Raw, ana.once(strings.TrimSuffix(c.path, "/"), c.body, "key "+c.path).Expect(http.StatusCreated).Raw)
		assert.Equal(t, before+1, api.count("SELECT count(*) FROM "+c.table))
		assert.Equal(t, events+1, api.count(writesOfAs))
	})
}

func TestAKeyWithAnotherBodyIsRefused(t *testing.T) {
	onCreations(t, func(t *testing.T, api *API, ana *Client, c creation) {
		first := ana.once(c.path, c.body, "k").Expect(http.StatusCreated)
		rows := api.count("SELECT count(*) FROM " + c.table)
		for _, other := range []fields{c.other, c.bad} {
			r := ana.once(c.path, other, "k").Expect(http.StatusUnprocessableEntity)
			assert.Equal(t, "idempotency_key_reused", r.JSON["code"])
		}
		assert.Equal(t, rows, api.count("SELECT count(*) FROM "+c.table))
		assert.Equal(t, first.Raw, ana.once(c.path, c.body, "k").Expect(http.StatusCreated).Raw)
		ana.once(c.path, c.other, "another k").Expect(http.StatusCreated)
	})
}

func TestOnlySuccessIsRemembered(t *testing.T) {
	onCreations(t, func(t *testing.T, api *API, ana *Client, c creation) {
		keys := api.count(keyRows)
		ana.once(c.path, c.bad, "k").Expect(http.StatusBadRequest)
		ana.once(c.path, fields{"nonsense": 1}, "k").Expect(http.StatusBadRequest)
		assert.Equal(t, keys, api.count(keyRows))
		made := ana.once(c.path, c.body, "k").Expect(http.StatusCreated)
		assert.Empty(t, made.Header.Get("Idempotent-Replayed"))
		assert.Equal(t, keys+1, api.count(keyRows))
		if c.table == "mappings" { // a conflict is no success either
			ana.once(c.path, c.body, "k2").Expect(http.StatusConflict)
			assert.Equal(t, keys+1, api.count(keyRows))
			ana.Delete(at("mappings", made.ID())).Expect(http.StatusNoContent)
			again := ana.once(c.path, c.body, "k2").Expect(http.StatusCreated)
			assert.Empty(t, again.Header.Get("Idempotent-Replayed"))
		}
	})
}

func TestAKeyCountsForItsAccountAndRoute(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, eve := api.User("ana"), api.User("eve")
		body := fields{"name": "Cy", "specialization": "Eyes"}
		ids := map[int]bool{}
		for _, c := range []*Client{ana, eve} {
			ids[c.once(at("doctors"), body, "k").Expect(http.StatusCreated).ID()] = true
		}
		assert.Len(t, ids, 2)
		assert.Empty(t, ana.once(at("patients"), fields{"name": "Cy"}, "k").Expect(http.StatusCreated).Header.Get("Idempotent-Replayed"))
		pair := fields{"patient_id": 1, "doctor_id": 1}
		mapping := ana.once(at("mappings"), pair, "k").Expect(http.StatusCreated)
		ana.once(at("doctor", "mappings"), pair, "k").Expect(http.StatusConflict) // another route, so no replay
		assert.Equal(t, mapping.Raw, ana.once(at("mappings"), pair, "k").Expect(http.StatusCreated).Raw)
		assert.Equal(t, 4, api.count(keyRows))
	})
}

func TestTwelveRacingRetriesCreateOne(t *testing.T) {
	onCreations(t, func(t *testing.T, api *API, ana *Client, c creation) {
		before, events := api.count("SELECT count(*) FROM "+c.table), api.count(writesOfAs)
		answers := make(chan *Response, 12)
		statuses := everyStatus(12, func(int) *Response {
			r := ana.once(c.path, c.body, "race")
			answers <- r
			return r
		})
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
		assert.Equal(t, before+1, api.count("SELECT count(*) FROM "+c.table))
		assert.Equal(t, events+1, api.count(writesOfAs))
	})
}

func TestAKeyIsForgottenAfterADay(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		body := fields{"name": "Cy"}
		first := ana.once(at("patients"), body, "k").Expect(http.StatusCreated)
		ana.once(at("patients"), body, "k2").Expect(http.StatusCreated)
		age := func(hours string) {
			if api.isPostgres() {
				api.exec("UPDATE idempotency_keys SET created_at = now() - interval '" + hours + "'")
				return
			}
			api.exec("UPDATE idempotency_keys SET created_at = strftime('%Y-%m-%d %H:%M:%f+00:00', 'now', '-" + hours + "')")
		}
		age("23 hours")
		assert.Equal(t, first.Raw, ana.once(at("patients"), body, "k").Raw)
		age("25 hours")
		again := ana.once(at("patients"), fields{"name": "Di"}, "k").Expect(http.StatusCreated)
		assert.NotEqual(t, first.ID(), again.ID())
		assert.Equal(t, again.Raw, ana.once(at("patients"), fields{"name": "Di"}, "k").Raw)
		require.NoError(t, api.DB.Cleanup(t.Context()))
		assert.Equal(t, []string{"k"}, api.rows("SELECT key FROM idempotency_keys")) // k2 is gone
	})
}

func TestAKeyMustBePrintableASCIIAndNotTooLong(t *testing.T) {
	onCreations(t, func(t *testing.T, api *API, ana *Client, c creation) {
		rows := api.count("SELECT count(*) FROM " + c.table)
		for _, key := range []string{strings.Repeat("k", 256), "Schlüssel", "a\tb"} {
			r := ana.once(c.path, c.body, key)
			r.Expect(http.StatusBadRequest)
			assert.NotEmpty(t, r.Error("Idempotency-Key"), key)
		}
		assert.Equal(t, rows, api.count("SELECT count(*) FROM "+c.table))
		ana.once(c.path, c.body, strings.Repeat("k", 253)+" ~").Expect(http.StatusCreated)
	})
}

// What is kept of a creation is its answer, which must say what was stored: both come from one transaction.
func TestAKeyIsKeptTogetherWithWhatItCreated(t *testing.T) {
	onCreations(t, func(t *testing.T, api *API, ana *Client, c creation) {
		made := ana.once(c.path, c.body, "k").Expect(http.StatusCreated)
		route := strings.TrimSuffix(c.path, "/")
		var kept fields
		require.NoError(t, json.Unmarshal([]byte(api.rows("SELECT answer FROM idempotency_keys WHERE key = 'k' AND route = '" + route + "'")[0]), &kept))
		assert.Equal(t, made.JSON, kept)

		// When the object cannot be stored, neither is its key.
		if api.isPostgres() {
			api.exec("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
			api.exec("CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()")
		} else {
			api.exec("CREATE TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
		keys, rows := api.count(keyRows), api.count("SELECT count(*) FROM "+c.table)
		ana.once(c.path, c.other, "k2").Expect(http.StatusInternalServerError)
		assert.Equal(t, keys, api.count(keyRows))
		assert.Equal(t, rows, api.count("SELECT count(*) FROM "+c.table))
		if api.isPostgres() {
			api.exec("DROP TRIGGER refuse ON events")
		} else {
			api.exec("DROP TRIGGER refuse")
		}
		assert.Empty(t, ana.once(c.path, c.other, "k2").Expect(http.StatusCreated).Header.Get("Idempotent-Replayed"))
	})
}

func TestAReplayIsTheFirstAnswerWhateverHappenedSince(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		first := ana.once(at("patients"), fields{"name": "Cy"}, "k").Expect(http.StatusCreated)
		path := at("patients", first.ID())
		ana.Patch(path, fields{"name": "Di"}).Expect(http.StatusOK)
		assert.Equal(t, first.Raw, ana.once(at("patients"), fields{"name": "Cy"}, "k").Raw)
		ana.Delete(path).Expect(http.StatusNoContent)
		assert.Equal(t, first.Raw, ana.once(at("patients"), fields{"name": "Cy"}, "k").Raw)
		ana.Get(path).Expect(http.StatusNotFound)
		other := start(t, api.Config) // a second instance on the same database
		assert.Equal(t, first.Raw, ana.At(other).once(at("patients"), fields{"name": "Cy"}, "k").Raw)
	})
}
