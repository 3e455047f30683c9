package audit

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
	"healthcare/tests/kit"
)

// insertEvents puts events into the table as another program could; ids is a SELECT of their ids.
func insertEvents(api *kit.API, ids string, age time.Duration) {
	api.Exec("INSERT INTO events (id, at, action, object, changes, address, outcome, request_id) SELECT id, " + kit.Ago(age) +
		", 'read', 'patient', '', '', 'ok', '' FROM (" + ids + ") AS ids")
	if api.IsPostgres() {
		api.Exec("SELECT setval('events_id_seq', (SELECT max(id) FROM events))")
	}
}

func TestNoNumberAndNoSizeOfGapsStopsTheSealer(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		ana.Patient("before")
		last := 140_000 // more gaps than a statement has parameters
		if !kit.Whole {
			last = 14_000
		}
		numbers := fmt.Sprintf("WITH RECURSIVE n(id) AS (SELECT 3 UNION ALL SELECT id + 2 FROM n WHERE id < %d) SELECT id FROM n", last) // each second id
		if api.IsPostgres() {
			numbers = fmt.Sprintf("SELECT id FROM generate_series(3, %d, 2) AS id", last)
		}
		insertEvents(api, numbers, 0)
		api.Seal()
		insertEvents(api, "SELECT 5000000000 AS id", 0)
		ana.Patient("after")
		api.Seal()
		report, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.Zero(t, report.Unsealed)
		assert.EqualValues(t, api.Count("SELECT count(*) FROM events"), report.Events)
		ana.Patient("and on")
		api.Seal()
		report, err = api.VerifyAudit()
		require.NoError(t, err)
		assert.Zero(t, report.Unsealed)
	})
}

func TestAnEventWithAnIdThatTheDatabaseNeverGaveIsToldAndStopsNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		if !api.IsPostgres() {
			t.Skip("SQLite goes on from the highest id there is")
		}
		ana := api.User("ana")
		ana.Patient("before")
		api.Exec("INSERT INTO events (id, at, action, object, changes, address, outcome, request_id) VALUES (9000000000000000, " +
			kit.Ago(2*time.Minute) + ", 'read', 'patient', '', '', 'ok', '')")
		ana.Patient("after")
		api.Seal()
		ana.Patient("later")
		api.Seal()
		report, err := api.VerifyAudit()
		require.ErrorContains(t, err, "event 9000000000000000")
		require.ErrorContains(t, err, "is not sealed yet")
		assert.EqualValues(t, 3, report.Events)
	})
}

func TestEventsThatAreOlderThanTheyShouldBeAreTold(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana").Patient("Ann")
		api.Seal()
		insertEvents(api, "SELECT 10 AS id", 2*time.Hour)
		_, err := api.VerifyAudit()
		doubts := &models.AuditDoubtsError{}
		require.ErrorAs(t, err, &doubts)
		assert.ErrorContains(t, err, "event 10 of ")
		assert.ErrorContains(t, err, "is not sealed yet")
		api.Seal()
		report, err := api.VerifyAudit()
		require.ErrorAs(t, err, &doubts)
		assert.ErrorContains(t, err, "event 10 is of ")
		status, out := api.RunCommand("", "audit", "verify")
		assert.Equal(t, 1, status, out)
		_, err = api.DB.VerifyAudit(t.Context(), report.Last, func(int64, int64) {})
		assert.NoError(t, err, "whoever noted this seal has looked at what is before it")
		status, out = api.RunCommand("", "audit", "verify", "--seal", report.Last)
		assert.Equal(t, 0, status, out)
	})
}

func TestAClientThatHangsUpRollsNothingBackHalfWay(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		kit.AtOnce(20, func(i int) *kit.Response {
			for n := range 10 {
				ctx, cancel := context.WithCancel(t.Context())
				body := fmt.Sprintf(`{"name": "%d %d"}`, i, n)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, api.URL+"/api/patients/", bytes.NewReader([]byte(body)))
				assert.NoError(t, err)
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer "+ana.Token)
				time.AfterFunc(time.Duration(i*n)*100*time.Microsecond, cancel)
				if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
					_ = res.Body.Close()
				}
				cancel()
			}
			return ana.Get("/api/auth/me/")
		})
		inVain := "SELECT coalesce(max(id), 0) - count(*) FROM events" // ids, once the last of them have ended
		assert.Eventually(t, func() bool { return api.Count(inVain) == 0 }, kit.WaitLimit, 20*time.Millisecond)
		assert.Zero(t, api.Count("SELECT (SELECT count(*) FROM patients) - (SELECT count(*) FROM events WHERE action = 'create')"))
		api.Seal()
		_, err := api.VerifyAudit()
		assert.NoError(t, err)
	})
}
