package accounts

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, token string) kit.Object {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var o kit.Object
	require.NoError(t, json.Unmarshal(text, &o))
	return o
}

func TestAnAccessTokenIsRefusedUnlessThisServerMadeItForASession(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s, eve := api.User("ana").Session(), api.User("eve")
		in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
		claims := func(change func(kit.Object)) kit.Object {
			c := claimsOf(t, s.Token)
			change(c)
			return c
		}
		without := func(name string) string {
			return kit.SignToken(t, "HS256", kit.JWTSecret, claims(func(c kit.Object) { delete(c, name) }))
		}
		set := func(name string, value any) string {
			return kit.SignToken(t, "HS256", kit.JWTSecret, claims(func(c kit.Object) { c[name] = value }))
		}
		part := strings.Split(s.Token, ".")
		for name, token := range map[string]string{
			"forged":               part[0] + "." + part[1] + "." + strings.Split(eve.Token, ".")[2],
			"another's claims":     part[0] + "." + strings.Split(eve.Token, ".")[1] + "." + part[2],
			"wrong key":            kit.SignToken(t, "HS256", "another-secret-of-another-clinic-9876543210", claimsOf(t, s.Token)),
			"no key":               kit.SignToken(t, "HS256", "", claimsOf(t, s.Token)),
			"alg none":             kit.SignToken(t, "none", "", claimsOf(t, s.Token)),
			"alg None":             kit.SignToken(t, "None", "", claimsOf(t, s.Token)),
			"alg RS256":            kit.SignToken(t, "RS256", "", claimsOf(t, s.Token)),
			"cut by one":           s.Token[:len(s.Token)-1],
			"without signature":    part[0] + "." + part[1] + ".",
			"two parts":            part[0] + "." + part[1],
			"expired":              set("exp", in(-time.Second)),
			"without exp":          without("exp"),
			"exp null":             set("exp", nil),
			"exp in words":         set("exp", "tomorrow"),
			"exp as text":          set("exp", strconv.FormatInt(in(time.Hour), 10)),
			"exp 0":                set("exp", 0),
			"exp -1":               set("exp", -1),
			"exp -1e300":           set("exp", -1e300),
			"exp fractional":       set("exp", float64(in(time.Hour))+0.5),
			"exp almost 0":         set("exp", 1e-300),
			"exp huge":             set("exp", 1e15),
			"exp beyond int64":     set("exp", 1e19),
			"exp beyond all":       set("exp", 1e300),
			"exp list":             set("exp", []int64{in(time.Hour)}),
			"exp true":             set("exp", true),
			"not valid yet":        set("nbf", in(time.Hour)),
			"of a lost account":    set("opened", "1"),
			"opened as a number":   set("opened", 1),
			"without typ":          without("typ"),
			"typ refresh":          set("typ", "refresh"),
			"without sid":          without("sid"),
			"sid as number":        set("sid", 2),
			"sid of no session":    set("sid", "77"),
			"sid of another":       set("sid", "3"),
			"sid in SQL":           set("sid", "2 OR 1=1"),
			"sid empty":            set("sid", ""),
			"without sub":          without("sub"),
			"sub of another":       set("sub", "2"),
			"sub as number":        set("sub", 1),
			"sub too large":        set("sub", "9223372036854775808"),
			"a refresh token":      s.Refresh,
			"rubbish":              "rubbish",
			"a string with spaces": "a b",
		} {
			for _, r := range []*kit.Response{
				api.Nobody().Do("GET", "/api/auth/me/", nil, "Authorization", "Bearer "+token),
				s.VerifyToken(token),
			} {
				assert.Equal(t, http.StatusUnauthorized, r.Status, "%s: %s", name, r.Raw)
				assert.Equal(t, "token_not_valid", r.JSON["code"], name)
				for _, word := range []string{"signature", "segment", "claim", "alg"} {
					assert.NotContains(t, r.Raw, word, name)
				}
			}
		}
		// What was refused was refused for its one fault: the same claims, rightly signed, are let in.
		(&kit.Client{T: t, API: api, Token: kit.SignToken(t, "HS256", kit.JWTSecret, claimsOf(t, s.Token))}).AssertIn()
	})
}

func TestNoSpellingOfATokenOutlivesItsSession(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		s := api.User("ana").Session()
		spellings := []string{}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		signature := s.Token[strings.LastIndex(s.Token, ".")+1:]
		want, err := base64.RawURLEncoding.DecodeString(signature)
		require.NoError(t, err)
		for _, last := range alphabet { // four of them spell the same bytes
			other := signature[:len(signature)-1] + string(last)
			if got, err := base64.RawURLEncoding.DecodeString(other); err == nil && string(got) == string(want) {
				spellings = append(spellings, strings.TrimSuffix(s.Token, signature)+other)
			}
		}
		require.Len(t, spellings, 4)
		spellings = append(spellings, s.Token+"=", s.Token+"\t")
		s.Post("/api/auth/logout/", nil).Expect(http.StatusNoContent)
		for _, token := range spellings {
			(&kit.Session{Client: &kit.Client{T: t, API: api, Token: token}, Refresh: s.Refresh}).AssertAccessOut()
		}
	})
}

func TestVerifyNeedsAToken(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, body := range []kit.Object{{}, {"token": ""}, {"token": nil}, {"token": 1}} {
			r := api.Nobody().Post("/api/auth/verify/", body).Expect(http.StatusBadRequest)
			assert.NotEmpty(t, r.Error("token"), body)
		}
		r := api.Nobody().Post("/api/auth/verify/", kit.Object{"token": "x", "tokn": "y"}).Expect(http.StatusBadRequest)
		assert.NotEmpty(t, r.Error("tokn"))
	})
}
