package operations

import (
	"database/sql"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// onAnExisting are the commands that work on a database that is there.
var onAnExisting = [][]string{
	{"createadmin", "--username", "boss", "--email", "boss@example.org", "--password-stdin"}, {"changepassword", "ana", "--password-stdin"},
	{"backup", "made.zip"}, {"backup", "--force", "made.zip"}, {"audit", "verify"}, {"audit", "rotate-key"}, {"audit", "rotate-key", "--old-key-lost"},
}

// files are the names of what is in a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestACommandInTheWrongFolderMakesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range onAnExisting {
		code, stdout, says := kit.RunProgram(t, dir, args)
		assert.Equal(t, 1, code, args)
		assert.Empty(t, stdout, args)
		assert.Contains(t, says, "there is no database: SQLite, file "+filepath.Join(dir, "healthcare.db")+" does not exist.", args)
		assert.Contains(t, says, "DATABASE_URL=sqlite:/path/to/healthcare.db", args)
		kit.Absent(t, says, "Using")
	}
	assert.Empty(t, files(t, dir))
}

func TestACommandLeavesTheFilesOfOthersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("empty.db", "")
	write("text.db", "This is no database, but a text of some length, longer than a header of SQLite's is, which has a hundred bytes.")
	other, err := sql.Open("sqlite", filepath.Join(dir, "other.db"))
	require.NoError(t, err)
	_, err = other.Exec("CREATE TABLE users (id integer)")
	require.NoError(t, err)
	require.NoError(t, other.Close())
	before := files(t, dir)
	const noTables = "does not hold this program's tables"
	for name, says := range map[string]string{"empty.db": noTables, "text.db": "is not a database", "other.db": noTables} {
		path := filepath.Join(dir, name)
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		commands := onAnExisting
		if name != "empty.db" {
			commands = append([][]string{{}, {"demo"}}, commands...)
		}
		for _, args := range commands {
			code, _, stderr := kit.RunProgram(t, dir, args, "DATABASE_URL=sqlite:"+path)
			assert.Equal(t, 1, code, "%s: %s", args, name)
			assert.Contains(t, stderr, path+" "+says, args)
		}
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, kept, now, name)
	}
	assert.Equal(t, before, files(t, dir))
	kit.Launch(t, dir, nil, "DATABASE_URL=sqlite:"+filepath.Join(dir, "empty.db")).Serving().User("ana") // an empty one may be made one
}

func TestACommandOnAnEmptyPostgresMakesNothing(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	address := kit.FreshPostgresFrom(t, "")
	api := &kit.API{T: t, Config: kit.BaseConfig(address)}
	for _, args := range onAnExisting {
		code, _, says := kit.RunProgram(t, t.TempDir(), args, "DATABASE_URL="+address, "JWT_SECRET="+secret, "AUDIT_KEY="+secret)
		assert.Equal(t, 1, code, args)
		assert.Contains(t, says, api.Config.Database.String()+" does not hold this program's tables", args)
	}
	assert.Zero(t, api.Count("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
	code, says := api.RunCommand("", "demo")
	require.Zero(t, code, says)
	assert.Contains(t, says, "Using "+api.Config.Database.String()+"\n")
}

func TestABackupIsCheckedWithoutADatabase(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
	api.User("ana").Patient("Petra")
	dir := t.TempDir()
	file := filepath.Join(dir, "made.zip")
	code, says := api.RunCommand("", "backup", file)
	require.Zero(t, code, says)
	code, _, stderr := kit.RunProgram(t, dir, []string{"backup", "--check", file})
	require.Zero(t, code, stderr)
	kit.Absent(t, stderr, "Using")
	assert.Equal(t, []string{"made.zip"}, files(t, dir))
	code, _, stderr = kit.RunProgram(t, dir, []string{"restore", file}) // makes one, but no secrets, which are to be put back
	require.Zero(t, code, stderr)
	assert.Contains(t, stderr, "Using SQLite, file "+filepath.Join(dir, "healthcare.db")+"\n")
	assert.Equal(t, []string{"healthcare.db", "made.zip"}, files(t, dir))
}

func TestALostSecretIsToldAndNotReplaced(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "healthcare.db.secret")
	p := kit.Launch(t, dir, nil)
	ana := p.Serving().User("ana")
	require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, p.ExitCode())
	require.NoError(t, os.Rename(file, file+".away"))
	before := files(t, dir)
	for _, args := range [][]string{{}, {"demo", "--force"}, {"audit", "verify"}, {"changepassword", "ana", "--password-stdin"}} {
		code, _, stderr := kit.RunProgram(t, dir, args)
		assert.Equal(t, 2, code, args)
		assert.Contains(t, stderr, "JWT_SECRET: not set, and its file "+file+" is gone", args)
		assert.Contains(t, stderr, "openssl rand -base64 48 > "+file, args)
	}
	assert.Equal(t, before, files(t, dir))
	require.NoError(t, os.Rename(file+".away", file))
	ana.At(kit.Launch(t, dir, nil).Serving()).AssertIn()
}

func TestABackupReplacesABackupOnlyWhenToldTo(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		dir := t.TempDir()
		file := filepath.Join(dir, "clinic.zip")
		backUp := func(code int, says string, args ...string) {
			got, out := api.RunCommand("", append([]string{"backup"}, args...)...)
			assert.Equal(t, code, got, out)
			assert.Contains(t, out, says)
		}
		backUp(0, "Backup made", "--force", file)
		first, err := os.ReadFile(file)
		require.NoError(t, err)
		ana.Patient("Petra")
		backUp(1, file+" exists already; give the backup another name, or --force to replace that one", file)
		backUp(1, "none of the others can be", "--force", "--check", file)
		away := &kit.API{T: t, Config: change(api.Config, func(cfg *config.Config) { cfg.Database.SQLite, cfg.Database.Postgres, cfg.Migrated = file, "", false })}
		code, says := away.RunCommand("", "backup", "--force", file) // which fails
		assert.Equal(t, 1, code, says)
		now, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, first, now)

		backUp(0, "Backup made", "--force", file)
		now, err = os.ReadFile(file)
		require.NoError(t, err)
		assert.NotEqual(t, first, now)
		backUp(0, "all as they were", "--check", file)
		assert.Equal(t, []string{"clinic.zip"}, files(t, dir))

		text := filepath.Join(t.TempDir(), "healthcare.db")
		require.NoError(t, os.WriteFile(text, []byte("not a backup"), 0o600))
		backUp(1, text+" exists and is no backup, so it is not replaced", "--force", text)
		kept, err := os.ReadFile(text)
		require.NoError(t, err)
		assert.Equal(t, "not a backup", string(kept))
	})
}

// change is the configuration with something else in it.
func change(cfg *config.Config, with func(*config.Config)) *config.Config {
	other := *cfg
	with(&other)
	return &other
}
