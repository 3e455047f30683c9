package tests

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
)

func noGrace(cfg *config.Config) { cfg.RefreshGrace = 0 }

func TestARefreshRotatesTheToken(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session("User-Agent", "Old/1.0")
		api.exec("UPDATE sessions SET created_at = " + ago(3*time.Hour) + ", last_used_at = " + ago(2*time.Hour))
		seen := map[string]bool{s.Refresh: true, s.Token: true}
		for range 5 {
			r := api.Nobody().Do("POST", "/api/auth/refresh/", doc{"refresh": s.Refresh}, "User-Agent", "New/2.0").Expect(http.StatusOK)
			assert.Len(t, r.JSON, 4)
			assert.Equal(t, "Bearer", r.JSON["token_type"])
			assert.EqualValues(t, 15*60, r.JSON["expires_in"])
			s.Token, s.Refresh = r.JSON["access"].(string), r.JSON["refresh"].(string)
			assert.False(t, seen[s.Token] || seen[s.Refresh], "a token came twice")
			seen[s.Token], seen[s.Refresh] = true, true
			s.assertIn()
		}
		rows := s.Get("/api/auth/sessions/").Results()
		assert.Equal(t, "New/2.0", rows[0]["user_agent"])
		assert.Greater(t, rows[0]["last_used_at"], rows[0]["created_at"])
		assert.Len(t, rows, 2) // with that of the registration's login: a refresh opens none
		assert.Equal(t, 1, api.count("SELECT count(*) FROM refresh_tokens WHERE spent_at IS NULL AND session_id = 2"))
	})
}

func TestTenRefreshesAtOnceGetOneSuccessor(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s, other := api.User("ana").Session(), start(t, api.Config)
		instances := []*API{api, other}
		successors := map[any]bool{}
		for _, r := range together(10, func(i int) *Response { return instances[i%2].refresh(s.Refresh) }) {
			successors[r.Expect(http.StatusOK).JSON["refresh"]] = true
			(&Client{t: t, api: api, Token: r.JSON["access"].(string)}).assertIn()
		}
		assert.Len(t, successors, 1)
		for next := range successors {
			api.refresh(next.(string)).Expect(http.StatusOK)
		}
		s.assertIn()
	})
}

func TestASpentTokenGetsTheSameSuccessorWithinTheGrace(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session()
		next := api.refresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"].(string)
		tokens := api.count("SELECT count(*) FROM refresh_tokens")
		for range 3 {
			assert.Equal(t, next, api.refresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"])
		}
		assert.Equal(t, tokens, api.count("SELECT count(*) FROM refresh_tokens"))
		api.refresh(next).Expect(http.StatusOK)
		assert.Equal(t, next, api.refresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"]) // the successor is spent as well
		s.assertIn()
	})
}

func TestASpentTokenEndsItsSessionAfterTheGrace(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		s, bystander := ana.Session(), ana.Session()
		r := api.refresh(s.Refresh).Expect(http.StatusOK)
		next := &Session{&Client{t: t, api: api, Token: r.JSON["access"].(string)}, r.JSON["refresh"].(string)}
		next.assertIn()
		api.exec("UPDATE refresh_tokens SET spent_at = " + ago(11*time.Second) + " WHERE spent_at IS NOT NULL")

		again := api.refresh(s.Refresh).Expect(http.StatusUnauthorized)
		assert.Equal(t, "token_not_valid", again.JSON["code"])
		assert.Equal(t, "Token is invalid or expired", again.JSON["detail"])
		next.assertOut() // whoever holds the successor is out as well
		s.assertOut()
		bystander.assertIn()
		api.refresh(bystander.Refresh).Expect(http.StatusOK)
		ana.Session().assertIn()
	})
}

func TestWithoutAGraceASecondUseEndsTheSession(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session()
		api.refresh(s.Refresh).Expect(http.StatusOK)
		api.refresh(s.Refresh).Expect(http.StatusUnauthorized)
		s.assertOut()
	}, noGrace)
}

