package tests

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
)

func limited(cfg *config.Config) { cfg.AuthRateLimit = 3 }

func behindProxy(cfg *config.Config) {
	cfg.TrustedProxies = []config.Network{{Prefix: netip.MustParsePrefix("127.0.0.1/32")}}
}

func TestTooManyLoginsAreThrottled(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.Nobody().Post(register, somebody).Expect(http.StatusCreated)
		credentials := object{"username": "ana", "password": password}
		c := api.Nobody()
		c.Token = api.Nobody().Post(login, credentials).Expect(http.StatusOK).JSON["access"].(string)
		api.Nobody().Post(login, object{"username": "ana", "password": "wrong"}).Expect(http.StatusUnauthorized)
		before := api.contents()
		for i, forged := range []string{"", "203.0.113.1", "2001:db8::1", "127.0.0.2, 10.0.0.1"} {
			for _, r := range []*Response{
				api.Nobody().Do("POST", login, credentials, "X-Forwarded-For", forged, "X-Real-IP", forged, "Forwarded", "for="+forged),
				api.Nobody().Do("POST", register, with(somebody, "username", fmt.Sprint("eve", i)), "X-Forwarded-For", forged),
			} {
				assert.Equal(t, http.StatusTooManyRequests, r.Status)
				assert.Equal(t, "throttled", r.JSON["code"])
				assert.Regexp(t, `^([1-9]|[1-5]\d|6[01])$`, r.Header.Get("Retry-After"))
			}
		}
		assert.Equal(t, before, api.contents())
		for range 5 { // the rest of the API is not limited
			c.Get(me).Expect(http.StatusOK)
		}
	}, limited)
}

func TestEachClientBehindATrustedProxyIsCountedForItself(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		statusFor := func(client string) int {
			return api.Nobody().Do("POST", login, object{"username": "ana", "password": "wrong"}, "X-Forwarded-For", client).Status
		}
		for range 3 {
			assert.Equal(t, http.StatusUnauthorized, statusFor("203.0.113.1"))
		}
		assert.Equal(t, http.StatusTooManyRequests, statusFor("203.0.113.1"))
		assert.Equal(t, http.StatusTooManyRequests, statusFor("198.51.100.7, 203.0.113.1")) // what the client wrote itself does not count
		assert.Equal(t, http.StatusTooManyRequests, statusFor("::ffff:203.0.113.1"))
		assert.Equal(t, http.StatusUnauthorized, statusFor("203.0.113.2"))

		for i := range 3 { // an IPv6 client has a whole /64
			assert.Equal(t, http.StatusUnauthorized, statusFor(fmt.Sprintf("2001:db8:1:2::%d", i)))
		}
		assert.Equal(t, http.StatusTooManyRequests, statusFor("2001:db8:1:2:ffff:ffff:ffff:ffff"))
		assert.Equal(t, http.StatusUnauthorized, statusFor("2001:db8:1:3::1"))
	}, limited, behindProxy)
}

func TestAWrongForwardedAddressCountsAsTheProxys(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		for i, status := range []int{401, 401, 401, 429} {
			r := api.Nobody().Do("POST", login, object{"username": "ana", "password": "wrong"}, "X-Forwarded-For", fmt.Sprint("nonsense", i))
			assert.Equal(t, status, r.Status)
		}
	}, limited, behindProxy)
}
