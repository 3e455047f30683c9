package operations

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
