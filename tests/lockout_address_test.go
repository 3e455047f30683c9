package tests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
)

func TestAnIPv6AddressCountsAsItsNetwork(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		for i := range 5 {
			api.tryLogin("ana", "a wrong guess", from(fmt.Sprintf("2001:db8:1:2:%x::%x", i+1, i))...).Expect(http.StatusUnauthorized)
		}
		assertLocked(t, api.tryLogin("ana", password, from("2001:db8:1:2:ffff::1")...), 15*60)
		api.tryLogin("ana", password, from("2001:db8:1:3::1")...).Expect(http.StatusOK)
		assert.Equal(t, 5, api.count("SELECT count(*) FROM login_failures WHERE network = '2001:db8:1:2::/64'"))
	}, behindProxy)
}

func TestAnIPv4AddressCountsAlikeHoweverItIsWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.fail(5, "ana", from("::ffff:192.0.2.1")...)
		assertLocked(t, api.tryLogin("ana", password, from("192.0.2.1")...), 15*60)
	}, behindProxy)
}

func TestAForgedForwardedAddressDoesNotHelp(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		for i := range 5 {
			api.tryLogin("ana", "a wrong guess", from(fmt.Sprintf("192.0.2.%d", i))...).Expect(http.StatusUnauthorized)
		}
		for _, headers := range [][]string{
			nil, from("192.0.2.99"), {"X-Real-IP", "192.0.2.99"}, {"Forwarded", "for=192.0.2.99"}, {"CF-Connecting-IP", "192.0.2.99"},
			{"True-Client-IP", "192.0.2.99"}, {"X-Client-IP", "192.0.2.99"}, {"X-Appengine-Remote-Addr", "192.0.2.99"},
		} {
			assertLocked(t, api.tryLogin("ana", password, headers...), 15*60)
		}
		assert.Equal(t, 5, api.count("SELECT count(*) FROM login_failures WHERE network = '127.0.0.1'"))
	})
}

// What the client itself puts into X-Forwarded-For stands to the left of, or in a line above, what the proxy adds.
func TestBehindAProxyOnlyWhatTheProxyAddedCounts(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		for i := range 5 {
			api.tryLogin("ana", "a wrong guess", from(fmt.Sprintf("192.0.2.%d, 203.0.113.9", i))...).Expect(http.StatusUnauthorized)
		}
		assertLocked(t, api.tryLogin("ana", password, from("192.0.2.99, 203.0.113.9")...), 15*60)
		assertLocked(t, api.tryLogin("ana", password, from("192.0.2.99,not an address,203.0.113.9")...), 15*60)
		r := api.Nobody().twoLines("192.0.2.99", "203.0.113.9")
		assertLocked(t, r, 15*60)
	}, behindProxy)
}

// twoLines logs in as ana with two X-Forwarded-For lines, as some proxies send them.
func (c *Client) twoLines(above, below string) *Response {
	c.t.Helper()
	body := strings.NewReader(`{"username": "ana", "password": "` + password + `"}`)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.api.URL+"/api/auth/login/", body)
	require.NoError(c.t, err)
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Forwarded-For": {above, below}}
	return c.send(req)
}

func TestTheRateLimitIsOfOneAddressAndTellsWhenToComeBack(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		here := from("2001:db8:1:2::1")
		for range 3 {
			api.refreshFrom(here).Expect(http.StatusUnauthorized)
		}
		for _, path := range []string{"refresh", "login", "register"} {
			r := api.Nobody().Do("POST", "/api/auth/"+path+"/", doc{}, from("2001:db8:1:2::99")...).Expect(http.StatusTooManyRequests)
			assert.Equal(t, "throttled", r.JSON["code"], path)
		}
		api.refreshFrom(from("2001:db8:1:3::1")).Expect(http.StatusUnauthorized)
		api.Nobody().Do("POST", "/api/auth/verify/", doc{"token": "x"}, here...).Expect(http.StatusUnauthorized)
	}, behindProxy, func(cfg *config.Config) { cfg.AuthRateLimit = 3 })
}

func (api *API) refreshFrom(headers []string) *Response {
	api.t.Helper()
	return api.Nobody().Do("POST", "/api/auth/refresh/", doc{"refresh": "rubbish"}, headers...)
}
