package audit

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

// sealed is an instance with three events in each of three seals.
func sealed(api *kit.API) (ana *kit.Client) {
	ana = api.User("ana")
	for i := range 9 {
		ana.Patient(fmt.Sprint(i))
		if i%3 == 2 {
			api.Seal()
		}
	}
	api.LiftAppendOnly()
	return ana
}

func TestSealedEventsAreProvedUnchanged(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		report, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.Equal(t, models.AuditReport{}, *report, "an empty trail")
		ana := sealed(api)
		report, err = api.VerifyAudit()
		require.NoError(t, err)
		assert.NotEmpty(t, report.Last)
		assert.Equal(t, models.AuditReport{Events: 9, Seals: 3, Last: report.Last}, *report)
		api.Seal()
		assert.Equal(t, 3, api.Count("SELECT count(*) FROM seals"), "nothing new needs no seal")

		ana.Patient("new")
		ana.Patch(kit.Path("patients", 1), kit.Object{"name": "ü\"\\<>\u2028", "date_of_birth": "1999-12-31"}).Expect(http.StatusOK)
		unsealed, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.Equal(t, models.AuditReport{Events: 9, Seals: 3, Unsealed: 2, Last: report.Last}, *unsealed)
		api.Seal()
		after, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.Equal(t, models.AuditReport{Events: 11, Seals: 4, Last: after.Last}, *after)
		assert.NotEqual(t, report.Last, after.Last)
	})
}

const eventColumns = "at, user_id, action, object, object_id, patient_id, patient_ids, changes, address, outcome, request_id"

var tamperings = map[string]struct{ statement, says string }{
	"who":                {"UPDATE events SET user_id = 77 WHERE id = 5", "event 5 was changed"},
	"what":               {"UPDATE events SET changes = replace(changes, '4', '5') WHERE id = 5", "event 5 was changed"},
	"whose":              {"UPDATE events SET patient_id = NULL WHERE id = 5", "event 5 was changed"},
	"from where":         {"UPDATE events SET address = '::1' WHERE id = 5", "event 5 was changed"},
	"outcome":            {"UPDATE events SET outcome = 'not_found' WHERE id = 9", "event 9 was changed"},
	"list":               {"UPDATE events SET patient_ids = %s WHERE id = 5", "event 5 was changed"},
	"a removed event":    {"DELETE FROM events WHERE id = 1", "event 1 was removed"},
	"all of one seal":    {"DELETE FROM events WHERE id IN (4, 5, 6)", "event 4 was removed"},
	"a moved event":      {"UPDATE events SET id = 50 WHERE id = 5", "event 5 was removed"},
	"an event put in":    {"INSERT INTO events (id, " + eventColumns + ") SELECT 0, " + eventColumns + " FROM events WHERE id = 1", "1 events were put in"},
	"a changed seal":     {"UPDATE seals SET last_id = 7 WHERE id = 2", "seal 2"},
	"a forged seal":      {"UPDATE seals SET mac = (SELECT mac FROM seals WHERE id = 1) WHERE id = 2", "seal 2"},
	"a removed seal":     {"DELETE FROM seals WHERE id = 2", "seal 3"},
	"the first seal":     {"DELETE FROM seals WHERE id = 1", "seal 2"},
	"a seal and its own": {"DELETE FROM seals WHERE id = 2; DELETE FROM events WHERE id IN (4, 5, 6)", "seal 3"},
}

func TestTamperingWithTheTrailIsNamed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		putBack := keep(api, "events", "seals")
		for name, c := range tamperings {
			api.Exec(strings.ReplaceAll(c.statement, "%s", map[bool]string{true: "'{1}'::bigint[]", false: "'[1]'"}[api.IsPostgres()]))
			_, err := api.VerifyAudit()
			require.ErrorContains(t, err, c.says, name)
			putBack()
			_, err = api.VerifyAudit()
			require.NoError(t, err, "put right after: "+name)
		}
	})
}

// endFile lets PostgreSQL's server remember the newest seal in a file too, as the embedded database's does.
func endFile(t *testing.T) func(*config.Config) {
	dir := t.TempDir()
	return func(cfg *config.Config) {
		if cfg.AuditSealFile == "" {
			cfg.AuditSealFile = filepath.Join(dir, "seal")
		}
	}
}

func TestACutTailShowsAgainstANotedSealAndAgainstTheRememberedOne(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		before, err := api.VerifyAudit()
		require.NoError(t, err)
		verify := func(noted string) error {
			_, err := api.DB.VerifyAudit(t.Context(), noted, func(int64, int64) {})
			return err
		}
		require.NoError(t, verify(before.Last))
		require.ErrorContains(t, verify("0123"), "the seal 0123 is not part of the chain")
		putBack := keep(api, "seals")
		api.Exec("DELETE FROM seals WHERE id = 3")
		api.Exec("DELETE FROM events WHERE id > 6")
		require.ErrorContains(t, verify(before.Last), "not part of the chain")
		require.ErrorContains(t, verify(""), "the newest seal that the server remembers")
		require.NoError(t, os.Remove(api.Config.AuditSealFile))
		after, err := api.VerifyAudit()
		require.NoError(t, err, "without either, it does not show")
		assert.EqualValues(t, 6, after.Events)
		assert.NotEqual(t, before.Last, after.Last)
		putBack() // so that the server can seal when it ends
	}, endFile(t))
}

