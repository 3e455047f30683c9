package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestTheDescriptionIsRight(t *testing.T) {
	doc, err := kit.Description()
	require.NoError(t, err)
	if err := doc.Validate(t.Context()); err != nil {
		says, _, _ := strings.Cut(strings.ReplaceAll(err.Error(), "validation failed due to: ", ""), "\n") // then the schema follows
		t.Errorf("docs/openapi.yaml: %s", says)
	}
}

func TestTheDescriptionHasJustTheRoutesThatExist(t *testing.T) {
	doc, err := kit.Description()
	require.NoError(t, err)
	var documented, registered []string
	ids := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			documented = append(documented, method+" "+path)
			assert.NotEmpty(t, op.Summary, path)
			assert.False(t, ids[op.OperationID], "%s is there twice", op.OperationID)
			ids[op.OperationID] = true
		}
	}
	param := regexp.MustCompile(`[:*]([a-z_]+)`)
	for _, r := range kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t))).Routes {
		path := param.ReplaceAllString(r.Path, "{$1}")
		if strings.HasPrefix(path, "/api/") {
			path += "/"
		}
		registered = append(registered, r.Method+" "+path)
	}
	assert.ElementsMatch(t, documented, registered)
}

func TestTheDescriptionDeclaresEachStatusByItself(t *testing.T) {
	doc, err := kit.Description()
	require.NoError(t, err)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			assert.Nil(t, op.Responses.Default(), "%s %s", method, path)
		}
	}
}

// What the checks of every other test rest on.
func TestTheDescriptionRefusesWhatItDoesNotSay(t *testing.T) {
	const problem = `{"type":"about:blank","title":"Not Found","status":404,"detail":"Not found.","code":"not_found","request_id":"x"}`
	const user = `{"id":1,"username":"ana","email":"ana@example.org","first_name":"","last_name":"","is_staff":false,"is_active":true,"created_at":"2026-11-21T09:30:00Z"}`
	asked := func(method, path, body string) *http.Request {
		req, err := http.NewRequest(method, "http://test"+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		return req
	}
	header := func(contentType string) http.Header {
		return http.Header{"Content-Type": {contentType}, "X-Request-Id": {"x"}, "Cache-Control": {"no-store"}}
	}
	const asJSON, asProblem = "application/json; charset=utf-8", "application/problem+json"
	bare := header(asJSON)
	bare.Del("X-Request-Id")
	strange, vague := header(asJSON), header(asProblem)
	strange.Set("X-Request-Id", "two words")
	vague.Set("Retry-After", "soon")

	for name, c := range map[string]struct {
		req    *http.Request
		status int
		header http.Header
		body   string
		says   string
	}{
		"right":                   {asked("GET", "/api/auth/me", ""), 200, header(asJSON), user, ""},
		"right, a problem":        {asked("GET", "/api/patients/x/", ""), 404, header(asProblem), problem, ""},
		"right, text is trimmed":  {asked("PATCH", "/api/auth/me/", `{"email":" ana@example.org "}`), 200, header(asJSON), user, ""},
		"a status":                {asked("GET", "/api/auth/me/", ""), 404, header(asProblem), problem, "does not declare the status 404"},
		"a route":                 {asked("GET", "/api/nothing/", ""), 200, header(asJSON), user, "but it answers"},
		"an unknown code":         {asked("GET", "/api/patients/1/", ""), 404, header(asProblem), strings.Replace(problem, "not_found", "lost", 1), "/code"},
		"a field of an answer":    {asked("GET", "/api/auth/me/", ""), 200, header(asJSON), strings.Replace(user, "{", `{"password":"x",`, 1), "password"},
		"a missing field":         {asked("GET", "/api/auth/me/", ""), 200, header(asJSON), strings.Replace(user, `"is_staff":false,`, "", 1), "is_staff"},
		"a time zone":             {asked("GET", "/api/auth/me/", ""), 200, header(asJSON), strings.Replace(user, `00Z`, "00+01:00", 1), "created_at"},
		"a media type":            {asked("GET", "/api/auth/me/", ""), 200, header("text/html"), user, "text/html"},
		"a missing header":        {asked("GET", "/api/auth/me/", ""), 200, bare, user, "X-Request-ID"},
		"a value in a header":     {asked("GET", "/api/auth/me/", ""), 200, strange, user, "X-Request-ID"},
		"a number in a header":    {asked("GET", "/api/auth/me/", ""), 503, vague, problem, "Retry-After"},
		"a field of a request":    {asked("PATCH", "/api/auth/me/", `{"emial":"a@example.org"}`), 200, header(asJSON), user, "emial"},
		"a value in a request":    {asked("PATCH", "/api/auth/me/", `{"email":"ana"}`), 200, header(asJSON), user, "email"},
		"a parameter":             {asked("GET", "/api/patients/?gendre=male", ""), 200, header(asJSON), `{"count":0,"next":null,"previous":null,"results":[]}`, "gendre"},
		"a value of a parameter":  {asked("GET", "/api/patients/?gender=x", ""), 200, header(asJSON), `{"count":0,"next":null,"previous":null,"results":[]}`, "gender"},
		"a field of a row":        {asked("GET", "/api/patients/", ""), 200, header(asJSON), `{"count":0,"next":null,"previous":null,"results":[{}]}`, "/results/0"},
		"a request's body at all": {asked("POST", "/api/mappings/", ""), 201, header(asJSON), `{}`, "the answer"},
		"a version":               {asked("GET", "/api/patients/1/", ""), 200, header(asJSON), `{}`, "ETag"},
	} {
		err := kit.CheckDescribed(c.req, c.status, c.header, c.body)
		if c.says == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.says, name)
		}
	}
}
