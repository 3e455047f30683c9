package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

func TestEveryPathWorksWithAndWithoutItsSlash(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		for _, p := range append([]string{"/healthz", "/readyz", kit.MePath, "/api/patients/1/", "/api/doctors/1/"}, kit.Lists...) {
			p = strings.TrimSuffix(p, "/")
			assert.Equal(t, ana.Get(p).Expect(http.StatusOK).JSON, ana.Get(p+"/").Expect(http.StatusOK).JSON)
		}
		for i, slash := range []string{"", "/"} {
			ana.Post("/api/patients"+slash, kit.Object{"name": "Paul"}).Expect(http.StatusCreated)
			ana.Put("/api/patients/1"+slash, kit.Object{"name": "Put"}).Expect(http.StatusOK)
			ana.Patch("/api/patients/1"+slash, kit.Object{"name": "Patched"}).Expect(http.StatusOK)
			ana.Patch("/api/auth/me"+slash, kit.Object{"first_name": "A"}).Expect(http.StatusOK)
			ana.Post("/api/doctor/mappings/1/remove"+slash, kit.Object{"doctor_id": 1}).Expect(http.StatusOK)
			ana.Post("/api/doctor/mappings"+slash, kit.Object{"doctor_id": 1, "patient_id": 1}).Expect(http.StatusCreated)
			ana.Delete(strings.TrimSuffix(kit.Path("patients", i+2), "/") + slash).Expect(http.StatusNoContent)
			api.Nobody().Post("/api/auth/login"+slash, kit.Object{"username": "ana", "password": kit.Password}).Expect(http.StatusOK)
		}
	})
}

func TestAnUnknownPathIsNotFound(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for _, p := range []string{"/api", "/api/", "/api/nurses/", "/api/patients//", "/api/patients/1/x/", "/API/patients/", "//api/patients/", "/api/../etc/passwd", "/api/patients/1/remove/", "/static/x", "/.env", "/healthcare.db"} {
			for _, c := range []*kit.Client{ana, api.Nobody()} {
				for _, method := range []string{"GET", "POST", "DELETE"} {
					r := c.Do(method, p, nil)
					assert.Equal(t, http.StatusNotFound, r.Status, p)
					assert.Equal(t, "not_found", r.JSON["code"], p)
				}
			}
		}
	})
}

func TestHeadAnswersLikeGetWithoutABody(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		for _, p := range append([]string{"/healthz", "/readyz", kit.MePath, "/api/patients/1", "/api/doctors/1/", "/api/patients/99/", "/api/patients/?page=7", "/api/none/"}, kit.Lists...) {
			get, head := ana.Get(p), ana.Do("HEAD", p, nil)
			assert.Equal(t, get.Status, head.Status, p)
			assert.Empty(t, head.Raw, p)
			for _, name := range []string{"Content-Type", "Cache-Control", "X-Content-Type-Options"} {
				assert.Equal(t, get.Header.Get(name), head.Header.Get(name), p)
			}
		}
		assert.Equal(t, http.StatusUnauthorized, api.Nobody().Do("HEAD", "/api/patients/", nil).Status)
	})
}

// methods are the paths with the methods that each has.
var methods = map[string]string{
	kit.RegisterPath: "OPTIONS, POST", kit.LoginPath: "OPTIONS, POST", kit.MePath: "GET, HEAD, OPTIONS, PATCH",
	"/api/patients/": "GET, HEAD, OPTIONS, POST", "/api/patients/1/": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
	"/api/doctors/": "GET, HEAD, OPTIONS, POST", "/api/doctors/1/": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
	"/api/mappings/": "GET, HEAD, OPTIONS, POST", "/api/mappings/1/": "DELETE, GET, HEAD, OPTIONS",
	"/api/doctor/mappings/": "GET, HEAD, OPTIONS, POST", "/api/doctor/mappings/1/": "GET, HEAD, OPTIONS", "/api/doctor/mappings/1/remove/": "OPTIONS, POST",
	"/healthz": "GET, HEAD, OPTIONS", "/readyz": "GET, HEAD, OPTIONS",
}

