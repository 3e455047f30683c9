package web

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// postmanItem is a folder or a request of a collection (format v2.1).
type postmanItem struct {
	Name    string
	Item    []postmanItem // of a folder
	Request struct {
		Method, Description string
		URL                 struct {
			Raw  string
			Path []string
		}
	}
	Event []struct {
		Listen string
		Script struct{ Exec []string }
	}
	Response []postmanExample
}

// postmanExample is a saved answer.
type postmanExample struct {
	Code     int
	Body     string
	Language string `json:"_postman_previewlanguage"`
}

// requests are the requests of all folders.
func (item postmanItem) requests() []postmanItem {
	if item.Item == nil {
		return []postmanItem{item}
	}
	var all []postmanItem
	for _, child := range item.Item {
		all = append(all, child.requests()...)
	}
	return all
}

// tests is the script that runs after the answer.
func (item postmanItem) tests() string {
	var lines []string
	for _, event := range item.Event {
		if event.Listen == "test" {
			lines = append(lines, event.Script.Exec...)
		}
	}
	return strings.Join(lines, "\n")
}

func postmanCollection(t *testing.T) postmanItem {
	content, err := os.ReadFile(kit.Root("docs", "healthcare.postman_collection.json"))
	require.NoError(t, err)
	var collection postmanItem
	require.NoError(t, json.Unmarshal(content, &collection))
	return collection
}

func TestThePostmanCollectionHasAFolderForEachResource(t *testing.T) {
	t.Parallel()
	var names []string
	for _, folder := range postmanCollection(t).Item {
		names = append(names, folder.Name)
	}
	assert.Subset(t, names, []string{"Authentication", "Patients", "Doctors", "Mappings", "Doctor mappings", "Errors to expect", "History", "Safe writes", "Sessions", "Staff"})
}

// A stale request fails here: without a token the router tells that a route is there (by 401, or 400 where none is
// needed) or that it is not (by 404 or 405).
func TestEveryPostmanRequestIsARoute(t *testing.T) {
	t.Parallel()
	cfg := kit.BaseConfig(kit.FreshSQLite(t))
	kit.WithMail(cfg)
	api := kit.Start(t, cfg)
	variable := regexp.MustCompile(`\{\{\w+\}\}`)
	for _, item := range postmanCollection(t).requests() {
		path, ok := strings.CutPrefix(item.Request.URL.Raw, "{{baseUrl}}")
		require.True(t, ok, "%s: %s", item.Name, item.Request.URL.Raw)
		path, _, _ = strings.Cut(path, "?")
		assert.Equal(t, path, "/"+strings.Join(item.Request.URL.Path, "/"), "%s: the two forms of the URL differ", item.Name)
		status := api.Nobody().Do(item.Request.Method, variable.ReplaceAllString(path, "1"), nil).Status
		shows405 := func(e postmanExample) bool { return e.Code == http.StatusMethodNotAllowed }
		if slices.ContainsFunc(item.Response, shows405) {
			assert.Equal(t, http.StatusMethodNotAllowed, status, item.Name)
			continue
		}
		assert.NotContains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, status, item.Name)
	}
}

func TestThePostmanCollectionHasEveryRouteOfTheAPI(t *testing.T) {
	t.Parallel()
	numbers, params := regexp.MustCompile(`/(\{\{\w+\}\}|\d+)`), regexp.MustCompile(`/:\w+`)
	shown := map[string]bool{}
	for _, item := range postmanCollection(t).requests() {
		path, _, _ := strings.Cut(strings.TrimPrefix(item.Request.URL.Raw, "{{baseUrl}}"), "?")
		shown[item.Request.Method+" "+numbers.ReplaceAllString(strings.TrimSuffix(path, "/"), "/#")] = true
	}
	for _, route := range kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t))).Routes {
		if strings.HasPrefix(route.Path, "/api/") {
			what := route.Method + " " + params.ReplaceAllString(route.Path, "/#")
			assert.True(t, shown[what], "%s is in no request of the collection", what)
		}
	}
}

func TestEveryPostmanRequestIsExplainedAssertedAndShown(t *testing.T) {
	t.Parallel()
	assertions, logins := 0, 0
	names := map[string]bool{}
	for _, item := range postmanCollection(t).requests() {
		assert.False(t, names[item.Name], "two requests are named %q", item.Name)
		names[item.Name] = true
		assert.NotEmpty(t, item.Request.Description, "%s has no description", item.Name)
		assert.Contains(t, item.tests(), "pm.response.to.have.status(", "%s does not assert the status", item.Name)
		assert.NotEmpty(t, item.Response, "%s has no example", item.Name)
		for _, example := range item.Response {
			assert.Contains(t, item.tests(), http.StatusText(example.Code), "%s: the example has another status", item.Name)
			if example.Code != http.StatusNoContent && example.Code != http.StatusNotModified && example.Language != "text" {
				assert.True(t, json.Valid([]byte(example.Body)), "%s: the example is not JSON", item.Name)
			}
		}
		assertions += strings.Count(item.tests(), "pm.test(")
		if regexp.MustCompile(`/auth/(register|login|refresh)/`).MatchString(item.Request.URL.Raw) {
			logins++
		}
	}
	assert.GreaterOrEqual(t, assertions, 80)
	assert.LessOrEqual(t, logins, 40, "a run must stay below the rate limit")
}
