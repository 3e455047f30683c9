package tests

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/commands"
)

// environ configures the program to use the instance's database.
func (api *API) environ() []string {
	database := api.Config.Database.Postgres
	if database == "" {
		database = "sqlite:" + api.Config.Database.SQLite
	}
	return []string{"DATABASE_URL=" + database, "JWT_SECRET=" + string([]byte(api.Config.JWTSecret))}
}

// cli runs a command on the instance's database and returns its exit code and what it printed.
func (api *API) cli(stdin string, args ...string) (code int, printed string) {
	var out logBuffer
	return api.command(api.t.Context(), strings.NewReader(stdin), &out, args...), out.String()
}

func (api *API) command(ctx context.Context, in io.Reader, out io.Writer, args ...string) (code int) {
	program := commands.Program{Environ: api.environ(), Dotenv: os.DevNull, In: in, Out: out, Err: out}
	return program.Run(ctx, args, nil) // never serves
}

func TestHelpListsEverySubcommand(t *testing.T) {
	t.Parallel()
	api := start(t, baseConfig(freshSQLite(t)))
	for _, args := range [][]string{{"help"}, {"--help"}} {
		code, out := api.cli("", args...)
		assert.Equal(t, 0, code)
		for _, command := range []string{"audit", "backup", "changepassword", "createadmin", "demo", "help", "restore"} {
			assert.Regexp(t, `(?m)^  `+command+` +\S`, out)
		}
	}
	for _, command := range []string{"createadmin", "changepassword"} {
		code, out := api.cli("", "help", command)
		assert.Equal(t, 0, code)
		assert.Contains(t, out, "--password-stdin")
	}
	for _, wrong := range [][]string{
		{"createadmn"}, {"--wrong"}, {"createadmin", "--wrong"}, {"createadmin", "boss"}, {"changepassword"}, {"changepassword", "ana", "eve"},
	} {
		code, out := api.cli("", wrong...)
		assert.Equal(t, 2, code, wrong)
		assert.NotEmpty(t, out, wrong)
	}
}

func TestCreateadminOpensAStaffAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		code, out := api.cli(password+"\nmore\n", "createadmin", "--username", "Boss", "--email", "boss@example.org", "--password-stdin")
		assert.Equal(t, 0, code, out)
		assert.Equal(t, "Staff account Boss created.\n", out)
		assert.Contains(t, oneText(api, "SELECT password_hash FROM users"), "$m=19456,t=2,p=1$")
		boss := api.Nobody()
		boss.Name = "boss"
		assert.Equal(t, true, boss.Login().JSON["user"].(doc)["is_staff"])
		boss.Get("/api/users/").Expect(http.StatusOK)

		for name, c := range map[string]struct{ username, email, password, says string }{
			"taken name":     {"BOSS", "b@example.org", password, "username: A user with that username already exists."},
			"taken email":    {"chief", "BOSS@example.org", password, "email: A user with that email already exists."},
			"weak password":  {"chief", "b@example.org", "12345678", "password: This password is too common. This password is entirely numeric."},
			"no password":    {"chief", "b@example.org", "", "password: This field may not be blank."},
			"wrong username": {"a@b", "b@example.org", password, "username: Enter a valid username"},
			"no email":       {"chief", "", password, "email: "},
		} {
			code, out := api.cli(c.password+"\n", "createadmin", "--username", c.username, "--email", c.email, "--password-stdin")
			assert.Equal(t, 1, code, name)
			assert.Contains(t, out, c.says, name)
			assert.NotContains(t, out, password, name)
		}
		assert.Equal(t, 1, api.count("SELECT count(*) FROM users"))
	})
}

func TestChangepasswordSetsItEndsTheSessionsAndLiftsTheLocks(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, eve := api.User("Ana").Session(), api.User("eve")
		api.fail(5, "ana")
		api.fail(1, "eve")
		code, out := api.cli(newPassword+"\r\n", "changepassword", "ANA", "--password-stdin")
		assert.Equal(t, 0, code, out)
		assert.Contains(t, out, "its sessions have ended")
		ana.assertOut()
		eve.assertIn()
		api.tryLogin("ana", newPassword).Expect(http.StatusOK)
		assert.Equal(t, 1, api.failures())

		for name, c := range map[string]struct{ username, password, says string }{
			"unknown": {"nobody", password, "there is no account of that name"},
			"weak":    {"ana", "short", "too short"},
			"similar": {"ana", "ana@example.org", "too similar to the email address"},
		} {
			code, out := api.cli(c.password+"\n", "changepassword", c.username, "--password-stdin")
			assert.Equal(t, 1, code, name)
			assert.Contains(t, out, c.says, name)
		}
		api.tryLogin("ana", newPassword).Expect(http.StatusOK)
	})
}

func TestWithoutATerminalThePasswordComesFromStdinOnly(t *testing.T) {
	t.Parallel()
	api := start(t, baseConfig(freshSQLite(t)))
	code, out := api.cli(password+"\n", "createadmin", "--username", "boss", "--email", "boss@example.org")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "--password-stdin")
	assert.Equal(t, 0, api.count("SELECT count(*) FROM users"))
}