func TestAMethodThatAPathHasNotIsRefusedAndTheOthersTold(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		before := api.Contents()
		for p, allow := range methods {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
				if strings.Contains(allow, method) && method != "OPTIONS" {
					continue
				}
				r := ana.Do(method, p, nil)
				assert.Equal(t, allow, r.Header.Get("Allow"), method+" "+p)
				if method == "OPTIONS" {
					assert.Equal(t, http.StatusNoContent, r.Status, p)
				} else {
					assert.Equal(t, http.StatusMethodNotAllowed, r.Status, method+" "+p)
				}
				if r.JSON != nil {
					assert.Equal(t, "method_not_allowed", r.JSON["code"])
				}
			}
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestEveryAnswerCarriesSecurityHeaders(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		for _, r := range []*kit.Response{
			ana.Get("/api/patients/"), ana.Get("/api/patients/9/"), ana.Get("/none"), ana.Put(kit.MePath, nil), api.Nobody().Get(kit.MePath), ana.Delete("/api/mappings/1/"), ana.Get("/healthz"),
		} {
			for name, value := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Access-Control-Allow-Origin": "", "Server": "", "X-Powered-By": "",
			} {
				assert.Equal(t, value, r.Header.Get(name), name)
			}
		}
		assert.Equal(t, "application/json; charset=utf-8", ana.Get(kit.MePath).Header.Get("Content-Type"))
	})
}

func TestARequestKeepsItsIdIfThatIsAPlainWord(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for _, id := range []string{"abc-123", "0", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", strings.Repeat("x", 64)} {
			assert.Equal(t, id, ana.Do("GET", kit.MePath, nil, "X-Request-ID", id).Header.Get("X-Request-ID"))
			assert.Contains(t, api.Log.String(), "request_id="+id)
		}
		seen := map[string]bool{}
		for _, id := range []string{"", "two words", "<script>", `x" level=ERROR`, "ü", strings.Repeat("x", 65)} {
			given := ana.Do("GET", "/api/none/", nil, "X-Request-ID", id).Header.Get("X-Request-ID")
			assert.Regexp(t, "^[A-Z2-7]{20,}$", given, id)
			assert.False(t, seen[given])
			seen[given] = true
		}
	})
}

func TestBrowsersOfAllowedOriginsMayCall(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		preflight := func(origin string) *kit.Response {
			return api.Nobody().Do("OPTIONS", "/api/patients/1/", nil, "Origin", origin, "Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "authorization,content-type")
		}
		r := preflight("https://app.example.org").Expect(http.StatusNoContent)
		assert.Equal(t, "https://app.example.org", r.Header.Get("Access-Control-Allow-Origin"))
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			assert.Contains(t, r.Header.Get("Access-Control-Allow-Methods"), method)
		}
		for _, header := range []string{"Authorization", "Content-Type", "If-Match", "Idempotency-Key"} {
			assert.Contains(t, r.Header.Get("Access-Control-Allow-Headers"), header)
		}
		for _, r := range []*kit.Response{
			ana.Do("GET", kit.MePath, nil, "Origin", "https://app.example.org"), ana.Do("GET", "/api/patients/7/", nil, "Origin", "https://app.example.org"),
			api.Nobody().Do("GET", kit.MePath, nil, "Origin", "https://app.example.org"),
		} {
			assert.Equal(t, "https://app.example.org", r.Header.Get("Access-Control-Allow-Origin"))
			assert.Contains(t, r.Header.Get("Access-Control-Expose-Headers"), "Retry-After")
			assert.Contains(t, r.Header.Values("Vary"), "Origin")
			assert.Empty(t, r.Header.Get("Access-Control-Allow-Credentials"))
		}
		for _, origin := range []string{"https://evil.example.org", "http://app.example.org", "https://app.example.org.evil.org", "null", "https://app.example.org:8443"} {
			for _, r := range []*kit.Response{preflight(origin), ana.Do("GET", kit.MePath, nil, "Origin", origin)} {
				assert.Less(t, r.Status, 300, origin)
				assert.Contains(t, r.Header.Values("Vary"), "Origin")
				for name := range r.Header {
					assert.False(t, strings.HasPrefix(name, "Access-Control-"), origin+name)
				}
			}
		}
	}, func(cfg *config.Config) {
		var origin config.Origin
		require.NoError(t, origin.UnmarshalText([]byte("HTTPS://App.Example.org:443/"))) // no browser writes it so
		cfg.CORSAllowedOrigins = []config.Origin{origin}
	})
}
