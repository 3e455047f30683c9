package operations

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestCleanupRemovesWhatIsOldAndKeepsTheRest(t *testing.T) {
	const day = 24 * time.Hour
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana") // session 1
		for name, c := range map[string]struct {
			change string
			kept   bool
		}{
			"goes on":             {"", true},
			"ended lately":        {"ended_at = " + kit.Ago(day-time.Minute), true},
			"ended long ago":      {"ended_at = " + kit.Ago(day+time.Minute), false},
			"expired lately":      {"expires_at = " + kit.Ago(day-time.Minute), true},
			"expired long ago":    {"expires_at = " + kit.Ago(day+time.Minute), false},
			"ended and expired":   {"ended_at = " + kit.Ago(9*day) + ", expires_at = " + kit.Ago(2*day), false},
			"ended before it was": {"ended_at = " + kit.Ago(day+time.Minute) + ", expires_at = " + kit.Ago(-day), false},
		} {
			s := ana.Session("User-Agent", fmt.Sprint(name, c.kept))
			next := api.TryRefresh(s.Refresh) // a chain of two tokens, the spent one first
			next.Expect(http.StatusOK)
			if c.change != "" {
				api.Exec("UPDATE sessions SET " + c.change + " WHERE id = " + fmt.Sprint(api.Count("SELECT max(id) FROM sessions")))
			}
			api.Exec("UPDATE sessions SET user_agent = '" + fmt.Sprint(c.kept) + "' WHERE id = (SELECT max(id) FROM sessions)")
		}
		api.Exec("UPDATE sessions SET user_agent = 'true' WHERE id = 1")
		// Of a session that goes on, a link that expired long ago goes.
		api.Exec("INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES ('old', 1, " + kit.Ago(day+time.Minute) + "), ('recent', 1, " + kit.Ago(day-time.Minute) + ")")
		api.InsertFailures(3, "name old", 25*time.Hour+time.Minute)
		api.InsertFailures(2, "name recent", 25*time.Hour-time.Minute)

		for range 2 { // and again, when there is nothing to do
			require.NoError(t, api.DB.Cleanup(t.Context()))
			assert.Equal(t, 4, api.Count("SELECT count(*) FROM sessions"))
			assert.Equal(t, 4, api.Count("SELECT count(*) FROM sessions WHERE user_agent = 'true'"))
			assert.Equal(t, 1+3*2+1, api.Count("SELECT count(*) FROM refresh_tokens"))
			assert.Equal(t, 0, api.Count("SELECT count(*) FROM refresh_tokens WHERE hash = 'old'"))
			assert.Equal(t, 2, api.Count("SELECT count(*) FROM login_failures WHERE account = 'name recent'"))
			assert.Equal(t, 2, api.Failures())
		}
		ana.AssertIn()
	})
}

func TestCleanupsAtOnceAndWhileClientsRefreshDoNoHarm(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		other := kit.Start(t, api.Config)
		for range 10 {
			ana.Session()
		}
		api.Exec("UPDATE sessions SET ended_at = " + kit.Ago(48*time.Hour) + " WHERE id > 1")
		s := ana.Session()
		answers := kit.AtOnce(12, func(i int) *kit.Response {
			if i%3 > 0 {
				db := []*kit.API{api, other}[i%2].DB
				assert.NoError(t, db.Cleanup(context.Background()))
			}
			return api.TryRefresh(s.Refresh)
		})
		assert.Equal(t, map[int]int{http.StatusOK: 12}, kit.Tally(answers))
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM sessions"))
	})
}

func TestTheServerCleansUpByItself(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.InsertFailures(3, "name old", 48*time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			api.DB.KeepClean(ctx, slog.New(slog.DiscardHandler))
			close(ended)
		}()
		assert.Eventually(t, func() bool { return api.Failures() == 0 }, kit.WaitLimit, 10*time.Millisecond)
		stop()
		<-ended
	})
}
