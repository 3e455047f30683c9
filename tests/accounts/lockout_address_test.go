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

// forwarded maps what stands in X-Forwarded-For to the network that a login from there counts for, behind a proxy.
var forwarded = map[string]string{
	"203.0.113.5:4711":                         "203.0.113.5",
	"[2001:db8:1:2::1]:80":                     "2001:db8:1:2::/64",
	"[2001:db8:1:2::1]":                        "2001:db8:1:2::/64",
	"2001:db8:1:2::1":                          "2001:db8:1:2::/64",
	"[::ffff:203.0.113.6]:80":                  "203.0.113.6",
	"192.0.2.1:1,\t203.0.113.7:4711 ":          "203.0.113.7",
	"not an address:1, 203.0.113.8:4711":       "203.0.113.8",
	"203.0.113.10:4711, 127.0.0.1:9, [::1]:9 ": "::/64", // the last of those that are no proxies
	"203.0.113.11:4711,127.0.0.1:9":            "203.0.113.11",
	// Whatever a proxy did not understand, the client may have written.
	"203.0.113.5:":          "127.0.0.1",
	"203.0.113.5:65536":     "127.0.0.1",
	"203.0.113.5:4711:1":    "127.0.0.1",
	"203.0.113.5:4711,":     "127.0.0.1",
	"203.0.113.5, unknown":  "127.0.0.1",
	"[203.0.113.5":          "127.0.0.1",
	"[]":                    "127.0.0.1",
	"2001:db8:1:2::1]:80":   "127.0.0.1",
	"[fe80::1%eth0]:80":     "127.0.0.1",
	":4711":                 "127.0.0.1",
	"[[2001:db8:1:2::1]]:1": "127.0.0.1",
}

func countsFor(api *kit.API, header string) string {
	api.T.Helper()
	api.Exec("DELETE FROM login_failures")
	api.TryLogin("ana", "a wrong guess", from(header)...).Expect(http.StatusUnauthorized)
	return api.Text("SELECT network FROM login_failures")
}

func TestAForwardedAddressMayHaveAPort(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		for header, network := range forwarded {
			assert.Equal(t, network, countsFor(api, header), "%q", header)
		}
	}, kit.BehindProxy)
}

func TestAForwardedAddressWithAPortIsBelievedFromProxiesOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		for header := range forwarded {
			assert.Equal(t, "127.0.0.1", countsFor(api, header), "%q", header)
		}
	})
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
