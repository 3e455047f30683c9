package operations

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/routes"
	"healthcare/tests/kit"
)

func TestAnybodyMayAskForHealth(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, p := range []string{"/healthz", "/readyz"} {
			assert.Equal(t, kit.Object{"status": "ok"}, api.Nobody().Get(p).Expect(http.StatusOK).JSON)
		}
	})
}

func TestWithoutItsDatabaseAnInstanceIsAliveButNotReady(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
	ana := api.User("ana")
	name := api.Config.Database.Postgres[strings.LastIndex(api.Config.Database.Postgres, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	allow := func(yes bool) {
		_, err := kit.Server.Admin.Exec(fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", name, yes))
		require.NoError(t, err)
	}
	allow(false)
	_, err := kit.Server.Admin.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	require.NoError(t, err)

	api.Nobody().Get("/healthz").Expect(http.StatusOK)
	for _, r := range []*kit.Response{
		api.Nobody().Get("/readyz"), ana.Get("/api/patients/"), ana.Post("/api/patients/", kit.Object{"name": "Petra"}),
		api.Nobody().Post(kit.LoginPath, kit.Object{"username": "ana", "password": kit.Password}), api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", "eve")),
	} {
		assert.Equal(t, http.StatusServiceUnavailable, r.Status, r.Raw)
		assert.Equal(t, "unavailable", r.JSON["code"])
		kit.Absent(t, r.Raw, name, "127.0.0.1")
	}

	allow(true)
	api.Nobody().Get("/readyz").Expect(http.StatusOK)
	assert.Zero(t, ana.Get("/api/patients/").Expect(http.StatusOK).JSON["count"]) // nothing of the refused came through
}

func TestAnInstanceWhoseDatabaseCanOnlyBeReadIsNotReady(t *testing.T) {
	t.Parallel()
	cfg := kit.BaseConfig(kit.FreshPostgresFrom(t, ""))
	first := kit.Start(t, cfg)
	first.Nobody().Get("/readyz").Expect(http.StatusOK)
	name := cfg.Database.Postgres[strings.LastIndex(cfg.Database.Postgres, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	readOnly := func(yes string) {
		_, err := kit.Server.Admin.Exec("ALTER DATABASE " + name + " SET default_transaction_read_only = " + yes)
		require.NoError(t, err)
		_, err = kit.Server.Admin.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE '%pg_is_in_recovery%'", name) // the probe's
		require.NoError(t, err)
	}
	readOnly("on")
	assert.Contains(t, first.Nobody().Get("/readyz").Expect(http.StatusServiceUnavailable).Raw, "can only be read")
	readOnly("off")
	first.Nobody().Get("/readyz").Expect(http.StatusOK)
}

func TestABusyInstanceIsReady(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
	ana := api.User("ana")
	patient := ana.Patient("Petra")
	tx, err := api.SQL().Begin()
	require.NoError(t, err)
	_, err = tx.Exec("SELECT FROM patients FOR UPDATE")
	require.NoError(t, err)
	waiting := make(chan []*kit.Response)
	go func() {
		waiting <- kit.AtOnce(2*api.Config.MaxConns, func(i int) *kit.Response { return ana.Delete(kit.Path("patients", patient)) })
	}()
	busy := func() bool {
		return api.Count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") >= api.Config.MaxConns
	}
	require.Eventually(t, busy, kit.WaitLimit, 10*time.Millisecond)
	api.Nobody().Get("/readyz").Expect(http.StatusOK)
	require.NoError(t, tx.Rollback())
	<-waiting
}

func TestAnInstanceThatCannotStoreItsAuditTrailIsNotReady(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		patient := ana.Patient("Petra")
		api.Exec("ALTER TABLE events RENAME TO away")
		ready := func(status int) func() bool {
			return func() bool { return api.Nobody().Get("/readyz").Status == status }
		}
		ana.Get(kit.Path("patients", patient)).Expect(http.StatusOK)
		require.Eventually(t, ready(http.StatusServiceUnavailable), kit.WaitLimit, 10*time.Millisecond)
		api.Exec("ALTER TABLE away RENAME TO events")
		require.Eventually(t, ready(http.StatusOK), kit.WaitLimit, 10*time.Millisecond)
	})
}

func TestARequestEndsWithinItsTimeLimit(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		patient := ana.Patient("Petra")
		before := api.Contents()
		// Somebody else holds what the requests need to write.
		tx, err := api.SQL().Begin()
		require.NoError(t, err)
		_, err = tx.Exec("UPDATE patients SET name = name")
		require.NoError(t, err)
		for _, r := range []*kit.Response{ana.Patch(kit.Path("patients", patient), kit.Object{"name": "Paula"}), ana.Delete(kit.Path("patients", patient))} {
			assert.Equal(t, http.StatusServiceUnavailable, r.Status, r.Raw)
			assert.Equal(t, "unavailable", r.JSON["code"])
		}
		ana.Get(kit.Path("patients", patient)).Expect(http.StatusOK) // readers do not wait
		require.NoError(t, tx.Rollback())
		assert.Equal(t, before, api.Contents())
		ana.Patch(kit.Path("patients", patient), kit.Object{"name": "Paula"}).Expect(http.StatusOK)
	}, func(cfg *config.Config) { cfg.RequestTimeout = 1500 * time.Millisecond })
}

func TestALockThatIsNotToBeHadInTimeIsUnavailable(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
	ana := api.User("ana")
	api.Exec(`CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'gave up' USING ERRCODE = NEW.name; END $$`)
	api.Exec("CREATE TRIGGER give_up BEFORE INSERT ON patients FOR EACH ROW EXECUTE FUNCTION give_up()")
	for state, status := range map[string]int{
		"55P03": http.StatusServiceUnavailable, // lock_timeout is over
		"25P03": http.StatusServiceUnavailable, // idle_in_transaction_session_timeout is over
		"55000": http.StatusInternalServerError,
	} {
		r := ana.Post("/api/patients/", kit.Object{"name": state})
		assert.Equal(t, status, r.Status, "%s: %s", state, r.Raw)
	}
}

func TestAPanicIsAServerErrorWithoutDetails(t *testing.T) {
	t.Parallel()
	log := &kit.Buffer{}
	handler, err := routes.New(kit.BaseConfig(kit.FreshSQLite(t)), &models.DB{}, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	s := httptest.NewServer(handler)
	defer s.Close()
	api := &kit.API{T: t, URL: s.URL, Log: log}
	for i := range 2 { // it goes on serving
		r := api.Nobody().Get("/readyz").Expect(http.StatusInternalServerError)
		assert.Equal(t, "error", r.JSON["code"])
		assert.Equal(t, "A server error occurred.", r.JSON["detail"])
		line := log.Lines(t, i+1)[i]
		assert.Contains(t, line, "level=ERROR")
		assert.Contains(t, line, "nil pointer")
		assert.Contains(t, line, "controllers/health.go") // where it happened
		assert.Contains(t, line, "request_id="+r.Header.Get("X-Request-ID"))
	}
}

func TestAnUnknownErrorIsAServerErrorWithoutDetails(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		api.Exec("ALTER TABLE patients RENAME TO elsewhere")
		for _, r := range []*kit.Response{ana.Get("/api/patients/"), ana.Post("/api/patients/", kit.Object{"name": kit.Marker})} {
			assert.Equal(t, http.StatusInternalServerError, r.Status)
			assert.Equal(t, "A server error occurred.", r.JSON["detail"])
			kit.Absent(t, r.Raw, "patients", "relation", "table")
		}
		assert.Contains(t, api.Log.String(), "level=ERROR")
		kit.Absent(t, api.Log.String(), kit.Marker)
	})
}
