package accounts

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
	"healthcare/tests/kit"
)

func noGrace(cfg *config.Config) { cfg.RefreshGrace = 0 }

func TestARefreshRotatesTheToken(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session("User-Agent", "Old/1.0")
		api.Exec("UPDATE sessions SET created_at = " + kit.Ago(3*time.Hour) + ", last_used_at = " + kit.Ago(2*time.Hour))
		seen := map[string]bool{s.Refresh: true, s.Token: true}
		for range 5 {
			r := api.Nobody().Do("POST", "/api/auth/refresh/", kit.Object{"refresh": s.Refresh}, "User-Agent", "New/2.0").Expect(http.StatusOK)
			assert.Len(t, r.JSON, 4)
			assert.Equal(t, "Bearer", r.JSON["token_type"])
			assert.EqualValues(t, 15*60, r.JSON["expires_in"])
			s.Token, s.Refresh = r.JSON["access"].(string), r.JSON["refresh"].(string)
			assert.False(t, seen[s.Token] || seen[s.Refresh], "a token came twice")
			seen[s.Token], seen[s.Refresh] = true, true
			s.AssertIn()
		}
		rows := s.Get("/api/auth/sessions/").Results()
		assert.Equal(t, "New/2.0", rows[0]["user_agent"])
		assert.Greater(t, rows[0]["last_used_at"], rows[0]["created_at"])
		assert.Len(t, rows, 2) // with that of the registration's login: a refresh opens none
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM refresh_tokens WHERE spent_at IS NULL AND session_id = 2"))
	})
}

func TestTenRefreshesAtOnceGetOneSuccessor(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s, other := api.User("ana").Session(), kit.Start(t, api.Config)
		instances := []*kit.API{api, other}
		successors := map[any]bool{}
		for _, r := range kit.AtOnce(10, func(i int) *kit.Response { return instances[i%2].TryRefresh(s.Refresh) }) {
			successors[r.Expect(http.StatusOK).JSON["refresh"]] = true
			(&kit.Client{T: t, API: api, Token: r.JSON["access"].(string)}).AssertIn()
		}
		assert.Len(t, successors, 1)
		for next := range successors {
			api.TryRefresh(next.(string)).Expect(http.StatusOK)
		}
		s.AssertIn()
	})
}

func TestASpentTokenGetsTheSameSuccessorWithinTheGrace(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		next := api.TryRefresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"].(string)
		tokens := api.Count("SELECT count(*) FROM refresh_tokens")
		for range 3 {
			assert.Equal(t, next, api.TryRefresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"])
		}
		assert.Equal(t, tokens, api.Count("SELECT count(*) FROM refresh_tokens"))
		api.TryRefresh(next).Expect(http.StatusOK)
		assert.Equal(t, next, api.TryRefresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"]) // the successor is spent as well
		s.AssertIn()
	})
}

func TestASpentTokenEndsItsSessionAfterTheGrace(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		s, bystander := ana.Session(), ana.Session()
		r := api.TryRefresh(s.Refresh).Expect(http.StatusOK)
		next := &kit.Session{Client: &kit.Client{T: t, API: api, Token: r.JSON["access"].(string)}, Refresh: r.JSON["refresh"].(string)}
		next.AssertIn()
		api.Exec("UPDATE refresh_tokens SET spent_at = " + kit.Ago(11*time.Second) + " WHERE spent_at IS NOT NULL")

		again := api.TryRefresh(s.Refresh).Expect(http.StatusUnauthorized)
		assert.Equal(t, "token_not_valid", again.JSON["code"])
		assert.Equal(t, "Token is invalid or expired", again.JSON["detail"])
		next.AssertOut() // whoever holds the successor is out as well
		s.AssertOut()
		bystander.AssertIn()
		api.TryRefresh(bystander.Refresh).Expect(http.StatusOK)
		ana.Session().AssertIn()
	})
}

