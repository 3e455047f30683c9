package tests

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCleanupRemovesWhatIsOldAndKeepsTheRest(t *testing.T) {
	const day = 24 * time.Hour
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana") // session 1
		for name, c := range map[string]struct {
			change string
			kept   bool
		}{
			"goes on":             {"", true},
			"ended lately":        {"ended_at = " + ago(day-time.Minute), true},
			"ended long ago":      {"ended_at = " + ago(day+time.Minute), false},
			"expired lately":      {"expires_at = " + ago(day-time.Minute), true},
			"expired long ago":    {"expires_at = " + ago(day+time.Minute), false},
			"ended and expired":   {"ended_at = " + ago(9*day) + ", expires_at = " + ago(2*day), false},
			"ended before it was": {"ended_at = " + ago(day+time.Minute) + ", expires_at = " + ago(-day), false},
		} {
			s := ana.Session("User-Agent", fmt.Sprint(name, c.kept))
			next := api.refresh(s.Refresh) // a chain of two tokens, the spent one first
			next.Expect(http.StatusOK)
			if c.change != "" {
				api.exec("UPDATE sessions SET " + c.change + " WHERE id = " + fmt.Sprint(api.count("SELECT max(id) FROM sessions")))
			}
			api.exec("UPDATE sessions SET user_agent = '" + fmt.Sprint(c.kept) + "' WHERE id = (SELECT max(id) FROM sessions)")
		}
		api.exec("UPDATE sessions SET user_agent = 'true' WHERE id = 1")
		// Of a session that goes on, a link that expired long ago goes.
		api.exec("INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES ('old', 1, " + ago(day+time.Minute) + "), ('recent', 1, " + ago(day-time.Minute) + ")")
		api.insertFailures(3, "name old", 25*time.Hour+time.Minute)
		api.insertFailures(2, "name recent", 25*time.Hour-time.Minute)

		for range 2 { // and again, when there is nothing to do
			require.NoError(t, api.DB.Cleanup(t.Context()))
			assert.Equal(t, 4, api.count("SELECT count(*) FROM sessions"))
			assert.Equal(t, 4, api.count("SELECT count(*) FROM sessions WHERE user_agent = 'true'"))
			assert.Equal(t, 1+3*2+1, api.count("SELECT count(*) FROM refresh_tokens"))
			assert.Equal(t, 0, api.count("SELECT count(*) FROM refresh_tokens WHERE hash = 'old'"))
			assert.Equal(t, 2, api.count("SELECT count(*) FROM login_failures WHERE account = 'name recent'"))
			assert.Equal(t, 2, api.failures())
		}
		ana.assertIn()
	})
}

func TestCleanupsAtOnceAndWhileClientsRefreshDoNoHarm(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		other := start(t, api.Config)
		for range 10 {
			ana.Session()
		}
		api.exec("UPDATE sessions SET ended_at = " + ago(48*time.Hour) + " WHERE id > 1")
		s := ana.Session()
		answers := together(12, func(i int) *Response {
			if i%3 > 0 {
				db := []*API{api, other}[i%2].DB
				assert.NoError(t, db.Cleanup(context.Background()))
			}
			return api.refresh(s.Refresh)
		})
		assert.Equal(t, map[int]int{http.StatusOK: 12}, tally(answers))
		assert.Equal(t, 2, api.count("SELECT count(*) FROM sessions"))
	})
}

func TestTheServerCleansUpByItself(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.insertFailures(3, "name old", 48*time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			api.DB.KeepClean(ctx, slog.New(slog.DiscardHandler))
			close(ended)
		}()
		assert.Eventually(t, func() bool { return api.failures() == 0 }, waitLimit, 10*time.Millisecond)
		stop()
		<-ended
	})
}
