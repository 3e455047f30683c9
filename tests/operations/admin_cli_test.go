package operations

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestHelpListsEverySubcommand(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
	for _, args := range [][]string{{"help"}, {"--help"}} {
		code, out := api.RunCommand("", args...)
		assert.Equal(t, 0, code)
		for _, command := range []string{"audit", "backup", "changepassword", "createadmin", "createuser", "demo", "export", "help", "move", "restore"} {
			assert.Regexp(t, `(?m)^  `+command+` +\S`, out)
		}
	}
	for _, command := range []string{"createadmin", "changepassword"} {
		code, out := api.RunCommand("", "help", command)
		assert.Equal(t, 0, code)
		assert.Contains(t, out, "--password-stdin")
	}
	for _, wrong := range [][]string{
		{"createadmn"}, {"--wrong"}, {"createadmin", "--wrong"}, {"createadmin", "boss"}, {"changepassword"}, {"changepassword", "ana", "eve"},
	} {
		code, out := api.RunCommand("", wrong...)
		assert.Equal(t, 2, code, wrong)
		assert.NotEmpty(t, out, wrong)
	}
}

func TestCreateuserPrintsATokenOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		code, out := api.RunCommand("", "createuser", "Cem", "cem@example.org", "--first-name", "Cem")
		assert.Equal(t, 0, code, out)
		assert.Contains(t, out, "72 hours")
		token := regexp.MustCompile(`(?m)^[A-Z2-7]{52}$`).FindString(out)
		api.Nobody().Post("/api/auth/accept/", kit.Object{"token": token, "password": kit.Password}).Expect(http.StatusNoContent)
		user := api.TryLogin("cem", kit.Password).Expect(http.StatusOK).JSON["user"].(kit.Object)
		assert.Equal(t, []any{false, "Cem"}, []any{user["is_staff"], user["first_name"]})
		code, out = api.RunCommand("", "createuser", "cem", "CEM@example.org")
		assert.Equal(t, 1, code)
		assert.Contains(t, out, "username: A user with that username already exists.")
		assert.Contains(t, out, "email: A user with that email already exists.")
	})
}

func TestCreateadminOpensAStaffAccount(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		code, out := api.RunCommand(kit.Password+"\nmore\n", "createadmin", "--username", "Boss", "--email", "boss@example.org", "--password-stdin")
		assert.Equal(t, 0, code, out)
		assert.Equal(t, "Using "+api.Config.Database.String()+"\nStaff account Boss created.\n", out)
		assert.Contains(t, api.Text("SELECT password_hash FROM users"), "$m=19456,t=2,p=1$")
		boss := api.Nobody()
		boss.Name = "boss"
		assert.Equal(t, true, boss.Login().JSON["user"].(kit.Object)["is_staff"])
		boss.Get("/api/users/").Expect(http.StatusOK)

		for name, c := range map[string]struct{ username, email, password, says string }{
			"taken name":     {"BOSS", "b@example.org", kit.Password, "username: A user with that username already exists."},
			"taken email":    {"chief", "BOSS@example.org", kit.Password, "email: A user with that email already exists."},
			"weak password":  {"chief", "b@example.org", "12345678", "password: This password is too common. This password is entirely numeric."},
			"no password":    {"chief", "b@example.org", "", "password: This field may not be blank."},
			"wrong username": {"a@b", "b@example.org", kit.Password, "username: Enter a valid username"},
			"no email":       {"chief", "", kit.Password, "email: "},
		} {
			code, out := api.RunCommand(c.password+"\n", "createadmin", "--username", c.username, "--email", c.email, "--password-stdin")
			assert.Equal(t, 1, code, name)
			assert.Contains(t, out, c.says, name)
			assert.NotContains(t, out, kit.Password, name)
		}
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users"))
	})
}

func TestChangepasswordSetsItEndsTheSessionsAndLiftsTheLocks(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("Ana").Session(), api.User("eve")
		api.FailLogins(5, "ana")
		api.FailLogins(1, "eve")
		code, out := api.RunCommand(kit.NewPassword+"\r\n", "changepassword", "ANA", "--password-stdin")
		assert.Equal(t, 0, code, out)
		assert.Contains(t, out, "its sessions have ended")
		ana.AssertOut()
		eve.AssertIn()
		api.TryLogin("ana", kit.NewPassword).Expect(http.StatusOK)
		assert.Equal(t, 1, api.Failures())

		for name, c := range map[string]struct{ username, password, says string }{
			"unknown": {"nobody", kit.Password, "there is no account of that name"},
			"weak":    {"ana", "short", "too short"},
			"similar": {"ana", "ana@example.org", "too similar to the email address"},
		} {
			code, out := api.RunCommand(c.password+"\n", "changepassword", c.username, "--password-stdin")
			assert.Equal(t, 1, code, name)
			assert.Contains(t, out, c.says, name)
		}
		api.TryLogin("ana", kit.NewPassword).Expect(http.StatusOK)
	})
}

func TestWithoutATerminalThePasswordComesFromStdinOnly(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
	code, out := api.RunCommand(kit.Password+"\n", "createadmin", "--username", "boss", "--email", "boss@example.org")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "--password-stdin")
	assert.Equal(t, 0, api.Count("SELECT count(*) FROM users"))
}
