package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestALoginOpensASession(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		r := ana.Login()
		assert.Equal(t, "Bearer", r.JSON["token_type"])
		assert.EqualValues(t, 15*60, r.JSON["expires_in"])
		assert.Equal(t, "ana", r.JSON["user"].(kit.Object)["username"])
		ana.AssertIn()
		assert.JSONEq(t, "{}", ana.VerifyToken(ana.Token).Raw)

		refresh := r.JSON["refresh"].(string)
		var kept strings.Builder
		for _, table := range []string{"sessions", "refresh_tokens"} {
			rows, err := api.SQL().Query("SELECT * FROM " + table)
			assert.NoError(t, err)
			names, err := rows.Columns()
			assert.NoError(t, err)
			for rows.Next() {
				values, into := make([]any, len(names)), make([]any, len(names))
				for i := range values {
					into[i] = &values[i]
				}
				assert.NoError(t, rows.Scan(into...))
				_, _ = fmt.Fprintln(&kept, values...)
			}
			assert.NoError(t, rows.Err())
			assert.NoError(t, rows.Close())
		}
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM refresh_tokens"))
		assert.NotContains(t, kept.String(), refresh)
		assert.NotContains(t, kept.String(), ana.Token)
	})
}

func TestALogoutEndsItsSessionAndNoOther(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		here, there := ana.Session(), ana.Session()
		here.Do("POST", "/api/auth/logout/", nil).Expect(http.StatusNoContent)
		here.AssertOut()
		there.AssertIn()
		assert.Equal(t, http.StatusUnauthorized, here.Post("/api/auth/logout/", nil).Status)
		api.TryRefresh(there.Refresh).Expect(http.StatusOK)
	})
}

func TestLogoutsAtOnceBothSucceedOrAreOutAlready(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		for _, r := range kit.AtOnce(6, func(int) *kit.Response { return s.Post("/api/auth/logout/", nil) }) {
			assert.Contains(t, []int{http.StatusNoContent, http.StatusUnauthorized}, r.Status, r.Raw)
		}
		s.AssertOut()
	})
}

// soonOut waits until an instance that has let a token in refuses it: within 5 seconds, says the contract.
func soonOut(s *kit.Session) {
	s.T.Helper()
	refused := func() bool { return s.Get("/api/auth/me/").Status == http.StatusUnauthorized }
	require.Eventually(s.T, refused, kit.WaitLimit, 50*time.Millisecond)
	s.AssertOut()
}

func TestWhatOneInstanceRevokesAnotherRefuses(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		other := kit.Start(t, api.Config)
		boss, ana := api.Staff("boss"), api.User("ana")
		session := func() (here, there *kit.Session) {
			here = ana.Session()
			there = &kit.Session{Client: here.At(other), Refresh: here.Refresh}
			there.AssertIn()
			return here, there
		}
		here, there := session()
		here.Post("/api/auth/logout/", nil).Expect(http.StatusNoContent)
		soonOut(there)

		_, there = session()
		boss.Patch(fmt.Sprintf("/api/users/%d/", ana.ID), kit.Object{"is_active": false}).Expect(http.StatusOK)
		soonOut(there)
		boss.Patch(fmt.Sprintf("/api/users/%d/", ana.ID), kit.Object{"is_active": true}).Expect(http.StatusOK)

		_, there = session()
		ana.Session().ChangePassword(kit.Password, kit.NewPassword).Expect(http.StatusNoContent)
		// What the other instance remembers is not enough to change the password once more.
		assert.Equal(t, http.StatusUnauthorized, there.ChangePassword(kit.Password, "a thief's password").Status)
		soonOut(there)
		other.TryLogin("ana", kit.NewPassword).Expect(http.StatusOK)
	})
}

