package accounts

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestAnAccountHasAtMostAHundredSessionsAndTheOldestEnds(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, bob := api.User("ana"), api.User("bob") // whose sessions are the first of theirs
		second := ana.Session()
		for range 98 {
			ana.Session()
		}
		ana.AssertIn()
		ana.Session()
		assert.Equal(t, http.StatusUnauthorized, ana.Get(kit.MePath).Status, "at once, though it was just seen")
		second.AssertIn()
		assert.EqualValues(t, 100, second.Get("/api/auth/sessions/").JSON["count"])
		ana.Session()
		second.AssertOut()
		bob.AssertIn()
	})
}
