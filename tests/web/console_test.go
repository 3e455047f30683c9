package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/console"
	"healthcare/tests/kit"
)

const policyOfConsole = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"

// ofConsole reads the files of the console that a browser may load, by name.
func ofConsole(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(console.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := console.Files.ReadFile(name)
		files[name] = string(content)
		return err
	}))
	require.NotEmpty(t, files)
	return files
}

func TestEachPathOfTheConsoleIsTheSamePage(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		page := api.Nobody().Get("/console").Expect(http.StatusOK)
		for _, path := range []string{"/console", "/console/", "/console/patients/5", "/console/patients/5/history/", "/console/none", "/console/app.js", "/console/files"} {
			r := api.Nobody().Get(path).Expect(http.StatusOK)
			assert.Equal(t, page.Raw, r.Raw, path)
			assert.Equal(t, policyOfConsole, r.Header.Get("Content-Security-Policy"), path)
			assert.Equal(t, "no-cache", r.Header.Get("Cache-Control"), path)
			assert.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"), path)
		}
		api.Nobody().Do("GET", "/console/patients", nil, "If-None-Match", page.Header.Get("ETag")).Expect(http.StatusNotModified)
		assert.NotContains(t, page.Raw, "style=")
		assert.NotRegexp(t, `<script(?: type="module")?>`, page.Raw)
		for _, address := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page.Raw, -1) {
			api.Nobody().Get(address[1]).Expect(http.StatusOK)
		}
	})
}

func TestTheFilesOfTheConsoleNeverChange(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		page := api.Nobody().Get("/console").Raw
		folder := regexp.MustCompile(`/console/files/[0-9a-f]{16}/`).FindString(page)
		require.NotEmpty(t, folder)
		for name, content := range ofConsole(t) {
			packed := api.Nobody().Do("GET", folder+name, nil, "Accept-Encoding", "br, gzip").Expect(http.StatusOK)
			assert.Equal(t, "gzip", packed.Header.Get("Content-Encoding"), name)
			unpacker, err := gzip.NewReader(strings.NewReader(packed.Raw))
			require.NoError(t, err)
			unpacked, err := io.ReadAll(unpacker)
			require.NoError(t, err)
			if strings.HasPrefix(name, "vendor/") {
				assert.Equal(t, content, string(unpacked), name)
			}
			lines := strings.Split(string(unpacked), "\n")
			for i, line := range strings.Split(content, "\n") {
				if lines[i] == line {
					continue
				}
				unsent, found := strings.CutPrefix(strings.TrimLeft(line, " "), lines[i])
				assert.True(t, found, "%s: %s", name, line)
				assert.Regexp(t, `^$|^ ?//|^/\*`, unsent, "%s: only comments and indentation may differ", name)
			}

			plain := api.Nobody().Do("GET", folder+name, nil, "Accept-Encoding", "identity").Expect(http.StatusOK)
			assert.Equal(t, string(unpacked), plain.Raw, name)
			for _, r := range []*kit.Response{packed, plain} {
				assert.Equal(t, "public, max-age=31536000, immutable", r.Header.Get("Cache-Control"), name)
				assert.Contains(t, r.Header.Values("Vary"), "Accept-Encoding", name)
				assert.Regexp(t, "^text/(javascript|css); charset=utf-8$", r.Header.Get("Content-Type"), name)
			}
			if strings.HasSuffix(name, ".js") {
				assert.Contains(t, page, `<link rel="modulepreload" href="`+folder+name+`">`)
			}
		}
		for _, path := range []string{folder, folder + "none.js", folder + "index.html", folder + "../app.js", "/console/files/0000000000000000/app.js", folder + "console.go"} {
			api.Nobody().Get(path).Expect(http.StatusNotFound)
		}
		api.Nobody().Post(folder+"app.js", nil).Expect(http.StatusMethodNotAllowed)
	})
}

func TestTheConsoleIsSmall(t *testing.T) {
	t.Parallel()
	site, err := console.New()
	require.NoError(t, err)
	var page bytes.Buffer
	w := gzip.NewWriter(&page)
	_, err = w.Write(site.Shell)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	size := page.Len()
	for _, packed := range site.Packed {
		size += len(packed)
	}
	assert.LessOrEqual(t, size, 60_000, "bytes, compressed")
	assert.LessOrEqual(t, len(site.Packed)+1, 25, "files")
	for name, content := range ofConsole(t) {
		if !strings.HasPrefix(name, "texts/") && !strings.HasPrefix(name, "vendor/") {
			assert.LessOrEqual(t, strings.Count(content, "\n"), 250, name)
		}
	}
}

func TestTheConsoleMakesNoMarkupOfTextAndNoCodeOfIt(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|unsafeHTML|unsafeSVG|unsafeStatic|\beval\b|new Function|` +
		`createPolicy|setTimeout\("|javascript:|style=|https?://`)
	stores := regexp.MustCompile(`(localStorage|sessionStorage)\.setItem`)
	for name, content := range ofConsole(t) {
		if strings.HasPrefix(name, "vendor/") {
			continue
		}
		assert.Empty(t, forbidden.FindAllString(content, -1), name)
		if found := stores.FindAllString(content, -1); len(found) > 0 {
			assert.Contains(t, []string{"api.js", "text.js"}, name, "the page that goes leaves its token; wishes are kept")
			assert.Len(t, found, 1, name)
		}
		assert.NotContains(t, content, "indexedDB", name)
		assert.NotContains(t, content, "document.cookie", name)
	}
}

func TestLitHTMLIsAsPublished(t *testing.T) {
	t.Parallel()
	sums, err := os.ReadFile(kit.Root("console", "vendor", "SHA256SUMS"))
	require.NoError(t, err)
	const published = "b878e7f95dec8a9b6e9b217faca6b6a11bad82ebc44c0caa77419ed83edd81f2" // lit-html.js of lit-html 3.3.3
	assert.Equal(t, published+"  lit-html.js\n", string(sums))
	sum := sha256.Sum256([]byte(ofConsole(t)["vendor/lit-html.js"]))
	assert.Equal(t, published, hex.EncodeToString(sum[:]))
	licence, err := os.ReadFile(kit.Root("console", "vendor", "LICENSE"))
	require.NoError(t, err)
	assert.Contains(t, string(licence), "BSD 3-Clause License")
}

func TestEveryTextOfTheConsoleIsInEveryLanguage(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`(?m)^  (?:"([^"]+)"|(\w+)):`)
	placeholder := regexp.MustCompile(`\{\w+\}`)
	keys, places := map[string][]string{}, map[string]map[string][]string{}
	files := ofConsole(t)
	for _, language := range []string{"en", "de", "fr"} {
		places[language] = map[string][]string{}
		for line := range strings.Lines(files["texts/"+language+".js"]) {
			found := key.FindStringSubmatch(line)
			if found == nil {
				continue
			}
			name := found[1] + found[2]
			keys[language] = append(keys[language], name)
			all := placeholder.FindAllString(line, -1)
			slices.Sort(all)
			places[language][name] = slices.Compact(all)
		}
	}
	require.Greater(t, len(keys["en"]), 200)
	for _, language := range []string{"de", "fr"} {
		assert.Equal(t, keys["en"], keys[language], language)
		assert.Equal(t, places["en"], places[language], language)
	}
	used := regexp.MustCompile(`\bt\((?:[^()"]*\? )?"([a-z_.]+)"`)
	for name, content := range files {
		for _, found := range used.FindAllStringSubmatch(content, -1) {
			assert.Contains(t, keys["en"], found[1], name)
		}
	}
}
