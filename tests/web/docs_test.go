package web

import (
	"html"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/docs"
	"healthcare/tests/kit"
)

func TestThePagesAndTheirFilesAreServed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for path, contentType := range map[string]string{
			"/":                          "text/html; charset=utf-8",
			"/accept":                    "text/html; charset=utf-8",
			"/docs/accept.js":            "text/javascript; charset=utf-8",
			"/docs":                      "text/html; charset=utf-8",
			"/docs/":                     "text/html; charset=utf-8",
			"/docs/pages.css":            "text/css; charset=utf-8",
			"/docs/init.js":              "text/javascript; charset=utf-8",
			"/docs/icon.svg":             "image/svg+xml",
			"/docs/swagger-ui.css":       "text/css; charset=utf-8",
			"/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
			"/openapi.yaml":              "application/yaml",
			"/openapi.json":              "application/json",
		} {
			r := api.Nobody().Do("GET", path, nil, "Accept-Encoding", "gzip").Expect(http.StatusOK)
			assert.Equal(t, contentType, r.Header.Get("Content-Type"), path)
			assert.Equal(t, "no-cache", r.Header.Get("Cache-Control"), path)
			assert.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"), path)
			assert.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none';", path)
			assert.NotContains(t, r.Header.Get("Content-Security-Policy"), "http", path)
			assert.NotEmpty(t, r.Raw, path)

			etag := r.Header.Get("ETag")
			head := api.Nobody().Do("HEAD", path, nil, "Accept-Encoding", "gzip").Expect(http.StatusOK)
			assert.Equal(t, etag, head.Header.Get("ETag"), path)
			assert.Empty(t, head.Raw, path)
			for _, tags := range []string{etag, "W/" + etag, `"other", ` + etag} {
				assert.Empty(t, api.Nobody().Do("GET", path, nil, "Accept-Encoding", "gzip", "If-None-Match", tags).Expect(http.StatusNotModified).Raw, path)
			}
			api.Nobody().Do("GET", path, nil, "If-None-Match", `"other"`).Expect(http.StatusOK)
			api.Nobody().Post(path, nil).Expect(http.StatusMethodNotAllowed)
		}
	})
}

func TestFilesThatDoNotExistAreNotFound(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, path := range []string{
			"/docs/none.js", "/docs/swagger-ui.css.gz", "/docs/..%2fopenapi.yaml", "/docs/assets", "/docs/home.html", "/openapi", "/index.html",
		} {
			api.Nobody().Get(path).Expect(http.StatusNotFound)
		}
	})
}

func TestACompressedFileIsTheSameFile(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		const path = "/docs/swagger-ui.css"
		plain := api.Nobody().Do("GET", path, nil, "Accept-Encoding", "identity").Expect(http.StatusOK)
		small := api.Nobody().Do("GET", path, nil, "Accept-Encoding", "br, gzip").Expect(http.StatusOK)
		assert.Equal(t, "gzip", small.Header.Get("Content-Encoding"))
		assert.Empty(t, plain.Header.Get("Content-Encoding"))
		assert.Contains(t, plain.Raw, ".swagger-ui")
		assert.Less(t, len(small.Raw), len(plain.Raw)/2)
		for _, r := range []*kit.Response{plain, small} {
			assert.Contains(t, r.Header.Values("Vary"), "Accept-Encoding")
		}
		assert.NotEqual(t, plain.Header.Get("ETag"), small.Header.Get("ETag"))
	})
}

func TestPagesLoadNothingFromElsewhereAndRunNoInlineScript(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		loaded := regexp.MustCompile(`(?:src|href)="([^"]*)"`)
		for _, path := range []string{"/", "/docs"} {
			r := api.Nobody().Get(path).Expect(http.StatusOK)
			for _, found := range loaded.FindAllStringSubmatch(r.Raw, -1) {
				assert.Regexp(t, `^(/[^/]|/$|#)`, found[1], path)
			}
			assert.NotRegexp(t, `<script>|<script [^>]*>[^<]|<style| style=| on[a-z]+=`, r.Raw, path)
			assert.NotContains(t, r.Header.Get("Content-Security-Policy"), "script-src 'unsafe", path)
		}
	})
}

func TestTheHomePageSaysWhatRunsHereAndNotWhere(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		page := api.Nobody().Get("/").Expect(http.StatusOK).Raw
		kind, other := "SQLite", "PostgreSQL"
		if api.IsPostgres() {
			kind, other = other, kind
		}
		assert.Contains(t, page, "<dd>"+kind+"</dd>")
		assert.NotContains(t, page, other)
		for _, database := range []string{api.Config.Database.Postgres, api.Config.Database.SQLite} {
			assert.True(t, database == "" || !strings.Contains(page, database))
		}
		assert.Contains(t, page, "curl "+api.URL+"/api/auth/register/")
	})
}

func TestTheHomePageSaysWhereToGoNext(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		_, next, found := strings.Cut(api.Nobody().Get("/").Expect(http.StatusOK).Raw, "Where to go next")
		require.True(t, found)
		for _, place := range []string{`<a href="/docs">`, "<code>healthcare demo</code>", "<code>README.md</code>"} {
			assert.Contains(t, next, place)
		}
	})
}

func TestTheHomePagesCommandsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		page := api.Nobody().Get("/").Expect(http.StatusOK).Raw
		var script []string
		for _, found := range regexp.MustCompile(`(?s)<code>((?:curl|TOKEN).*?)</code></pre>`).FindAllStringSubmatch(page, -1) {
			script = append(script, html.UnescapeString(found[1]))
		}
		require.Len(t, script, 3)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Join(script, "\n")).Output()
		require.NoError(t, err)
		assert.Contains(t, string(out), "User registered successfully.")
		assert.Contains(t, string(out), `{"count":0,"next":null,"previous":null,"results":[]}`)
	})
}

func TestTheHomePageBelievesTheHostOfATrustedProxyOnly(t *testing.T) {
	for name, trusted := range map[string]string{"trusted": "127.0.0.1", "not trusted": "192.0.2.1"} {
		t.Run(name, func(t *testing.T) {
			kit.OnBoth(t, func(t *testing.T, api *kit.API) {
				r := api.Nobody().Do("GET", "/", nil, "X-Forwarded-Host", "clinic.example", "X-Forwarded-Proto", "https").Expect(http.StatusOK)
				assert.Equal(t, name == "trusted", strings.Contains(r.Raw, "curl https://clinic.example/api/auth/register/"))
				assert.Equal(t, name == "trusted", strings.Contains(r.Raw, "clinic.example"))
			}, func(cfg *config.Config) {
				var proxy config.Network
				require.NoError(t, proxy.UnmarshalText([]byte(trusted)))
				cfg.TrustedProxies = []config.Network{proxy}
			})
		})
	}
}

func TestTheDescriptionIsServedAsItIsWritten(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		assert.Equal(t, string(docs.OpenAPI), api.Nobody().Get("/openapi.yaml").Expect(http.StatusOK).Raw)
		assert.Equal(t, "3.1.1", api.Nobody().Get("/openapi.json").Expect(http.StatusOK).JSON["openapi"])
	})
}
