package tests

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
)

// protected are the routes that need a token.
var protected = []string{
	"GET /api/auth/me/", "PATCH /api/auth/me/",
	"POST /api/patients/", "GET /api/patients/", "GET /api/patients/1/", "PUT /api/patients/1/", "PATCH /api/patients/1/", "DELETE /api/patients/1/",
	"POST /api/doctors/", "GET /api/doctors/", "GET /api/doctors/1/", "PUT /api/doctors/1/", "PATCH /api/doctors/1/", "DELETE /api/doctors/1/",
	"POST /api/mappings/", "GET /api/mappings/", "GET /api/mappings/1/", "DELETE /api/mappings/1/",
	"POST /api/doctor/mappings/", "GET /api/doctor/mappings/", "GET /api/doctor/mappings/1/", "POST /api/doctor/mappings/1/remove/",
}

// everyTable puts one row of ana's into each table and returns her.
func everyTable(api *API) *Client {
	ana := api.User("ana")
	ana.Assign(ana.Patient("Petra"), ana.Doctor("Dora")).Expect(http.StatusCreated)
	return ana
}

func TestEveryRouteButRegisterAndLoginNeedsAToken(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		everyTable(api)
		before := api.contents()
		stranger := api.Nobody()
		for _, route := range protected {
			method, path, _ := strings.Cut(route, " ")
			for _, path := range []string{path, strings.TrimSuffix(path, "/")} {
				stranger.Token = ""
				r := stranger.Do(method, path, object{"name": "Mallory"})
				assert.Equal(t, http.StatusUnauthorized, r.Status, route)
				assert.Equal(t, "not_authenticated", r.JSON["code"], route)
				stranger.Token = "forged"
				r = stranger.Do(method, path, object{"name": "Mallory"})
				assert.Equal(t, http.StatusUnauthorized, r.Status, route)
				assert.Equal(t, "token_not_valid", r.JSON["code"], route)
				absent(t, r.Raw, "Petra", "Dora")
			}
		}
		assert.Equal(t, before, api.contents())
	})
}

