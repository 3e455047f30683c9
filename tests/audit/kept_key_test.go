package audit

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

func TestTheEmbeddedDatabaseKeepsItsKeysBesideIt(t *testing.T) {
	t.Parallel()
	cfg := change(kit.BaseConfig(kit.FreshSQLite(t)), func(cfg *config.Config) { cfg.AuditKey = "" })
	file := cfg.Database.SQLite + ".audit-keys"
	var instances sync.WaitGroup
	for range 4 { // all use the same key
		instances.Go(func() {
			db, err := models.Open(context.Background(), cfg)
			if assert.NoError(t, err) {
				assert.NoError(t, db.Close())
			}
		})
	}
	instances.Wait()
	api := kit.Start(t, cfg)
	ana := sealed(api)
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	kit.Absent(t, string(first), string(cfg.JWTSecret))

	var rotations sync.WaitGroup
	for range 3 { // one after the other
		rotations.Go(func() {
			code, out := api.RunCommand("", "audit", "rotate-key")
			assert.Zero(t, code, out)
			assert.Contains(t, out, "The keys are in "+file)
		})
	}
	rotations.Wait()
	proved(api, "unchanged: 12 ")
	assert.Equal(t, 3, api.Count("SELECT count(*) FROM seals WHERE next_key_id <> ''"))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	left, err := filepath.Glob(file + ".*")
	require.NoError(t, err)
	assert.Empty(t, left)
	ana.Patient("not sealed by a server that has the first key")
	require.ErrorContains(t, api.DB.SealAll(t.Context()), "start this one")

	require.NoError(t, os.Rename(file, file+".away"))
	refused(api, "The file "+file+" is not there: if it was, put it back", "audit", "verify")
	refused(api, "put it back", "audit", "rotate-key")
	assert.NoFileExists(t, file)
	require.NoError(t, os.WriteFile(file, []byte(`{"newest": ""}`), 0o600))
	refused(api, "does not hold the keys of the audit trail", "audit", "verify")
	require.NoError(t, os.Remove(file))
	code, out := api.RunCommand("", "audit", "rotate-key", "--old-key-lost")
	require.Zero(t, code, out)
	proved(api, "unchanged: 14 ")
	require.NoError(t, os.Rename(file+".away", file))
	refused(api, "is sealed with the key ", "audit", "verify")
}

func TestAKeptKeyGoesOverToAnAuditKeyThatIsSet(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, change(kit.BaseConfig(kit.FreshSQLite(t)), func(cfg *config.Config) { cfg.AuditKey = "" }))
	sealed(api)
	set := at(api, func(cfg *config.Config) { cfg.AuditKey = newKey })
	refused(set, "has not gone over", "audit", "verify")
	code, out := set.RunCommand("", "audit", "rotate-key")
	require.Zero(t, code, out)
	proved(set, "unchanged: 10 ")
	kit.Absent(t, out, newKey)
	refused(api, "AUDIT_KEY", "audit", "verify")
}
