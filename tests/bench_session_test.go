package tests

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"healthcare/apierror"
	"healthcare/models"
	"healthcare/routes"
)

// BenchmarkSessionCheck tells what it costs a request that its session is checked: the look-up alone, a request that
// does little more, with a token that was seen before and with one that was not (which holds its being signed, some
// microseconds), one that needs no token, and one whose token is forged. Run it with
//
//	go test ./tests -run '^$' -bench SessionCheck
func BenchmarkSessionCheck(b *testing.B) {
	databases := map[string]string{"sqlite": "sqlite:" + filepath.Join(b.TempDir(), "bench.db")}
	if server != nil {
		name := template + "_bench"
		require.NoError(b, server.create(name, ""))
		b.Cleanup(func() { require.NoError(b, server.drop(name)) })
		databases["postgres"] = server.database(name)
	}
	for _, name := range slices.Sorted(maps.Keys(databases)) {
		b.Run(name, func(b *testing.B) {
			cfg := baseConfig(databases[name])
			db, err := models.Open(b.Context(), cfg)
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, db.Close()) })
			handler, err := routes.New(cfg, db, slog.New(slog.DiscardHandler))
			require.NoError(b, err)

			user, err := db.CreateAdmin(b.Context(), models.Registration{
				UserFields: models.UserFields{Username: "ana", ProfileFields: models.ProfileFields{Email: "ana@example.org"}}, Password: password,
			})
			require.NoError(b, err)
			var in *models.SignIn
			for range 1000 { // so that the look-up has something to look through
				in, err = db.Login(b.Context(), models.Actor{User: *user}, func(in *models.Credentials) apierror.Fields {
					*in = models.Credentials{Username: "ana", Password: password}
					return apierror.Fields{}
				})
				require.NoError(b, err)
			}
			signed := 0
			fresh := func() string {
				signed++
				return signToken(b, "HS256", []byte(cfg.JWTSecret), doc{
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
