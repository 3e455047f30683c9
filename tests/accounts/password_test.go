package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

func TestANewPasswordEndsTheOtherSessions(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		here, there := ana.Session(), ana.Session()
		here.ChangePassword(kit.Password, kit.NewPassword).Expect(http.StatusNoContent)
		here.AssertIn()
		api.TryRefresh(here.Refresh).Expect(http.StatusOK)
		there.AssertOut()
		(&kit.Session{Client: ana, Refresh: there.Refresh}).AssertOut()
		eve.AssertIn()
		api.TryLogin("ana", kit.Password).Expect(http.StatusUnauthorized)
		api.TryLogin("ana", kit.NewPassword).Expect(http.StatusOK)
	})
}

func TestAWrongCurrentPasswordIsAFailedLogin(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana").Session()
		for range 5 {
			r := ana.ChangePassword("a wrong guess", kit.NewPassword).Expect(http.StatusBadRequest)
			assert.Equal(t, "invalid", r.JSON["code"])
			assert.Equal(t, "Your old password was entered incorrectly. Please enter it again.", r.Error("current_password"))
			assert.Len(t, r.JSON["errors"], 1)
		}
		assert.Equal(t, 5, api.Failures())
		assertLocked(t, ana.ChangePassword(kit.Password, kit.NewPassword), 15*60)
		assertLocked(t, api.TryLogin("ana", kit.Password), 15*60)
		ana.AssertIn()
		api.Exec("DELETE FROM login_failures")
		api.TryLogin("ana", kit.Password).Expect(http.StatusOK)
	})
}

func TestANewPasswordForgetsTheFailures(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		api.FailLogins(4, "ana")
		ana.ChangePassword(kit.Password, kit.NewPassword).Expect(http.StatusNoContent)
		assert.Equal(t, 0, api.Failures())
	})
}

func TestAllThatIsWrongWithAChangeOfPasswordIsToldAtOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		r := ana.ChangePassword("a wrong guess", "12345").Expect(http.StatusBadRequest)
		assert.Empty(t, r.Error("current_password"), "nothing is hashed for a new password that is refused anyway")
		assert.Contains(t, r.Error("new_password"), "too short")
		assert.Contains(t, r.Error("new_password"), "entirely numeric")
		assert.Equal(t, 0, api.Failures())
		assert.NotEmpty(t, ana.ChangePassword("a wrong guess", kit.NewPassword).Expect(http.StatusBadRequest).Error("current_password"))
		assert.Equal(t, 1, api.Failures())
		assert.Contains(t, ana.ChangePassword(kit.Password, "ana@example.org").Expect(http.StatusBadRequest).Error("new_password"), "too similar to the email address")

		r = ana.Post("/api/auth/password/", kit.Object{}).Expect(http.StatusBadRequest)
		assert.Equal(t, "This field is required.", r.Error("current_password"))
		assert.Equal(t, "This field is required.", r.Error("new_password"))
		r = ana.Post("/api/auth/password/", kit.Object{"current_password": kit.Password, "new_password": kit.NewPassword, "old_password": "x"}).Expect(http.StatusBadRequest)
		assert.NotEmpty(t, r.Error("old_password"))
		assert.Equal(t, 1, api.Failures(), "what compares no password counts none")
		ana.Login()
	})
}

func TestOfTwoChangesOfPasswordAtOnceOneCounts(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		sessions := []*kit.Session{ana.Session(), ana.Session(), ana.Session()}
		wanted := func(i int) string { return fmt.Sprintf("altogether new %d", i) }
		answers := kit.AtOnce(len(sessions), func(i int) *kit.Response { return sessions[i].ChangePassword(kit.Password, wanted(i)) })
		require.Equal(t, 1, kit.Tally(answers)[http.StatusNoContent])
		for i, r := range answers {
			if r.Status == http.StatusNoContent {
				sessions[i].AssertIn()
				api.TryLogin("ana", wanted(i)).Expect(http.StatusOK)
				continue
			}
			assert.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, r.Status, r.Raw)
			sessions[i].AssertOut()
			api.TryLogin("ana", wanted(i)).Expect(http.StatusUnauthorized)
		}
	})
}

