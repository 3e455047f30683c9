package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

const acceptPath = "/api/auth/accept/"

// invite opens an account and returns its path for staff, and its token.
func invite(boss *kit.Client, name string) (path, token string) {
	boss.T.Helper()
	r := boss.Post("/api/users/", kit.Object{"username": name, "email": name + "@example.org"}).Expect(http.StatusCreated)
	return kit.Path("users", r.ID()), tokenOf(r)
}

func tokenOf(r *kit.Response) string { return r.JSON["invitation"].(kit.Object)["token"].(string) }

func accept(api *kit.API, token, password string) *kit.Response {
	api.T.Helper()
	return api.Nobody().Post(acceptPath, kit.Object{"token": token, "password": password})
}

// assertRefused asserts the one answer to a token that is not good.
func assertRefused(t *testing.T, api *kit.API, token string) {
	t.Helper()
	r := accept(api, token, kit.Password).Expect(http.StatusBadRequest)
	assert.Equal(t, "invalid_token", r.JSON["code"])
	assert.Equal(t, "This token is not valid, or not valid any more. Ask for a new one.", r.JSON["detail"])
}

func TestStaffOpenAnAccountWhoseHolderChoosesThePassword(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss := api.Staff("boss")
		r := boss.Post("/api/users/", kit.Object{"username": "cem", "email": "cem@example.org", "first_name": "Cem", "is_staff": true}).
			Expect(http.StatusCreated)
		assert.Equal(t, []any{"cem", "Cem", false, true}, []any{r.JSON["username"], r.JSON["first_name"], r.JSON["is_staff"], r.JSON["is_active"]})
		ticket := r.JSON["invitation"].(kit.Object)
		assert.Nil(t, ticket["link"])
		until, err := time.Parse(time.RFC3339, ticket["expires_at"].(string))
		assert.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(72*time.Hour), until, time.Minute)
		token := tokenOf(r)
		assert.Len(t, token, 52)

		for _, guess := range []string{kit.Password, token, " "} {
			api.TryLogin("cem", guess).Expect(http.StatusUnauthorized)
		}
		weak := accept(api, token, "cem").Expect(http.StatusBadRequest)
		assert.Contains(t, weak.Error("password"), "too short")
		assert.Contains(t, accept(api, token, "cem@example.org").Error("password"), "too similar")
		assert.Empty(t, accept(api, token, kit.Password).Expect(http.StatusNoContent).Raw)
		api.TryLogin("cem", kit.Password).Expect(http.StatusOK)
		assertRefused(t, api, token)
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM invitations WHERE hash = '"+token+"'"))
		kit.Absent(t, api.Log.String(), token)
	})
}

func TestOpeningAnAccountHasTheRulesOfRegistration(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana := api.Staff("boss"), api.User("ana")
		r := boss.Post("/api/users/", kit.Object{"username": "ANA", "email": "ＡNA@example.org", "nmae": "x", "password": kit.Password})
		r.Expect(http.StatusBadRequest)
		for _, field := range []string{"username", "email", "nmae", "password"} {
			assert.NotEmpty(t, r.Error(field), field)
		}
		once := boss.Once("/api/users/", kit.Object{"username": "cem", "email": "cem@example.org"}, "key").Expect(http.StatusBadRequest)
		assert.Contains(t, once.Error("Idempotency-Key"), "shown once")
		ana.Post("/api/users/", kit.Object{"username": "cem", "email": "cem@example.org"}).Expect(http.StatusForbidden)
		ana.Post(boss.AccountPath()+"reset/", nil).Expect(http.StatusForbidden)
		boss.Post("/api/users/77/reset/", nil).Expect(http.StatusNotFound)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM users"))
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM invitations"))
	})
}

func TestAResetEndsTheSessionsAndLiftsTheLocksWhenItIsUsed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana := api.Staff("boss"), api.User("ana")
		session := ana.Session()
		token := tokenOf(boss.Post(ana.AccountPath()+"reset/", nil).Expect(http.StatusOK))
		session.AssertIn() // until it is used
		api.FailLogins(6, "ana")
		there := kit.Start(t, api.Config)
		accept(there, token, kit.NewPassword).Expect(http.StatusNoContent)
		session.At(there).Get(kit.MePath).Expect(http.StatusUnauthorized)
		api.TryRefresh(session.Refresh).Expect(http.StatusUnauthorized)
		api.TryLogin("ana", kit.NewPassword).Expect(http.StatusOK)
		api.TryLogin("ana", kit.Password).Expect(http.StatusUnauthorized)
	})
}

