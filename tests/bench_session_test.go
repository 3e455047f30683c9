package tests

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"healthcare/models"
	"healthcare/tests/kit"
)

// BenchmarkSessionCheck tells what it costs a request that its session is checked: the look-up alone, a request that
// does little more, with a token that was seen before and with one that was not (which holds its being signed, some
// microseconds), one that needs no token, and one whose token is forged. Run it with
//
//	go test ./tests -run '^$' -bench SessionCheck
func BenchmarkSessionCheck(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(kit.Fresh)) {
		b.Run(name, func(b *testing.B) {
			if name == "postgres" && kit.Server == nil {
				b.Skip("POSTGRESQL WAS NOT MEASURED: there is no server")
			}
			cfg := kit.BaseConfig(kit.Fresh[name](b))
			db, handler := kit.Open(b, cfg, slog.DiscardHandler)
			user := kit.CreateAdmin(b, db, "ana")
			var in *models.SignIn
			for range 1000 { // so that the look-up has something to look through
				var err error
				in, err = kit.SignIn(b.Context(), db, models.Actor{User: *user}, "ana", kit.Password)
				require.NoError(b, err)
			}
			signed := 0
			fresh := func() string {
				signed++
				return kit.SignToken(b, "HS256", kit.JWTSecret, kit.Object{
					"sub": strconv.FormatInt(user.ID, 10), "sid": strconv.FormatInt(in.SessionID, 10), "typ": "access",
					"exp": time.Now().Add(time.Hour).Unix(), "jti": strconv.Itoa(signed),
				})
			}
			token := fresh()
			same := func() string { return token }

			b.Run("look-up alone", func(b *testing.B) {
				for b.Loop() {
					_, err := db.SessionUser(b.Context(), in.SessionID, user.ID)
					require.NoError(b, err)
				}
			})
			for _, c := range []struct {
				name, path string
				token      func() string
				status     int
			}{
				{"GET me, seen token", "/api/auth/me/", same, http.StatusOK},
				{"GET me, new token", "/api/auth/me/", fresh, http.StatusOK},
				{"GET me, forged token", "/api/auth/me/", func() string { return token + "x" }, http.StatusUnauthorized},
				{"GET healthz", "/healthz", func() string { return "" }, http.StatusOK},
			} {
				b.Run(c.name, func(b *testing.B) {
					for b.Loop() {
						r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, c.path, nil)
						r.Header.Set("Authorization", "Bearer "+c.token())
						w := httptest.NewRecorder()
						handler.ServeHTTP(w, r)
						if w.Code != c.status {
							text, _ := io.ReadAll(w.Body)
							b.Fatal(w.Code, string(text))
						}
					}
				})
			}
		})
	}
}