// The sentences are Django's.
func TestWeakPasswordsAreRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for weak, says := range map[string][]string{
			"short7!":                {"This password is too short. It must contain at least 8 characters."},
			"üüüüüü7":                {"This password is too short. It must contain at least 8 characters."},
			"8172635490172":          {"This password is entirely numeric."},
			"٨١٧٢٦٣٥٤٩":              {"This password is entirely numeric."},
			"12345678":               {"This password is too common.", "This password is entirely numeric."},
			"password":               {"This password is too common."},
			"PassWord":               {"This password is too common."},
			"\ttrustno1":             {"This password is too common."},
			"qwertyuiop":             {"This password is too common."},
			"Konstantin":             {"The password is too similar to the username.", "The password is too similar to the email address.", "This password is too common."},
			"konstantin7":            {"The password is too similar to the username.", "The password is too similar to the email address."},
			"nitnatsnok":             {"The password is too similar to the username.", "The password is too similar to the email address."},
			"hospital.example":       {"The password is too similar to the email address."},
			"Wolkenstein":            {"The password is too similar to the first name."},
			"xRothschild":            {"The password is too similar to the last name."},
			strings.Repeat("x1", 65): {"This password is too long. It must contain at most 128 characters."},
			"123":                    {"This password is too short. It must contain at least 8 characters.", "This password is entirely numeric."},
		} {
			r := api.Nobody().Post("/api/auth/register/", kit.Object{
				"username": "konstantin", "email": "konstantin@hospital.example", "password": weak,
				"first_name": "Wolkenstein", "last_name": "Rothschild",
			}).Expect(http.StatusBadRequest)
			assert.Equal(t, kit.Object{"password": anys(says)}, r.JSON["errors"], weak)
		}
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM users"))
		for i, strong := range []string{"        ", "пароль-нет", strings.Repeat("🐎", 128), "x y z 1 2", "1234567x9"} {
			api.Nobody().Post("/api/auth/register/", kit.Object{
				"username": fmt.Sprintf("konstantin%d", i), "email": fmt.Sprintf("konstantin%d@hospital.example", i), "password": strong,
			}).Expect(http.StatusCreated)
			api.TryLogin(fmt.Sprintf("konstantin%d", i), strong).Expect(http.StatusOK)
		}
	})
}

func anys(texts []string) []any {
	all := []any{}
	for _, s := range texts {
		all = append(all, s)
	}
	return all
}

func TestPasswordsAreStoredWithArgon2idAndASaltEach(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.User("eve")
		hash := api.Text("SELECT password_hash FROM users WHERE username = 'ana'")
		assert.Regexp(t, `^\$argon2id\$v=19\$m=64,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash)
		assert.Equal(t, 2, api.Count("SELECT count(DISTINCT password_hash) FROM users"))
		cfg, err := config.Load([]string{"DATABASE_URL=sqlite:" + t.TempDir() + "/x.db"}, t.TempDir()+"/.env")
		require.NoError(t, err)
		assert.EqualValues(t, 19*1024, cfg.HashMemory, "OWASP's 19 MiB")
	})
}

func TestAnOldHashIsRenewedAtLogin(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana").Session()
		hash := func() string { return api.Text("SELECT password_hash FROM users") }
		first := hash()
		api.TryLogin("ana", kit.Password).Expect(http.StatusOK)
		assert.Equal(t, first, hash(), "one of today's parameters is kept")

		cfg := *api.Config
		cfg.HashMemory = 128
		stronger := kit.Start(t, &cfg)
		stronger.TryLogin("ana", "a wrong guess").Expect(http.StatusUnauthorized)
		assert.Equal(t, first, hash(), "only the right password renews it")
		stronger.TryLogin("ana", kit.Password).Expect(http.StatusOK)
		assert.Contains(t, hash(), "$m=128,t=2,p=1$")
		ana.AssertIn() // to renew a hash is no change of password
		api.TryRefresh(ana.Refresh).Expect(http.StatusOK)
		answers := kit.AtOnce(4, func(int) *kit.Response { return api.TryLogin("ana", kit.Password) })
		assert.Zero(t, kit.Tally(answers)[http.StatusInternalServerError])
		assert.Contains(t, hash(), "$m=64,t=2,p=1$")
		api.TryLogin("ana", kit.Password).Expect(http.StatusOK)
	})
}
