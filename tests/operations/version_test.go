package operations

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
	"healthcare/version"
)

const product = version.Name + " " + version.Number

func TestTheProgramSaysItsVersionItsCommitAndItsGo(t *testing.T) {
	t.Parallel()
	says := `^` + regexp.QuoteMeta(product) + `\ncommit: (not known, because it was built without git|[0-9a-f]{40}(, with changes that are not committed)?)\n` +
		`Go: ` + regexp.QuoteMeta(runtime.Version()) + `\n$`
	for _, args := range [][]string{{"version"}, {"--version"}} {
		code, out, err := kit.RunProgram(t, t.TempDir(), args, "DATABASE_URL=wrong") // it needs no configuration
		assert.Zero(t, code, args)
		assert.Regexp(t, says, out, args)
		assert.Empty(t, err, args)
	}
	code, _, _ := kit.RunProgram(t, t.TempDir(), []string{"version", "2"})
	assert.Equal(t, 2, code)
}

func TestNameAndVersionAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
	get := func(path string) string { return api.Nobody().Get(path).Expect(http.StatusOK).Raw }
	file := func(path ...string) string {
		content, err := os.ReadFile(kit.Root(path...))
		require.NoError(t, err)
		return string(content)
	}
	var postman struct{ Info struct{ Name string } }
	collection := file("docs", "healthcare.postman_collection.json")
	require.NoError(t, json.Unmarshal([]byte(collection), &postman))
	assert.Equal(t, version.Name, postman.Info.Name)
	assert.Contains(t, collection, `\"title\": \"`+version.Name+`\",\n    \"version\": \"`+version.Number+`\"`) // a saved answer

	readme := file("README.md")
	assert.Regexp(t, `^# `+version.Name+`\n`, readme)
	assert.Contains(t, file("deploy", "healthcare.service"), "\nDescription="+version.Name+"\n")
	banner := regexp.MustCompile(`\n(.*) on http://127\.0\.0\.1:8000/ with SQLite`).FindStringSubmatch(readme)
	require.NotNil(t, banner)
	assert.Equal(t, product, banner[1])
	newest := regexp.MustCompile(`(?m)^## (\d.*)$`).FindStringSubmatch(file("CHANGELOG.md"))
	require.NotNil(t, newest)
	assert.Equal(t, version.Number, newest[1])

	var description struct {
		Info struct{ Title, Version string }
	}
	require.NoError(t, json.Unmarshal([]byte(get("/openapi.json")), &description))
	assert.Equal(t, product, description.Info.Title+" "+description.Info.Version)
	home, reference := get("/"), get("/docs")
	assert.Contains(t, home, "<title>"+version.Name+"</title>")
	assert.Contains(t, home, "<dd>"+version.Number+"</dd>")
	assert.Contains(t, reference, "<title>"+version.Name+" reference</title>")
}