func TestTokensThatAreNotGoodHaveOneAnswer(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, chief := api.Staff("boss"), api.Staff("chief")
		reset := func(c *kit.Client) string {
			return tokenOf(boss.Post(c.AccountPath()+"reset/", nil).Expect(http.StatusOK))
		}
		ana := api.User("ana")
		replaced := reset(ana)
		newest := reset(ana)
		assertRefused(t, api, replaced)
		assertRefused(t, api, "none")
		assertRefused(t, api, strings.ToLower(newest))

		boss.Patch(ana.AccountPath(), kit.Object{"is_active": false}).Expect(http.StatusOK)
		assertRefused(t, api, newest)
		boss.Post(ana.AccountPath()+"reset/", nil).Expect(http.StatusConflict)
		boss.Patch(ana.AccountPath(), kit.Object{"is_active": true}).Expect(http.StatusOK)
		assertRefused(t, api, newest) // for good

		eve := api.User("eve")
		before := reset(eve)
		eve.Patch(kit.MePath, kit.Object{"email": "new@example.org"}).Expect(http.StatusOK)
		assertRefused(t, api, before)
		before = reset(eve)
		eve.ChangePassword(kit.Password, kit.NewPassword).Expect(http.StatusNoContent)
		assertRefused(t, api, before)
		expired := reset(eve)
		api.Exec("UPDATE invitations SET expires_at = " + kit.Ago(time.Second))
		assertRefused(t, api, expired)

		of := chief.Post(eve.AccountPath()+"reset/", nil).Expect(http.StatusOK)
		boss.Patch(chief.AccountPath(), kit.Object{"is_staff": false}).Expect(http.StatusOK)
		assertRefused(t, api, tokenOf(of))
		api.TryLogin("eve", kit.NewPassword).Expect(http.StatusOK)
	})
}

func TestOneOfManyWhoPresentATokenAtOnceWins(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss := api.Staff("boss")
		instances := []*kit.API{api, kit.Start(t, api.Config)}
		_, token := invite(boss, "cem")
		answers := kit.AtOnce(20, func(i int) *kit.Response {
			return accept(instances[i%2], token, fmt.Sprint("a password of number ", i))
		})
		tally := kit.Tally(answers)
		assert.Equal(t, 1, tally[http.StatusNoContent], tally)
		for i, r := range answers {
			if r.Status == http.StatusNoContent {
				api.TryLogin("cem", fmt.Sprint("a password of number ", i)).Expect(http.StatusOK)
			} else {
				assert.Contains(t, []int{http.StatusBadRequest, http.StatusServiceUnavailable}, r.Status, r.Raw)
			}
		}
	})
}

func TestAnAccountThatNobodyCanLogInToIsNotTheLastStaff(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss := api.Staff("boss")
		path, token := invite(boss, "cem")
		boss.Patch(path, kit.Object{"is_staff": true}).Expect(http.StatusOK)
		boss.Patch(boss.AccountPath(), kit.Object{"is_staff": false}).Expect(http.StatusConflict)
		accept(api, token, kit.Password).Expect(http.StatusNoContent)
		boss.Patch(boss.AccountPath(), kit.Object{"is_staff": false}).Expect(http.StatusOK)
	})
}

func TestInvitationsAndResetsAreAudited(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss := api.Staff("boss")
		path, token := invite(boss, "cem")
		accept(api, token, kit.Password).Expect(http.StatusNoContent)
		reset := tokenOf(boss.Post(path+"reset/", nil).Expect(http.StatusOK))
		trail := boss.Get("/api/audit/").Expect(http.StatusOK)
		events := trail.Results()
		assert.Equal(t, []any{"reset", "accept", "create"}, trail.Column("action"))
		for i, name := range []string{"boss", "cem", "boss"} {
			assert.Equal(t, "user", events[i]["object"])
			assert.Equal(t, name, events[i]["user"].(kit.Object)["username"])
		}
		kit.Absent(t, trail.Raw, token, reset)
		assert.Len(t, boss.Get("/api/audit/?action=accept").Expect(http.StatusOK).Results(), 1)
	})
}

func TestExpiredTokensAreCleanedUpAndOthersStay(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss := api.Staff("boss")
		invite(boss, "old")
		api.Exec("UPDATE invitations SET expires_at = " + kit.Ago(25*time.Hour))
		_, token := invite(boss, "cem")
		assert.NoError(t, api.DB.Cleanup(t.Context()))
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM invitations"))
		accept(api, token, kit.Password).Expect(http.StatusNoContent)
	})
}
