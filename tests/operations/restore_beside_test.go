package operations

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/backup"
	"healthcare/models"
	"healthcare/tests/kit"
)

// serving runs the program on an SQLite file that it makes, and tells what it listens as.
func serving(t *testing.T, path string) (*kit.Process, *kit.API) {
	t.Helper()
	p := kit.Launch(t, filepath.Dir(path), nil, "DATABASE_URL=sqlite:"+path)
	api := p.Serving()
	return p, api
}

// backupFile is a backup with one patient in it.
func backupFile(t *testing.T) string {
	t.Helper()
	api := kit.Start(t, migrating(kit.FreshSQLite(t)))
	api.User("ana").Patient("Restored")
	file := filepath.Join(t.TempDir(), "backup.zip")
	backUp(api, file)
	return file
}

func TestARestoreRefusesAFileThatAServerRunsOn(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	file := backupFile(t)
	dir := t.TempDir()
	path, link := filepath.Join(dir, "clinic.db"), filepath.Join(t.TempDir(), "link.db")
	require.NoError(t, os.Symlink(path, link))
	first, api := serving(t, path)
	second, _ := serving(t, link) // several may share it
	eve := api.User("eve")
	for _, name := range []string{path, link} {
		code, _, says := kit.RunProgram(t, dir, []string{"restore", file}, "DATABASE_URL=sqlite:"+name)
		assert.Equal(t, 1, code)
		assert.Equal(t, "Using SQLite, file "+name+"\nhealthcare: "+path+" is in use: stop the server, and what else has it open\n", says)
	}
	code, _, says := kit.RunProgram(t, dir, []string{"audit", "verify"}, "DATABASE_URL=sqlite:"+path) // commands go on
	require.Zero(t, code, says)
	code, _, says = kit.RunProgram(t, dir, []string{"backup", filepath.Join(dir, "beside.zip")}, "DATABASE_URL=sqlite:"+path)
	require.Zero(t, code, says)
	eve.Patient("Acknowledged")

	require.NoError(t, first.Cmd.Process.Kill())
	first.ExitCode()
	code, _, says = kit.RunProgram(t, dir, []string{"restore", file}, "DATABASE_URL=sqlite:"+path)
	assert.Equal(t, 1, code, "the second still runs")
	assert.Contains(t, says, "is in use")
	require.NoError(t, second.Cmd.Process.Kill())
	second.ExitCode()
	code, _, says = kit.RunProgram(t, dir, []string{"restore", file}, "DATABASE_URL=sqlite:"+path)
	assert.Equal(t, 1, code)
	assert.Contains(t, says, "not empty", "nothing holds the lock any more")
	require.NoError(t, os.Remove(path))
	code, _, says = kit.RunProgram(t, dir, []string{"restore", file}, "DATABASE_URL=sqlite:"+link)
	require.Zero(t, code, says)
	target, err := os.Readlink(link)
	require.NoError(t, err)
	assert.Equal(t, path, target, "the link stays one")
	assert.NoFileExists(t, path+".lock")
	there := &kit.API{T: t, Config: kit.BaseConfig("sqlite:" + path)}
	assert.Equal(t, []string{"Restored"}, there.Rows("SELECT name FROM patients"))
}

// A server that has begun on a file that was removed would lose what it writes from then on.
func TestARestoreRefusesTheFileOfAServerThatWasRemoved(t *testing.T) {
	t.Parallel()
	file := backupFile(t)
	path := filepath.Join(t.TempDir(), "clinic.db")
	_, api := serving(t, path)
	api.User("eve")
	require.NoError(t, os.Remove(path))
	code, _, says := kit.RunProgram(t, filepath.Dir(path), []string{"restore", file}, "DATABASE_URL=sqlite:"+path)
	assert.Equal(t, 1, code)
	assert.Contains(t, says, "is in use")
	assert.NoFileExists(t, path)
}

func TestNobodyOpensAFileThatIsBeingRestored(t *testing.T) {
	t.Parallel()
	file := backupFile(t)
	target := kit.BaseConfig("sqlite:" + filepath.Join(t.TempDir(), "clinic.db"))
	asked := false
	_, err := backup.Restore(t.Context(), target, file, func(done, of int64) {
		if done == of {
			asked = true
			_, err := models.Open(t.Context(), target)
			assert.ErrorContains(t, err, "is being restored")
			_, err = backup.Restore(t.Context(), target, file, silent)
			assert.ErrorContains(t, err, "is in use")
		}
	})
	require.NoError(t, err)
	require.True(t, asked)
	assert.Equal(t, []string{"clinic.db"}, leftIn(&kit.API{T: t, Config: target}))
	assert.Len(t, kit.Start(t, target).Rows("SELECT name FROM patients"), 1)
}

// What does not know of our lock has SQLite's own.
func TestARestoreRefusesAFileThatAnotherProgramHasOpen(t *testing.T) {
	t.Parallel()
	file := backupFile(t)
	other := &kit.API{T: t, Config: kit.BaseConfig("sqlite:" + filepath.Join(t.TempDir(), "clinic.db"))}
	other.Exec("PRAGMA journal_mode=WAL")
	other.Exec("CREATE TABLE x (y)")
	other.Exec("DROP TABLE x")
	code, says := other.RunCommand("", "restore", file)
	assert.Equal(t, 1, code)
	assert.Contains(t, says, "in use by another program")
	require.NoError(t, other.SQL().Close())
	code, says = other.RunCommand("", "restore", file)
	require.Zero(t, code, says)
}

func TestAnInstanceIsNotReadyWhenItsFileIsAnother(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"replaced": func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path+".new", content, 0o600))
			require.NoError(t, os.Rename(path+".new", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := kit.Start(t, migrating(kit.FreshSQLite(t)))
			path := api.Config.Database.SQLite
			api.Nobody().Get("/readyz").Expect(http.StatusOK)
			require.NoError(t, os.Rename(path, path+".old"))
			require.NoError(t, os.Rename(path+".old", path)) // the same file again
			require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(0, 0)))
			api.Nobody().Get("/readyz").Expect(http.StatusOK)
			change(t, path)
			r := api.Nobody().Get("/readyz").Expect(http.StatusServiceUnavailable)
			assert.Equal(t, "unavailable", r.JSON["code"])
			assert.Equal(t, "The database's file has been replaced or removed. The server must be restarted.", r.JSON["detail"])
			api.Nobody().Get("/healthz").Expect(http.StatusOK)
		})
	}
}
