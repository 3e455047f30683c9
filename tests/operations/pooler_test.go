package operations

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

// tests/pgbouncer/run.sh runs this with a pooler between.
func TestThroughAPoolerMigrationsAndBackupsNeedTheServersOwnAddress(t *testing.T) {
	t.Parallel()
	kit.NeedPostgres(t)
	cfg := kit.BaseConfig(kit.FreshPostgres(t))
	if cfg.Database.Migration == "" {
		t.Skip("there is no pooler: TEST_POOLER is not set")
	}
	api := kit.Start(t, cfg)
	api.User("ana").Patient("Petra")
	file := t.TempDir() + "/backup.zip"
	code, out := api.RunCommand("", "backup", file)
	require.Zero(t, code, out)

	without := *cfg
	without.Database.Migration, without.Migrated = "", false
	_, err := models.Open(t.Context(), &without)
	require.ErrorContains(t, err, "set MIGRATION_DATABASE_URL")
	kit.Absent(t, err.Error(), "postgres://")
	code, out = (&kit.API{T: t, Config: &without}).RunCommand("", "backup", t.TempDir()+"/other.zip")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "set MIGRATION_DATABASE_URL")
}

func TestAMigrationAddressOfAnotherDatabaseIsRefused(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	kit.NeedPostgres(t)
	api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
	api.User("ana").Patient("Petra")
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.zip")
	code, out := api.RunCommand("", "backup", file)
	require.Zero(t, code, out)
	api.Stop()

	another := kit.BaseConfig(kit.FreshPostgresFrom(t, ""))
	other := &kit.API{T: t, Config: change(api.Config, func(cfg *config.Config) { cfg.Database.Migration, cfg.Migrated = another.Database.Direct(), false })}
	for _, args := range [][]string{
		{"backup", filepath.Join(dir, "made.zip")}, {"backup", "--check", file}, {"restore", file}, {"move", "--to", "sqlite:" + filepath.Join(dir, "moved.db")},
		{"audit", "verify"}, {"audit", "rotate-key"}, {"createuser", "ben", "ben@example.org"}, {"erase", "patient", "1", "--reason", "asked to", "--yes"},
	} {
		code, out := other.RunCommand("", args...)
		assert.Equal(t, 2, code, "%s: %s", args, out)
		assert.Contains(t, out, "MIGRATION_DATABASE_URL: names another database than DATABASE_URL", args)
		kit.Absent(t, out, "postgres://")
	}
	_, err := models.Open(t.Context(), other.Config)
	require.ErrorContains(t, err, "MIGRATION_DATABASE_URL: names another database")
	assert.Zero(t, (&kit.API{T: t, Config: another}).Count("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))

	itself := change(api.Config, func(cfg *config.Config) { cfg.Database.Migration, cfg.Migrated = cfg.Database.Direct(), false })
	db, err := models.Open(t.Context(), itself)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
