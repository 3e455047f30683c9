package operations

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/backup"
	"healthcare/tests/kit"
)

func TestABackupOfTheOtherDatabaseIsToldInWords(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	apis := map[string]*kit.API{}
	for kind, fresh := range kit.Fresh {
		apis[kind] = kit.Start(t, kit.BaseConfig(fresh(t)))
		files[kind] = filepath.Join(t.TempDir(), "backup.zip")
		backUp(apis[kind], files[kind])
	}
	for _, do := range []func(api *kit.API, file string) error{
		func(api *kit.API, file string) error {
			_, err := backup.Check(t.Context(), api.Config, file, silent)
			return err
		},
		func(api *kit.API, file string) error {
			_, err := backup.Restore(t.Context(), elsewhere(api), file, silent)
			return err
		},
	} {
		require.ErrorContains(t, do(apis["postgres"], files["sqlite"]), "this is a backup of SQLite")
		require.ErrorContains(t, do(apis["sqlite"], files["postgres"]), "this is a backup of PostgreSQL")
	}
}

// The tools are looked for in PATH, and then where Debian puts them; a process of its own sees neither.
func TestMissingToolsAreToldInWords(t *testing.T) {
	const debian = "/usr/lib/postgresql"
	if os.Getenv("CLINIC_TEST_TOOLS") == "" {
		t.Parallel()
		kit.NeedPostgres(t)
		args := []string{os.Args[0], "-test.run=^TestMissingToolsAreToldInWords$"}
		if _, err := os.Stat(debian); err == nil {
			if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
				t.Skipf("the installed tools cannot be hidden: %s", out)
			}
			args = append([]string{"unshare", "--mount", "/bin/sh", "-c", "/bin/mount -t tmpfs none " + debian + ` && exec "$@"`, "sh"}, args...)
		}
		program, err := exec.LookPath(args[0])
		require.NoError(t, err)
		cmd := exec.Command(program, args[1:]...)
		cmd.Env = append(os.Environ(), "CLINIC_TEST_TOOLS=none", "PATH=/nonexistent", "TEST_DATABASE_URL="+kit.Server.URL.String())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
	_, err := backup.Create(t.Context(), api.Config, filepath.Join(t.TempDir(), "backup.zip"), silent)
	require.ErrorContains(t, err, "pg_dump is not installed")
	require.ErrorContains(t, err, "postgresql-client")
}

// Whoever can list processes must not read the database's password.
func TestTheToolsGetThePasswordThroughTheirEnvironment(t *testing.T) {
	kit.NeedPostgres(t)
	dir := t.TempDir()
	spy := "#!/bin/sh\necho \"$@\" > " + dir + "/args\necho \"$PGPASSWORD\" > " + dir + "/password\necho 'out of order' >&2\nexit 3\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pg_dump"), []byte(spy), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	cfg := kit.BaseConfig(kit.FreshPostgres(t))
	u, err := url.Parse(cfg.Database.Postgres)
	require.NoError(t, err)
	if _, has := u.User.Password(); has {
		t.Skip("the server wants a password of its own")
	}
	u.User = url.UserPassword(u.User.Username(), "s3cret pass")
	cfg.Database.Postgres = u.String()
	_, err = backup.Create(t.Context(), cfg, filepath.Join(dir, "backup.zip"), silent)
	require.ErrorContains(t, err, "out of order")
	assert.NotContains(t, err.Error(), "s3cret")
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	require.NoError(t, err)
	assert.NotContains(t, string(args), "s3cret")
	password, err := os.ReadFile(filepath.Join(dir, "password"))
	require.NoError(t, err)
	assert.Equal(t, "s3cret pass\n", string(password))
	assert.NoFileExists(t, filepath.Join(dir, "backup.zip"))
}