func TestTheServerDoesNotSealAForgeryAnew(t *testing.T) {
	for name, forgery := range map[string]string{
		"all seals": "DELETE FROM seals", "the newest seal": "DELETE FROM seals WHERE id = (SELECT max(id) FROM seals)",
	} {
		t.Run(name, func(t *testing.T) {
			kit.OnBoth(t, func(t *testing.T, api *kit.API) {
				ana := sealed(api)
				putBack := keep(api, "seals")
				api.Exec(forgery)
				api.Exec("UPDATE events SET action = 'list' WHERE id = 9")
				ana.Patient("one more")
				seals := api.Count("SELECT count(*) FROM seals")
				require.ErrorContains(t, api.DB.SealAll(t.Context()), "is gone", "the server remembers")
				again, err := models.Open(t.Context(), api.Config)
				require.NoError(t, err)
				require.ErrorContains(t, again.SealAll(t.Context()), "is gone", "its file remembers")
				require.ErrorContains(t, again.Close(), "is gone")
				assert.Equal(t, seals, api.Count("SELECT count(*) FROM seals"))
				assert.Contains(t, api.Nobody().Get("/readyz").Expect(http.StatusOK).JSON["detail"], "audit trail")
				_, err = api.VerifyAudit()
				require.ErrorContains(t, err, "not part of the chain")
				putBack()
				require.NoError(t, api.DB.SealAll(t.Context()), "with the seals back, it goes on")
				assert.Nil(t, api.Nobody().Get("/readyz").JSON["detail"])
			}, endFile(t))
		})
	}
}

func TestAnEventThatCommitsLateIsSealedLater(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		if !api.IsPostgres() {
			t.Skip("SQLite has one writer at a time: events commit in the order of their ids")
		}
		ana := api.User("ana")
		ana.Patient("1")
		late, err := api.SQL().Begin()
		require.NoError(t, err)
		_, err = late.Exec("INSERT INTO events (at, action, object, changes, address, outcome, request_id) VALUES (now(), 'read', 'patient', '', '', 'ok', '')")
		require.NoError(t, err)
		lost, err := api.SQL().Begin()
		require.NoError(t, err)
		_, err = lost.Exec("INSERT INTO events (at, action, object, changes, address, outcome, request_id) VALUES (now(), 'read', 'patient', '', '', 'ok', '')")
		require.NoError(t, err)
		require.NoError(t, lost.Rollback())
		ana.Patient("2")
		api.Seal()
		report, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.EqualValues(t, 2, report.Events)

		require.NoError(t, late.Commit())
		report, err = api.VerifyAudit()
		require.NoError(t, err)
		assert.EqualValues(t, 1, report.Unsealed)
		api.Seal()
		report, err = api.VerifyAudit()
		require.NoError(t, err)
		assert.Equal(t, models.AuditReport{Events: 3, Seals: 2, Last: report.Last}, *report)
		gaps := api.Rows("SELECT event_ids::text, ' ', gaps[1:2]::text, cardinality(gaps) FROM seals ORDER BY id")
		assert.Equal(t, []string{"{1,4} {2,3}3", "{2} {3,3}3"}, gaps)
		api.LiftAppendOnly()
		api.Exec("UPDATE events SET action = 'list' WHERE id = 2")
		_, err = api.VerifyAudit()
		require.ErrorContains(t, err, "event 2 was changed")
	})
}

func TestManySealersAtOnceMakeOneChain(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		other := kit.Start(t, api.Config)
		ana := api.User("ana")
		var writers, sealers sync.WaitGroup
		done := make(chan struct{})
		for _, db := range []*models.DB{api.DB, other.DB, api.DB, other.DB} {
			sealers.Go(func() {
				for {
					assert.NoError(t, db.SealAll(t.Context()))
					select {
					case <-done:
						return
					case <-time.After(time.Millisecond):
					}
				}
			})
		}
		for range 4 {
			writers.Go(func() {
				for range 15 {
					ana.Patient("Ana")
				}
			})
		}
		writers.Wait()
		close(done)
		sealers.Wait()
		api.Seal()
		report, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.EqualValues(t, 60, report.Events)
		assert.Zero(t, report.Unsealed)
	})
}

func TestAWrongKeyNeitherProvesNorSeals(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := sealed(api)
		ana.Patient("not sealed yet")
		wrong := *api.Config
		wrong.AuditKey = config.Secret("another-key-that-is-long-enough-0123456789")
		_, err := models.Open(t.Context(), &wrong)
		require.ErrorAs(t, err, new(*models.AuditKeyError))
		report, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.EqualValues(t, 3, report.Seals)
		assert.EqualValues(t, 1, report.Unsealed)
	})
}

func TestTheServerSealsByItself(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			api.DB.KeepSealed(ctx, slog.New(slog.NewTextHandler(api.Log, nil)))
		}()
		api.User("ana").Post("/api/patients/", kit.Object{"name": "Petra"}).Expect(http.StatusCreated)
		assert.Eventually(t, func() bool { return api.Count("SELECT count(*) FROM seals") > 0 }, kit.WaitLimit, 20*time.Millisecond)
		stop()
		<-ended
	})
}
