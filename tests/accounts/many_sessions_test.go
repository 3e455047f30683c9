package accounts

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestAnAccountHasAtMostAThousandSessionsAndTheOldestEnds(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, bob := api.User("ana"), api.User("bob") // whose sessions are the first of theirs
		second := ana.Session()
		for range 997 {
			api.Exec(fmt.Sprintf("INSERT INTO sessions (user_id, created_at, last_used_at, expires_at, address, user_agent) VALUES (%d, %s, %s, %s, '', '')",
				ana.ID, kit.Ago(0), kit.Ago(0), kit.Ago(-time.Hour)))
		}
		ana.Session()
		ana.AssertIn()
		ana.Session()
		assert.Equal(t, http.StatusUnauthorized, ana.Get(kit.MePath).Status, "at once, though it was just seen")
		second.AssertIn()
		assert.EqualValues(t, 1000, second.Get("/api/auth/sessions/").JSON["count"])
		ana.Session()
		second.AssertOut()
		bob.AssertIn()
	})
}
