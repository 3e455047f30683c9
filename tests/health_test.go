package tests

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
)

func TestAnybodyMayAskForHealth(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		for _, p := range []string{"/healthz", "/readyz"} {
			assert.Equal(t, object{"status": "ok"}, api.Nobody().Get(p).Expect(http.StatusOK).JSON)
		}
	})
}

func TestWithoutItsDatabaseAnInstanceIsAliveButNotReady(t *testing.T) {
	t.Parallel()
	api := start(t, baseConfig(freshPostgres(t)))
	ana := api.User("ana")
	name := api.Config.Database.Postgres[strings.LastIndex(api.Config.Database.Postgres, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	allow := func(yes bool) {
		_, err := server.admin.Exec(fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", name, yes))
		require.NoError(t, err)
	}
	allow(false)
	_, err := server.admin.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	require.NoError(t, err)

	api.Nobody().Get("/healthz").Expect(http.StatusOK)
	for _, r := range []*Response{
		api.Nobody().Get("/readyz"), ana.Get("/api/patients/"), ana.Post("/api/patients/", object{"name": "Petra"}),
		api.Nobody().Post(login, object{"username": "ana", "password": password}), api.Nobody().Post(register, with(somebody, "username", "eve")),
	} {
		assert.Equal(t, http.StatusServiceUnavailable, r.Status, r.Raw)
		assert.Equal(t, "unavailable", r.JSON["code"])
		absent(t, r.Raw, name, "127.0.0.1")
	}

	allow(true)
	api.Nobody().Get("/readyz").Expect(http.StatusOK)
	assert.Zero(t, ana.Get("/api/patients/").Expect(http.StatusOK).JSON["count"]) // nothing of the refused came through
}

func TestARequestEndsWithinItsTimeLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		patient := ana.Patient("Petra")
		before := api.contents()
		// Somebody else holds what the requests need to write.
		tx, err := api.sql().Begin()
		require.NoError(t, err)
		_, err = tx.Exec("UPDATE patients SET name = name")
		require.NoError(t, err)
		for _, r := range []*Response{ana.Patch(path("patients", patient), object{"name": "Paula"}), ana.Delete(path("patients", patient))} {
			assert.Equal(t, http.StatusServiceUnavailable, r.Status, r.Raw)
			assert.Equal(t, "unavailable", r.JSON["code"])
		}
		ana.Get(path("patients", patient)).Expect(http.StatusOK) // readers do not wait
		require.NoError(t, tx.Rollback())
		assert.Equal(t, before, api.contents())
		ana.Patch(path("patients", patient), object{"name": "Paula"}).Expect(http.StatusOK)
	}, func(cfg *config.Config) { cfg.RequestTimeout = 400 * time.Millisecond })
}

func TestAPanicIsAServerErrorWithoutDetails(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	handler, err := routes.New(baseConfig("sqlite:"+sqliteFile), &models.DB{}, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	s := httptest.NewServer(handler)
	defer s.Close()
	api := &API{t: t, URL: s.URL, Log: log}
	for i := range 2 { // it goes on serving
		r := api.Nobody().Get("/readyz").Expect(http.StatusInternalServerError)
		assert.Equal(t, "error", r.JSON["code"])
		assert.Equal(t, "A server error occurred.", r.JSON["detail"])
		line := log.lines(t, i+1)[i]
		assert.Contains(t, line, "level=ERROR")
		assert.Contains(t, line, "nil pointer")
		assert.Contains(t, line, "controllers/health.go") // where it happened
		assert.Contains(t, line, "request_id="+r.Header.Get("X-Request-ID"))
	}
}

func TestAnUnknownErrorIsAServerErrorWithoutDetails(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		api.exec("ALTER TABLE patients RENAME TO elsewhere")
		for _, r := range []*Response{ana.Get("/api/patients/"), ana.Post("/api/patients/", object{"name": marker})} {
			assert.Equal(t, http.StatusInternalServerError, r.Status)
			assert.Equal(t, "A server error occurred.", r.JSON["detail"])
			absent(t, r.Raw, "patients", "relation", "table")
		}
		assert.Contains(t, api.Log.String(), "level=ERROR")
		absent(t, api.Log.String(), marker)
	})
}
