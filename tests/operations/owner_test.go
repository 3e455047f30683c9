//go:build !windows

package operations

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

// nobody is a user who is not root.
const nobody = 65534

// assertNobodys asserts that everything in a folder is the one's whose folder it is.
func assertNobodys(t *testing.T, dir string, after ...string) {
	t.Helper()
	for _, name := range files(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.EqualValues(t, nobody, info.Sys().(*syscall.Stat_t).Uid, "%s after %s", name, after)
	}
}

func TestWhatRootDoesLeavesTheServersFilesToTheServer(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to others")
	}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "backup.zip")
	require.NoError(t, os.Chown(dir, nobody, nobody))
	run := func(database string, args ...string) {
		api := &kit.API{T: t, Config: &config.Config{Database: config.Database{SQLite: filepath.Join(dir, database)}}}
		code, out := api.RunCommand("", args...)
		require.Zero(t, code, out)
		assertNobodys(t, dir, args...)
	}
	run("clinic.db", "demo")
	run("clinic.db", "createuser", "ben", "ben@example.org")
	run("clinic.db", "audit", "rotate-key")
	run("clinic.db", "audit", "verify")
	run("clinic.db", "backup", file)
	run("restored.db", "restore", file)
	run("clinic.db", "move", "--to", "sqlite:"+filepath.Join(dir, "moved.db"))
	assert.Subset(t, files(t, dir), []string{"clinic.db", "clinic.db.audit-keys", "clinic.db.seal", "clinic.db.secret", "restored.db", "moved.db"})

	cfg, err := config.Load([]string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "clinic.db")}, os.DevNull)
	require.NoError(t, err)
	require.NoError(t, cfg.KeepSecret())
	db, err := models.Open(t.Context(), cfg)
	require.NoError(t, err)
	assertNobodys(t, dir, "while it is open")
	assert.Subset(t, files(t, dir), []string{"clinic.db-shm", "clinic.db-wal", "clinic.db.lock"})
	require.NoError(t, db.Close())
}
