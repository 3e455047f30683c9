package accounts

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
	"healthcare/tests/kit"
)

func limited(cfg *config.Config) { cfg.AuthRateLimit = 3 }

func TestTooManyLoginsAreThrottled(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.Nobody().Post(kit.RegisterPath, kit.Somebody).Expect(http.StatusCreated)
		credentials := kit.Object{"username": "ana", "password": kit.Password}
		c := api.Nobody()
		c.Token = api.Nobody().Post(kit.LoginPath, credentials).Expect(http.StatusOK).JSON["access"].(string)
		api.Nobody().Post(kit.LoginPath, kit.Object{"username": "ana", "password": "wrong"}).Expect(http.StatusUnauthorized)
		before := api.Contents()
		for i, forged := range []string{"", "203.0.113.1", "2001:db8::1", "127.0.0.2, 10.0.0.1"} {
			for _, r := range []*kit.Response{
				api.Nobody().Do("POST", kit.LoginPath, credentials, "X-Forwarded-For", forged, "X-Real-IP", forged, "Forwarded", "for="+forged),
				api.Nobody().Do("POST", kit.RegisterPath, kit.With(kit.Somebody, "username", fmt.Sprint("eve", i)), "X-Forwarded-For", forged),
			} {
				assert.Equal(t, http.StatusTooManyRequests, r.Status)
				assert.Equal(t, "throttled", r.JSON["code"])
				assert.Regexp(t, `^([1-9]|[1-5]\d|6[01])$`, r.Header.Get("Retry-After"))
			}
		}
		assert.Equal(t, before, api.Contents())
		for range 5 { // the rest of the API is not limited
			c.Get(kit.MePath).Expect(http.StatusOK)
		}
	}, limited)
}

func TestEachClientBehindATrustedProxyIsCountedForItself(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		statusFor := func(client string) int {
			return api.Nobody().Do("POST", kit.LoginPath, kit.Object{"username": "ana", "password": "wrong"}, "X-Forwarded-For", client).Status
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
	}, limited, kit.BehindProxy)
}

func TestAWrongForwardedAddressCountsAsTheProxys(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for i, status := range []int{401, 401, 401, 429} {
			r := api.Nobody().Do("POST", kit.LoginPath, kit.Object{"username": "ana", "password": "wrong"}, "X-Forwarded-For", fmt.Sprint("nonsense", i))
			assert.Equal(t, status, r.Status)
		}
	}, limited, kit.BehindProxy)
}
