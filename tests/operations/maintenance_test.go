package operations

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

func TestABackupIsMadeCheckedAndRestoredFromTheCommandLine(t *testing.T) {
	t.Parallel()
	for name, databases := range map[string]func(*testing.T) (full, empty string){
		"sqlite": func(t *testing.T) (string, string) {
			return kit.FreshSQLite(t), "sqlite:" + t.TempDir() + "/restored.db"
		},
		"postgres": func(t *testing.T) (string, string) {
			return kit.FreshPostgres(t), kit.FreshPostgresFrom(t, "template0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full, empty := databases(t)
			api := kit.Start(t, migrating(full))
			ana := api.User("ana")
			ana.Post("/api/patients/", kit.Object{"name": "Petra"}).Expect(http.StatusCreated)
			ana.Get("/api/patients/").Expect(http.StatusOK)
			file := filepath.Join(t.TempDir(), "clinic.backup")

			code, says := api.RunCommand("", "backup", file)
			require.Zero(t, code, says)
			assert.Regexp(t, `^Using .*\nBackup made .* UTC: [1-9]\d* rows\.\n$`, says)
			info, err := os.Stat(file)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			code, says = api.RunCommand("", "backup", file)
			assert.Equal(t, 1, code)
			assert.Contains(t, says, "exists already")
			code, says = api.RunCommand("", "backup", "--check", file)
			require.Zero(t, code, says)
			assert.Contains(t, says, "all as they were")
			code, says = api.RunCommand("", "restore", file)
			assert.Equal(t, 1, code)
			assert.Regexp(t, "not empty|in use: stop the server", says)

			other := &kit.API{T: t, Config: kit.BaseConfig(empty)}
			code, says = other.RunCommand("", "restore", file)
			require.Zero(t, code, says)
			code, says = other.RunCommand("", "audit", "verify")
			require.Zero(t, code, says)
			assert.Contains(t, says, "sealed and unchanged: ")
			restored := kit.Start(t, other.Config)
			assert.Equal(t, []any{"Petra"}, ana.At(restored).Get("/api/patients/").Expect(http.StatusOK).Column("name"))
		})
	}
}

func TestABrokenAuditTrailIsNamedOnTheCommandLine(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana").Post("/api/patients/", kit.Object{"name": "Petra"}).Expect(http.StatusCreated)
		api.Seal()
		code, says := api.RunCommand("", "audit", "verify")
		require.Zero(t, code, says)
		assert.Contains(t, says, "Events sealed and unchanged: 1 ")
		if api.IsPostgres() {
			api.Exec("DROP TRIGGER events_append_only ON events")
		} else {
			api.Exec("DROP TRIGGER events_no_update")
		}
		api.Exec("UPDATE events SET address = '192.0.2.1' WHERE id = 1")
		code, says = api.RunCommand("", "audit", "verify")
		assert.Equal(t, 1, code)
		assert.Regexp(t, `^Using .*\nhealthcare: THE AUDIT TRAIL IS BROKEN: event 1 was changed\n$`, says)
	}, kit.MigrateAgain)
}

func TestACommandTellsAWrongConfiguration(t *testing.T) {
	t.Parallel()
	api := &kit.API{T: t, Config: &config.Config{Database: config.Database{SQLite: t.TempDir() + "/none/x.db"}, JWTSecret: secret}}
	for _, args := range [][]string{{"backup", "x"}, {"restore", "x"}, {"audit", "verify"}, {"demo"}, {}} {
		code, says := api.RunCommand("", args...)
		assert.Equal(t, 2, code)
		assert.Contains(t, says, "DATABASE_URL: the folder of the sqlite file does not exist")
	}
}
