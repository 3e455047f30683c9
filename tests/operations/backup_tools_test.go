package operations

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/backup"
	"healthcare/tests/kit"
)

func TestABackupOfSQLiteIsForBothAndOneOfPostgreSQLIsToldInWords(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	files := map[string]string{}
	apis := map[string]*kit.API{}
	for kind, fresh := range kit.Fresh {
		apis[kind] = kit.Start(t, migrating(fresh(t)))
		files[kind] = filepath.Join(t.TempDir(), "backup.zip")
		backUp(apis[kind], files[kind])
	}
	for _, do := range []func(api *kit.API, file string) error{
		func(api *kit.API, file string) error {
			_, err := backup.Check(t.Context(), api.Config, file, silent)
			return err
		},
		func(api *kit.API, file string) error {
			_, err := backup.Restore(t.Context(), elsewhere(api).Config, file, silent)
			return err
		},
	} {
		require.NoError(t, do(apis["postgres"], files["sqlite"]))
		require.ErrorContains(t, do(apis["sqlite"], files["postgres"]), "this is a backup of PostgreSQL")
	}
}

// The tools are looked for in PATH, and then where Debian puts them; a process of its own sees neither.
func TestMissingToolsAreToldInWords(t *testing.T) {
	kit.NeedSlow(t)
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
	api := kit.Start(t, migrating(kit.FreshPostgres(t)))
	_, err := backup.Create(t.Context(), api.Config, filepath.Join(t.TempDir(), "backup.zip"), silent)
	require.ErrorContains(t, err, "pg_dump is not installed")
	require.ErrorContains(t, err, "postgresql-client")
}

// spyOn puts a script in the place of one of PostgreSQL's tools; it gets dir as $DIR.
func spyOn(t *testing.T, tool, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/sh\nDIR="+dir+"\n"+script), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// Whoever can list processes must not read the database's password, wherever it was given.
func TestTheToolsGetThePasswordThroughTheirEnvironment(t *testing.T) {
	kit.NeedPostgres(t)
	dir := spyOn(t, "pg_dump", "echo \"$@\" > $DIR/args\necho \"$PGPASSWORD\" > $DIR/password\necho 'out of order' >&2\nexit 3\n")
	cfg := migrating(kit.FreshPostgres(t))
	u, err := url.Parse(cfg.Database.Postgres)
	require.NoError(t, err)
	if _, has := u.User.Password(); has {
		t.Skip("the server wants a password of its own")
	}
	passfile := filepath.Join(dir, "passfile")
	require.NoError(t, os.WriteFile(passfile, []byte("*:*:*:*:s3cret pass\n"), 0o600))
	with := func(name, value string) func(*url.URL) {
		return func(u *url.URL) { u.RawQuery += "&" + name + "=" + value }
	}
	for name, give := range map[string]func(*url.URL){
		"user info": func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "s3cret pass") },
		"parameter": with("password", "s3cret+pass"),
		"encoded":   with("pass%77ord", "s3cret%20pass"),
		"both": func(u *url.URL) {
			u.User = url.UserPassword(u.User.Username(), "s3cret no")
			with("password", "s3cret+pass")(u)
		},
		"passfile":        with("passfile", url.QueryEscape(passfile)),
		"the environment": func(*url.URL) { t.Setenv("PGPASSWORD", "s3cret pass") },
	} {
		t.Run(name, func(t *testing.T) {
			given := *u
			give(&given)
			cfg.Database.Postgres = given.String()
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
		})
	}
}

// DATABASE_URL is read by pgx; the tools read theirs with libpq, which knows other parameters.
func TestABackupUnderstandsEveryDatabaseURLThatTheServerDoes(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	api := kit.Start(t, migrating(kit.FreshPostgres(t)))
	api.User("ana").Patient("Petra")
	u, err := url.Parse(api.Config.Database.Postgres)
	require.NoError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	free, err := kit.FreePort()
	require.NoError(t, err)
	for what, change := range map[string]func(*url.URL){
		"pgx's own": func(u *url.URL) {
			u.RawQuery += "&default_query_exec_mode=exec&statement_cache_capacity=7&description_cache_capacity=7"
		},
		"settings": func(u *url.URL) { u.RawQuery += "&search_path=public&timezone=Asia/Tokyo&lock_timeout=9000" },
		"libpq's": func(u *url.URL) {
			u.RawQuery += "&target_session_attrs=read-write&connect_timeout=5&application_name=x&channel_binding=prefer"
		},
		"newer than some libpq": func(u *url.URL) { u.RawQuery += "&min_protocol_version=3.0" },
		"options":               func(u *url.URL) { u.RawQuery += "&options=-c%20work_mem%3D8MB" },
		"several hosts":         func(u *url.URL) { u.Host = fmt.Sprintf("127.0.0.1:%d,%s", free, u.Host) },
		"dbname":                func(u *url.URL) { u.Path, u.RawQuery = "/none", u.RawQuery+"&dbname="+name },
		"database":              func(u *url.URL) { u.Path, u.RawQuery = "", u.RawQuery+"&database="+name },
		"host and user": func(u *url.URL) {
			u.RawQuery += "&host=" + u.Hostname() + "&port=" + u.Port() + "&user=" + u.User.Username()
			u.Host, u.User = "", nil
		},
	} {
		given := *u
		change(&given)
		other := &kit.API{T: t, Config: kit.BaseConfig(given.String())}
		file := filepath.Join(t.TempDir(), "backup.zip")
		for _, args := range [][]string{{"backup", file}, {"backup", "--check", file}} {
			code, says := other.RunCommand("", args...)
			assert.Zero(t, code, "%s: %s", what, says)
			assert.Regexp(t, "[1-9] rows", says, what)
		}
		code, says := other.RunCommand("", "restore", file)
		assert.Equal(t, 1, code, what)
		assert.Contains(t, says, "not empty", what)
	}
	assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients"))
}

// pg_restore's script ends early when it is killed or meets damage, and hangs when its disk does.
func TestADumpThatEndsHalfWayLeavesNothing(t *testing.T) {
	kit.NeedSlow(t)
	kit.NeedPostgres(t)
	api := kit.Start(t, migrating(kit.FreshPostgres(t)))
	api.User("ana")
	file := filepath.Join(t.TempDir(), "backup.zip")
	backUp(api, file)
	target := elsewhere(api)
	begin := "echo 'CREATE TABLE users (id int);'\n"
	for script, says := range map[string]string{
		begin + "echo 'input file is damaged' >&2; exit 1":                                            "input file is damaged",
		begin + "printf 'COPY users (id) FROM stdin;\\n1\\n'; exit 1":                                 "unexpected EOF",
		begin + "echo 'CREATE TABLE users (id int);'; echo 'COPY users (id) FROM stdin;'; exec yes 1": "already exists",
		begin + "printf 'COPY users (id) FROM stdin;\\n1\\n'":                                         "unexpected EOF",
		begin + ": > $DIR/begun; exec sleep 60":                                                       "context canceled",
		begin + "echo 'COPY users (id) FROM stdin;'; : > $DIR/begun; exec yes 1":                      "context canceled",
	} {
		dir := spyOn(t, "pg_restore", script)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
					time.Sleep(50 * time.Millisecond) // half-way
					cancel()
				}
				time.Sleep(time.Millisecond)
			}
		}()
		_, err := backup.Restore(ctx, target.Config, file, silent)
		cancel()
		require.ErrorContains(t, err, says)
		gone := func() bool { return len(leftIn(target)) == 0 }
		require.Eventually(t, gone, kit.WaitLimit, 10*time.Millisecond, says)
	}
}
