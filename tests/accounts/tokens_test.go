package accounts

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
	"healthcare/tests/kit"
)

// protected are the routes that need a token.
var protected = []string{
	"GET /api/auth/me/", "PATCH /api/auth/me/",
	"POST /api/patients/", "GET /api/patients/", "GET /api/patients/1/", "PUT /api/patients/1/", "PATCH /api/patients/1/", "DELETE /api/patients/1/",
	"POST /api/doctors/", "GET /api/doctors/", "GET /api/doctors/1/", "PUT /api/doctors/1/", "PATCH /api/doctors/1/", "DELETE /api/doctors/1/",
	"POST /api/mappings/", "GET /api/mappings/", "GET /api/mappings/1/", "DELETE /api/mappings/1/",
	"POST /api/doctor/mappings/", "GET /api/doctor/mappings/", "GET /api/doctor/mappings/1/", "POST /api/doctor/mappings/1/remove/",
}

func TestEveryRouteButRegisterAndLoginNeedsAToken(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		kit.EveryTable(api)
		before := api.Contents()
		stranger := api.Nobody()
		for _, route := range protected {
			method, path, _ := strings.Cut(route, " ")
			for _, path := range []string{path, strings.TrimSuffix(path, "/")} {
				stranger.Token = ""
				r := stranger.Do(method, path, kit.Object{"name": "Mallory"})
				assert.Equal(t, http.StatusUnauthorized, r.Status, route)
				assert.Equal(t, "not_authenticated", r.JSON["code"], route)
				stranger.Token = "forged"
				r = stranger.Do(method, path, kit.Object{"name": "Mallory"})
				assert.Equal(t, http.StatusUnauthorized, r.Status, route)
				assert.Equal(t, "token_not_valid", r.JSON["code"], route)
				kit.Absent(t, r.Raw, "Petra", "Dora")
			}
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestATokenIsRefusedUnlessThisServerSignedItForAnAccount(t *testing.T) {
	const key, day = kit.JWTSecret, 24 * time.Hour
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		good := kit.Object{"sub": "1", "sid": "1", "typ": "access", "exp": in(day), "orig_iat": in(0)}
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
			"none":               "Bearer " + kit.SignToken(t, "none", "", good),
			"None":               "Bearer " + kit.SignToken(t, "None", "", good),
			"no algorithm":       "Bearer " + kit.SignToken(t, "", "", good),
			"HS384":              "Bearer " + kit.SignToken(t, "HS384", key, good),
			"HS512":              "Bearer " + kit.SignToken(t, "HS512", key, good),
			"another key":        "Bearer " + kit.SignToken(t, "HS256", "another-secret-of-another-clinic-9876543210", good),
			"empty key":          "Bearer " + kit.SignToken(t, "HS256", "", good),
			"expired":            "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "exp", in(-time.Minute))),
			"expiry in words":    "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "exp", "tomorrow")),
			"expiry null":        "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "exp", nil)),
			"no expiry":          "Bearer " + kit.SignToken(t, "HS256", key, kit.Without(good, "exp")),
			"not yet":            "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "nbf", in(day))),
			"another type":       "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "typ", "refresh")),
			"no type":            "Bearer " + kit.SignToken(t, "HS256", key, kit.Without(good, "typ")),
			"no account":         "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sub", "")),
			"account of nobody":  "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sub", "77")),
			"account in words":   "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sub", "ana")),
			"account as SQL":     "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sub", "1 OR 1=1")),
			"account as number":  "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sub", 1)),
			"account as list":    "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sub", []string{"1"})),
			"account too large":  "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sub", "9223372036854775808")),
			"no session":         "Bearer " + kit.SignToken(t, "HS256", key, kit.Without(good, "sid")),
			"session of nobody":  "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sid", "77")),
			"session as number":  "Bearer " + kit.SignToken(t, "HS256", key, kit.With(good, "sid", 1)),
			"claims of identity": "Bearer " + kit.SignToken(t, "HS256", key, kit.Object{"identity": 1, "exp": in(day)}),
		} {
			r := api.Nobody().Do("GET", kit.MePath, nil, "Authorization", authorization)
			assert.Equal(t, http.StatusUnauthorized, r.Status, name)
			assert.Equal(t, "token_not_valid", r.JSON["code"], name)
			kit.Absent(t, r.Raw, "ana@example.org", "signature", "segments", "expired")
		}
		// The same claims, rightly signed, are let in: what was refused was refused for its one fault.
		api.Nobody().Do("GET", kit.MePath, nil, "Authorization", "Bearer "+kit.SignToken(t, "HS256", key, good)).Expect(http.StatusOK)
	})
}

func TestTokensCountInTheAuthorizationHeaderOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		good := api.User("ana").Token
		for _, query := range []string{"?token=" + good, "?access=" + good, "?jwt=" + good} {
			assert.Equal(t, http.StatusUnauthorized, api.Nobody().Get(kit.MePath+query).Status)
		}
		for _, header := range [][2]string{{"Cookie", "jwt=" + good}, {"Cookie", "token=" + good}, {"X-Token", good}} {
			assert.Equal(t, http.StatusUnauthorized, api.Nobody().Do("GET", kit.MePath, nil, header[0], header[1]).Status)
		}
	})
}

func TestTokensExpire(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		refused := func() bool { return ana.Get(kit.MePath).Status == http.StatusUnauthorized }
		assert.Eventually(t, refused, kit.WaitLimit, 50*time.Millisecond)
		assert.Equal(t, 1.0, ana.Login().JSON["expires_in"])
	}, func(cfg *config.Config) { cfg.AccessTokenTTL = time.Second })
}

func TestADisabledAccountIsOutAtOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		account := kit.Path("users", ana.ID)
		boss := api.Staff("boss")
		boss.Patch(account, kit.Object{"is_active": false}).Expect(http.StatusOK)
		before := api.Contents()
		for _, route := range protected {
			method, path, _ := strings.Cut(route, " ")
			r := ana.Do(method, path, kit.Object{"name": "Mallory"})
			assert.Equal(t, http.StatusUnauthorized, r.Status, route)
			assert.Equal(t, "token_not_valid", r.JSON["code"], route)
		}
		assert.Equal(t, before, api.Contents())
		// Enabled again, it needs a new login: its sessions have ended.
		boss.Patch(account, kit.Object{"is_active": true}).Expect(http.StatusOK)
		ana.Get(kit.MePath).Expect(http.StatusUnauthorized)
		ana.Login()
		ana.Get(kit.MePath).Expect(http.StatusOK)
	})
}