func TestWithoutAGraceASecondUseEndsTheSession(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		api.TryRefresh(s.Refresh).Expect(http.StatusOK)
		api.TryRefresh(s.Refresh).Expect(http.StatusUnauthorized)
		s.AssertOut()
	}, noGrace)
}

func TestWithoutAGraceOneOfManyRefreshesAtOnceSucceeds(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		answers := kit.AtOnce(6, func(int) *kit.Response { return api.TryRefresh(s.Refresh) })
		assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusUnauthorized: 5}, kit.Tally(answers))
		s.AssertOut()
	}, noGrace)
}

func TestWithoutAGraceATokenIsSpentWhateverTheClocksSay(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		api.TryRefresh(s.Refresh).Expect(http.StatusOK)
		// As if an instance whose clock is ahead had spent it.
		api.Exec("UPDATE refresh_tokens SET spent_at = " + kit.Ago(-2*time.Second) + " WHERE spent_at IS NOT NULL")
		api.TryRefresh(s.Refresh).Expect(http.StatusUnauthorized)
		s.AssertOut()
	}, noGrace)
}

func TestARefreshTokenExpires(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		first := api.Count("SELECT count(*) FROM refresh_tokens WHERE expires_at > " + kit.Ago(-7*24*time.Hour+time.Minute))
		assert.Equal(t, 2, first, "seven days")
		api.Exec("UPDATE refresh_tokens SET expires_at = " + kit.Ago(-time.Minute))
		r := api.TryRefresh(s.Refresh).Expect(http.StatusOK)
		api.Exec("UPDATE refresh_tokens SET expires_at = " + kit.Ago(time.Second))
		r = api.TryRefresh(r.JSON["refresh"].(string)).Expect(http.StatusUnauthorized)
		assert.Equal(t, "token_not_valid", r.JSON["code"])
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL"))
	})
}

func TestARefreshProlongsTheSession(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		api.Exec("UPDATE sessions SET expires_at = " + kit.Ago(-time.Minute))
		api.Exec("UPDATE refresh_tokens SET expires_at = " + kit.Ago(-time.Minute))
		api.TryRefresh(s.Refresh).Expect(http.StatusOK)
		late := kit.Ago(-7*24*time.Hour + time.Minute)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM sessions WHERE expires_at > "+late))
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM refresh_tokens WHERE expires_at > "+late))
	})
}

func TestOnlyRefreshTokensOfThisServerAreExchanged(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		next := api.TryRefresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"].(string)
		for name, token := range map[string]string{
			"an access token": s.Token, "rubbish": "rubbish", "cut": next[:len(next)-1], "longer": next + "A",
			"the hash that is kept": api.Text("SELECT hash FROM refresh_tokens WHERE spent_at IS NULL AND session_id = 2"),
		} {
			r := api.TryRefresh(token)
			assert.Equal(t, http.StatusUnauthorized, r.Status, name)
			assert.Equal(t, "token_not_valid", r.JSON["code"], name)
			assert.Equal(t, "Token is invalid or expired", r.JSON["detail"], name)
		}
		for _, body := range []kit.Object{{}, {"refresh": ""}, {"refresh": nil}, {"refresh": 5}} {
			r := api.Nobody().Post("/api/auth/refresh/", body).Expect(http.StatusBadRequest)
			assert.NotEmpty(t, r.Error("refresh"), body)
		}
		api.TryRefresh(next).Expect(http.StatusOK)
	})
}

func TestASuccessorCannotBeComputedWithoutTheServersSecret(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		cfg := *api.Config
		cfg.JWTSecret = "another-secret-of-another-clinic-9876543210"
		a, b := api.User("ana").Session(), kit.Start(t, &cfg)
		assert.NotEqual(t, api.TryRefresh(a.Refresh).Expect(http.StatusOK).JSON["refresh"], b.TryRefresh(a.Refresh).JSON["refresh"])
	})
}
