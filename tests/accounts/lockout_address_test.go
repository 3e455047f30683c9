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

func TestAnIPv6AddressCountsAsItsNetwork(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		for i := range 5 {
			api.TryLogin("ana", "a wrong guess", from(fmt.Sprintf("2001:db8:1:2:%x::%x", i+1, i))...).Expect(http.StatusUnauthorized)
		}
		assertLocked(t, api.TryLogin("ana", kit.Password, from("2001:db8:1:2:ffff::1")...), 15*60)
		api.TryLogin("ana", kit.Password, from("2001:db8:1:3::1")...).Expect(http.StatusOK)
		assert.Equal(t, 5, api.Count("SELECT count(*) FROM login_failures WHERE network = '2001:db8:1:2::/64'"))
	}, kit.BehindProxy)
}

func TestAnIPv4AddressCountsAlikeHoweverItIsWritten(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.FailLogins(5, "ana", from("::ffff:192.0.2.1")...)
		assertLocked(t, api.TryLogin("ana", kit.Password, from("192.0.2.1")...), 15*60)
	}, kit.BehindProxy)
}

func TestAForgedForwardedAddressDoesNotHelp(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		for i := range 5 {
			api.TryLogin("ana", "a wrong guess", from(fmt.Sprintf("192.0.2.%d", i))...).Expect(http.StatusUnauthorized)
		}
		for _, headers := range [][]string{
			nil, from("192.0.2.99"), {"X-Real-IP", "192.0.2.99"}, {"Forwarded", "for=192.0.2.99"}, {"CF-Connecting-IP", "192.0.2.99"},
			{"True-Client-IP", "192.0.2.99"}, {"X-Client-IP", "192.0.2.99"}, {"X-Appengine-Remote-Addr", "192.0.2.99"},
		} {
			assertLocked(t, api.TryLogin("ana", kit.Password, headers...), 15*60)
		}
		assert.Equal(t, 5, api.Count("SELECT count(*) FROM login_failures WHERE network = '127.0.0.1'"))
	})
}

// What the client itself puts into X-Forwarded-For stands to the left of, or in a line above, what the proxy adds.
func TestBehindAProxyOnlyWhatTheProxyAddedCounts(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		for i := range 5 {
			api.TryLogin("ana", "a wrong guess", from(fmt.Sprintf("192.0.2.%d, 203.0.113.9", i))...).Expect(http.StatusUnauthorized)
		}
		assertLocked(t, api.TryLogin("ana", kit.Password, from("192.0.2.99, 203.0.113.9")...), 15*60)
		assertLocked(t, api.TryLogin("ana", kit.Password, from("192.0.2.99,not an address,203.0.113.9")...), 15*60)
		r := twoLines(api.Nobody(), "192.0.2.99", "203.0.113.9")
		assertLocked(t, r, 15*60)
	}, kit.BehindProxy)
}

// twoLines logs in as ana with two X-Forwarded-For lines, as some proxies send them.
func twoLines(c *kit.Client, above, below string) *kit.Response {
	c.T.Helper()
	body := strings.NewReader(`{"username": "ana", "password": "` + kit.Password + `"}`)
	req, err := http.NewRequestWithContext(c.T.Context(), http.MethodPost, c.API.URL+"/api/auth/login/", body)
	require.NoError(c.T, err)
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Forwarded-For": {above, below}}
	return c.Send(req)
}

func TestTheRateLimitIsOfOneAddressAndTellsWhenToComeBack(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		here := from("2001:db8:1:2::1")
		for range 3 {
			refreshFrom(api, here).Expect(http.StatusUnauthorized)
		}
		for _, path := range []string{"refresh", "login", "register"} {
			r := api.Nobody().Do("POST", "/api/auth/"+path+"/", kit.Object{}, from("2001:db8:1:2::99")...).Expect(http.StatusTooManyRequests)
			assert.Equal(t, "throttled", r.JSON["code"], path)
		}
		refreshFrom(api, from("2001:db8:1:3::1")).Expect(http.StatusUnauthorized)
		api.Nobody().Do("POST", "/api/auth/verify/", kit.Object{"token": "x"}, here...).Expect(http.StatusUnauthorized)
	}, kit.BehindProxy, func(cfg *config.Config) { cfg.AuthRateLimit = 3 })
}

func refreshFrom(api *kit.API, headers []string) *kit.Response {
	api.T.Helper()
	return api.Nobody().Do("POST", "/api/auth/refresh/", kit.Object{"refresh": "rubbish"}, headers...)
}