func TestATokenIsRefusedUnlessThisServerSignedItForAnAccount(t *testing.T) {
	const key, day = "a-secret-that-only-the-tests-use-0123456789", 24 * time.Hour
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		good := object{"sub": "1", "sid": "1", "typ": "access", "exp": in(day), "orig_iat": in(0)}
		headOf := strings.Split(ana.Token, ".")
		unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		for name, authorization := range map[string]string{
			"scheme only":        "Bearer",
			"scheme and space":   "Bearer ",
			"other scheme":       "Basic YW5hOnB3",
			"no scheme":          ana.Token,
			"rubbish":            "Bearer rubbish",
			"three dots":         "Bearer ...",
			"cut":                "Bearer " + ana.Token[:len(ana.Token)-8],
			"longer":             "Bearer " + ana.Token + "AAAA",
			"without signature":  "Bearer " + headOf[0] + "." + headOf[1] + ".",
			"two parts":          "Bearer " + headOf[0] + "." + headOf[1],
			"header replaced":    "Bearer " + unsigned + "." + headOf[1] + "." + headOf[2],
			"none":               "Bearer " + token(t, "none", "", good),
			"None":               "Bearer " + token(t, "None", "", good),
			"no algorithm":       "Bearer " + token(t, "", "", good),
			"HS384":              "Bearer " + token(t, "HS384", key, good),
			"HS512":              "Bearer " + token(t, "HS512", key, good),
			"another key":        "Bearer " + token(t, "HS256", "another-secret-of-another-clinic-9876543210", good),
			"empty key":          "Bearer " + token(t, "HS256", "", good),
			"expired":            "Bearer " + token(t, "HS256", key, with(good, "exp", in(-time.Minute))),
			"expiry in words":    "Bearer " + token(t, "HS256", key, with(good, "exp", "tomorrow")),
			"expiry null":        "Bearer " + token(t, "HS256", key, with(good, "exp", nil)),
			"no expiry":          "Bearer " + token(t, "HS256", key, without(good, "exp")),
			"not yet":            "Bearer " + token(t, "HS256", key, with(good, "nbf", in(day))),
			"another type":       "Bearer " + token(t, "HS256", key, with(good, "typ", "refresh")),
			"no type":            "Bearer " + token(t, "HS256", key, without(good, "typ")),
			"no account":         "Bearer " + token(t, "HS256", key, with(good, "sub", "")),
			"account of nobody":  "Bearer " + token(t, "HS256", key, with(good, "sub", "77")),
			"account in words":   "Bearer " + token(t, "HS256", key, with(good, "sub", "ana")),
			"account as SQL":     "Bearer " + token(t, "HS256", key, with(good, "sub", "1 OR 1=1")),
			"account as number":  "Bearer " + token(t, "HS256", key, with(good, "sub", 1)),
			"account as list":    "Bearer " + token(t, "HS256", key, with(good, "sub", []string{"1"})),
			"account too large":  "Bearer " + token(t, "HS256", key, with(good, "sub", "9223372036854775808")),
			"no session":         "Bearer " + token(t, "HS256", key, without(good, "sid")),
			"session of nobody":  "Bearer " + token(t, "HS256", key, with(good, "sid", "77")),
			"session as number":  "Bearer " + token(t, "HS256", key, with(good, "sid", 1)),
			"claims of identity": "Bearer " + token(t, "HS256", key, object{"identity": 1, "exp": in(day)}),
		} {
			r := api.Nobody().Do("GET", me, nil, "Authorization", authorization)
			assert.Equal(t, http.StatusUnauthorized, r.Status, name)
			assert.Equal(t, "token_not_valid", r.JSON["code"], name)
			absent(t, r.Raw, "ana@example.org", "signature", "segments", "expired")
		}
		// The same claims, rightly signed, are let in: what was refused was refused for its one fault.
		api.Nobody().Do("GET", me, nil, "Authorization", "Bearer "+token(t, "HS256", key, good)).Expect(http.StatusOK)
	})
}

func TestTokensCountInTheAuthorizationHeaderOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		good := api.User("ana").Token
		for _, query := range []string{"?token=" + good, "?access=" + good, "?jwt=" + good} {
			assert.Equal(t, http.StatusUnauthorized, api.Nobody().Get(me+query).Status)
		}
		for _, header := range [][2]string{{"Cookie", "jwt=" + good}, {"Cookie", "token=" + good}, {"X-Token", good}} {
			assert.Equal(t, http.StatusUnauthorized, api.Nobody().Do("GET", me, nil, header[0], header[1]).Status)
		}
	})
}

func TestTokensExpire(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		refused := func() bool { return ana.Get(me).Status == http.StatusUnauthorized }
		assert.Eventually(t, refused, waitLimit, 50*time.Millisecond)
		assert.Equal(t, 1.0, ana.Login().JSON["expires_in"])
	}, func(cfg *config.Config) { cfg.AccessTokenTTL = time.Second })
}

func TestADisabledAccountIsOutAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := everyTable(api)
		account := path("users", ana.ID)
		boss := api.Staff("boss")
		boss.Patch(account, object{"is_active": false}).Expect(http.StatusOK)
		before := api.contents()
		for _, route := range protected {
			method, path, _ := strings.Cut(route, " ")
			r := ana.Do(method, path, object{"name": "Mallory"})
			assert.Equal(t, http.StatusUnauthorized, r.Status, route)
			assert.Equal(t, "token_not_valid", r.JSON["code"], route)
		}
		assert.Equal(t, before, api.contents())
		// Enabled again, it needs a new login: its sessions have ended.
		boss.Patch(account, object{"is_active": true}).Expect(http.StatusOK)
		ana.Get(me).Expect(http.StatusUnauthorized)
		ana.Login()
		ana.Get(me).Expect(http.StatusOK)
	})
}
