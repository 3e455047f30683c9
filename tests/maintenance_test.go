package tests

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
)

func TestABackupIsMadeCheckedAndRestoredFromTheCommandLine(t *testing.T) {
	t.Parallel()
	for name, databases := range map[string]func(*testing.T) (full, empty string){
		"sqlite":   func(t *testing.T) (string, string) { return freshSQLite(t), "sqlite:" + t.TempDir() + "/restored.db" },
		"postgres": func(t *testing.T) (string, string) { return freshPostgres(t), freshPostgresFrom(t, "template0") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full, empty := databases(t)
			api := start(t, baseConfig(full))
			ana := api.User("ana")
			ana.Post("/api/patients/", object{"name": "Petra"}).Expect(http.StatusCreated)
			ana.Get("/api/patients/").Expect(http.StatusOK)
			file := filepath.Join(t.TempDir(), "clinic.backup")

			code, says := api.cli("", "backup", file)
			require.Zero(t, code, says)
			assert.Regexp(t, `^Backup made .* UTC: [1-9]\d* rows\.\n$`, says)
			info, err := os.Stat(file)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			code, says = api.cli("", "backup", file)
			assert.Equal(t, 1, code)
			assert.Contains(t, says, "exists already")
			code, says = api.cli("", "backup", "--check", file)
			require.Zero(t, code, says)
			assert.Contains(t, says, "all as they were")
			code, says = api.cli("", "restore", file)
			assert.Equal(t, 1, code)
			assert.Contains(t, says, "not empty")

			other := &API{t: t, Config: baseConfig(empty)}
			code, says = other.cli("", "restore", file)
			require.Zero(t, code, says)
			code, says = other.cli("", "audit", "verify")
			require.Zero(t, code, says)
			assert.Contains(t, says, "sealed and unchanged: ")
			restored := start(t, other.Config)
			assert.Equal(t, []any{"Petra"}, ana.At(restored).Get("/api/patients/").Expect(http.StatusOK).Column("name"))
		})
	}
}

func TestABrokenAuditTrailIsNamedOnTheCommandLine(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana").Post("/api/patients/", object{"name": "Petra"}).Expect(http.StatusCreated)
		require.NoError(t, api.DB.SealAll(t.Context()))
		code, says := api.cli("", "audit", "verify")
		require.Zero(t, code, says)
		assert.Contains(t, says, "Events sealed and unchanged: 1 ")
		if api.Config.Database.Postgres != "" {
			api.exec("DROP TRIGGER events_append_only ON events")
		} else {
			api.exec("DROP TRIGGER events_no_update")
		}
		api.exec("UPDATE events SET address = '192.0.2.1' WHERE id = 1")
		code, says = api.cli("", "audit", "verify")
		assert.Equal(t, 1, code)
		assert.Equal(t, "healthcare: THE AUDIT TRAIL IS BROKEN: event 1 was changed\n", says)
	})
}

func TestACommandTellsAWrongConfiguration(t *testing.T) {
	t.Parallel()
	api := &API{t: t, Config: &config.Config{Database: config.Database{SQLite: t.TempDir() + "/none/x.db"}, JWTSecret: secret}}
	for _, args := range [][]string{{"backup", "x"}, {"restore", "x"}, {"audit", "verify"}, {"demo"}, {}} {
		code, says := api.cli("", args...)
		assert.Equal(t, 2, code)
		assert.Contains(t, says, "DATABASE_URL: the folder of the sqlite file does not exist")
	}
}