func TestWithoutAGraceOneOfManyRefreshesAtOnceSucceeds(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session()
		answers := together(6, func(int) *Response { return api.refresh(s.Refresh) })
		assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusUnauthorized: 5}, tally(answers))
		s.assertOut()
	}, noGrace)
}

func TestWithoutAGraceATokenIsSpentWhateverTheClocksSay(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session()
		api.refresh(s.Refresh).Expect(http.StatusOK)
		// As if an instance whose clock is ahead had spent it.
		api.exec("UPDATE refresh_tokens SET spent_at = " + ago(-2*time.Second) + " WHERE spent_at IS NOT NULL")
		api.refresh(s.Refresh).Expect(http.StatusUnauthorized)
		s.assertOut()
	}, noGrace)
}

func TestARefreshTokenExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session()
		first := api.count("SELECT count(*) FROM refresh_tokens WHERE expires_at > " + ago(-7*24*time.Hour+time.Minute))
		assert.Equal(t, 2, first, "seven days")
		api.exec("UPDATE refresh_tokens SET expires_at = " + ago(-time.Minute))
		r := api.refresh(s.Refresh).Expect(http.StatusOK)
		api.exec("UPDATE refresh_tokens SET expires_at = " + ago(time.Second))
		r = api.refresh(r.JSON["refresh"].(string)).Expect(http.StatusUnauthorized)
		assert.Equal(t, "token_not_valid", r.JSON["code"])
		assert.Equal(t, 0, api.count("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL"))
	})
}

func TestARefreshProlongsTheSession(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session()
		api.exec("UPDATE sessions SET expires_at = " + ago(-time.Minute))
		api.exec("UPDATE refresh_tokens SET expires_at = " + ago(-time.Minute))
		api.refresh(s.Refresh).Expect(http.StatusOK)
		late := ago(-7*24*time.Hour + time.Minute)
		assert.Equal(t, 1, api.count("SELECT count(*) FROM sessions WHERE expires_at > "+late))
		assert.Equal(t, 1, api.count("SELECT count(*) FROM refresh_tokens WHERE expires_at > "+late))
	})
}

func TestOnlyRefreshTokensOfThisServerAreExchanged(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		s := api.User("ana").Session()
		next := api.refresh(s.Refresh).Expect(http.StatusOK).JSON["refresh"].(string)
		for name, token := range map[string]string{
			"an access token": s.Token, "rubbish": "rubbish", "cut": next[:len(next)-1], "longer": next + "A",
			"the hash that is kept": oneText(api, "SELECT hash FROM refresh_tokens WHERE spent_at IS NULL AND session_id = 2"),
		} {
			r := api.refresh(token)
			assert.Equal(t, http.StatusUnauthorized, r.Status, name)
			assert.Equal(t, "token_not_valid", r.JSON["code"], name)
			assert.Equal(t, "Token is invalid or expired", r.JSON["detail"], name)
		}
		for _, body := range []doc{{}, {"refresh": ""}, {"refresh": nil}, {"refresh": 5}} {
			r := api.Nobody().Post("/api/auth/refresh/", body).Expect(http.StatusBadRequest)
			assert.NotEmpty(t, r.Error("refresh"), body)
		}
		api.refresh(next).Expect(http.StatusOK)
	})
}

func TestASuccessorCannotBeComputedWithoutTheServersSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		cfg := *api.Config
		cfg.JWTSecret = "another-secret-of-another-clinic-9876543210"
		a, b := api.User("ana").Session(), start(t, &cfg)
		assert.NotEqual(t, api.refresh(a.Refresh).Expect(http.StatusOK).JSON["refresh"], b.refresh(a.Refresh).JSON["refresh"])
	})
}

// oneText runs a query that returns one text.
func oneText(api *API, query string) string {
	api.t.Helper()
	var text string
	assert.NoError(api.t, api.sql().QueryRow(query).Scan(&text))
	return text
}