func TestTheSessionsOfAnAccountAreListed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		phone := ana.Session("User-Agent", "Phone/1.0", "X-Forwarded-For", "203.0.113.7")
		r := phone.Get("/api/auth/sessions/").Expect(http.StatusOK)
		assert.EqualValues(t, 2, r.JSON["count"])
		assert.Equal(t, []any{true, false}, r.Column("current")) // the newest first
		assert.Equal(t, []any{"Phone/1.0", "Go-http-client/1.1"}, r.Column("user_agent"))
		assert.Equal(t, []any{"203.0.113.7", "127.0.0.1"}, r.Column("address"))
		for _, row := range r.Results() {
			assert.Len(t, row, 7)
			for _, field := range []string{"created_at", "last_used_at", "expires_at"} {
				_, err := time.Parse(time.RFC3339Nano, row[field].(string))
				assert.NoError(t, err)
				assert.Regexp(t, "Z$", row[field])
			}
		}
		assert.Equal(t, []any{false, true}, ana.Get("/api/auth/sessions/").Column("current"))
		assert.Equal(t, []any{true}, eve.Get("/api/auth/sessions/").Column("current"))

		phone.Post("/api/auth/logout/", nil).Expect(http.StatusNoContent)
		api.Exec("UPDATE sessions SET expires_at = " + kit.Ago(time.Second) + fmt.Sprintf(" WHERE user_id = %d", eve.ID))
		assert.Equal(t, []any{true}, ana.Get("/api/auth/sessions/").Column("current"))
		assert.Empty(t, eve.Get("/api/auth/sessions/").Results())
	}, kit.BehindProxy)
}

func TestASessionIsEndedByItsId(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		phone := ana.Session()
		one := fmt.Sprintf("/api/auth/sessions/%v/", phone.Get("/api/auth/sessions/").Results()[0]["id"])
		assert.Equal(t, http.StatusNotFound, eve.Delete(one).Status)
		phone.AssertIn()
		ana.Delete(one).Expect(http.StatusNoContent)
		phone.AssertOut()
		ana.AssertIn()
		for _, gone := range []string{one, "/api/auth/sessions/77/", "/api/auth/sessions/x/", "/api/auth/sessions/0/", "/api/auth/sessions/99999999999999999999/"} {
			assert.Equal(t, http.StatusNotFound, ana.Delete(gone).Status, gone)
		}
		own := fmt.Sprintf("/api/auth/sessions/%v/", ana.Get("/api/auth/sessions/").Results()[0]["id"])
		ana.Delete(own).Expect(http.StatusNoContent)
		assert.Equal(t, http.StatusUnauthorized, ana.Get("/api/auth/me/").Status)
	})
}

func TestADisabledAccountsSessionsEndForGood(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana := api.Staff("boss"), api.User("ana")
		here, there := ana.Session(), ana.Session()
		account := fmt.Sprintf("/api/users/%d/", ana.ID)
		r := boss.Patch(account, kit.Object{"is_active": false}).Expect(http.StatusOK)
		assert.Equal(t, false, r.JSON["is_active"])
		here.AssertOut()
		there.AssertOut()
		refused := api.TryLogin("ana", kit.Password).Expect(http.StatusUnauthorized)
		assert.Equal(t, "no_active_account", refused.JSON["code"])

		boss.Patch(account, kit.Object{"is_active": true}).Expect(http.StatusOK)
		here.AssertOut()
		there.AssertOut()
		ana.Session().AssertIn()
		boss.AssertIn()
	})
}

func TestWhatASessionKeepsOfTheUserAgentIsWhatCanBeStored(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for sent, kept := range map[string]string{
			strings.Repeat("ü", 200):       strings.Repeat("ü", 127), // 255 bytes, and no half character
			"bad\xff\xfebytes":             "badbytes",
			`'); DROP TABLE sessions; --`:  `'); DROP TABLE sessions; --`,
			"<script>alert(1)</script>":    "<script>alert(1)</script>",
			strings.Repeat("long ", 10000): strings.Repeat("long ", 51),
		} {
			s := ana.Session("User-Agent", sent)
			assert.Equal(t, kept, s.Get("/api/auth/sessions/").Results()[0]["user_agent"])
		}
	})
}
