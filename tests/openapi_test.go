package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/docs"
)

// description is docs/openapi.yaml, ready to check requests and answers against. kin-openapi knows routes, parameters
// and headers; the bodies' schemas, which it would compile anew each time, are compiled once.
type description struct {
	doc     *openapi3.T
	router  routers.Router
	schemas *jsonschema.Compiler
	mu      sync.Mutex // of schemas
}

var described = sync.OnceValues(func() (*description, error) {
	asJSON, err := docs.OpenAPIJSON()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // it is served from anywhere
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	return &description{doc: doc, router: router, schemas: compiler}, compiler.AddResource("openapi.json", tree)
})

// checkDescribed asserts that the description holds what was asked and answered: the status and the answer always, the
// request if it was accepted.
func checkDescribed(req *http.Request, status int, header http.Header, body string) error {
	d, err := described()
	if err != nil {
		return err
	}
	in := &openapi3filter.RequestValidationInput{Request: documentedForm(req), Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: true, ExcludeResponseBody: true, SkipSettingDefaults: true,
	}}
	in.Route, in.PathParams, err = d.router.FindRoute(in.Request)
	if err != nil {
		// Not in the description. The set of routes is compared elsewhere, so this is a path or a method that does not exist.
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed && req.Method != http.MethodOptions {
			return fmt.Errorf("%w, but it answers", err)
		}
		return nil
	}
	op, place := in.Route.Operation, "/paths/"+escape(in.Route.Path)+"/"+strings.ToLower(in.Route.Method)
	declared := op.Responses.Status(status)
	if declared == nil {
		return fmt.Errorf("%s does not declare the status %d", op.OperationID, status)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: in.Options}
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		return err
	}
	if req.Method != http.MethodHead {
		at := d.resolve(fmt.Sprintf("%s/responses/%d", place, status), declared.Ref)
		if err := d.checkBody(at, declared.Value.Content, header, []byte(body)); err != nil {
			return fmt.Errorf("the answer: %w", err)
		}
	}
	if status >= 300 {
		return nil
	}
	return d.checkRequest(in, place)
}

// checkRequest asserts that a request which was accepted is one that the description allows.
func (d *description) checkRequest(in *openapi3filter.RequestValidationInput, place string) error {
	op := in.Route.Operation
	for name := range in.Request.URL.Query() {
		// The API ignores what it does not know; these are the names that tests send to see that.
		if op.Parameters.GetByInAndName("query", name) == nil && !slices.Contains([]string{"colour", "nonsense", "unknown"}, name) {
			return fmt.Errorf("%s does not declare the parameter %q", op.OperationID, name)
		}
	}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		return err
	}
	if op.RequestBody == nil || in.Request.GetBody == nil {
		return nil
	}
	body, err := in.Request.GetBody()
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(body)
	if err != nil || len(raw) == 0 && !op.RequestBody.Value.Required {
		return err
	}
	at := d.resolve(place+"/requestBody", op.RequestBody.Ref)
	if err := d.checkBody(at, op.RequestBody.Value.Content, in.Request.Header, trimmed(raw)); err != nil {
		return fmt.Errorf("the request: %w", err)
	}
	return nil
}

// checkBody compares a body with what the description has at a place.
func (d *description) checkBody(place string, content openapi3.Content, header http.Header, body []byte) error {
	if len(content) == 0 {
		if len(body) > 0 {
			return errors.New("has a body, but none is declared")
		}
		return nil
	}
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if content[media] == nil {
		return fmt.Errorf("is %q, which is not declared", media)
	}
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	d.mu.Lock()
	schema, err := d.schemas.Compile("openapi.json#" + place + "/content/" + escape(media) + "/schema")
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// resolve is where a response or a body stands, which may be among the components.
func (d *description) resolve(place, ref string) string {
	if ref != "" {
		return strings.TrimPrefix(ref, "#")
	}
	return place
}

func escape(token string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
}

var hugeNumber = regexp.MustCompile(`^[0-9]{19,}$`)

// documentedForm is a request as the description has it: GET for HEAD, a slash at the end of the API's paths, no empty
// parameters, which count as absent, and no numbers that kin-openapi cannot read.
func documentedForm(req *http.Request) *http.Request {
	r := req.Clone(context.Background())
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	if strings.HasPrefix(path, "/api/") || path == "" {
		path += "/"
	}
	r.URL.Path, r.URL.RawPath = path, ""
	query := r.URL.Query()
	for name := range query {
		if value := query.Get(name); strings.TrimSpace(value) == "" {
			query.Del(name)
		} else if hugeNumber.MatchString(value) {
			query.Set(name, value[:18])
		}
	}
	r.URL.RawQuery = query.Encode()
	return r
}

// trimmed is a body with the blanks around its texts removed, as the API removes them before it checks.
func trimmed(raw []byte) []byte {
	var object map[string]any
	if json.Unmarshal(raw, &object) != nil {
		return raw
	}
	for name, value := range object {
		if text, ok := value.(string); ok && !strings.Contains(name, "password") {
			object[name] = strings.TrimSpace(text)
		}
	}
	out, err := json.Marshal(object)
	if err != nil {
		return raw
	}
	return out
}

func TestTheDescriptionHasJustTheRoutesThatExist(t *testing.T) {
	d, err := described()
	require.NoError(t, err)
	var documented, registered []string
	ids := map[string]bool{}
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			documented = append(documented, method+" "+path)
			assert.NotEmpty(t, op.Summary, path)
			assert.False(t, ids[op.OperationID], "%s is there twice", op.OperationID)
			ids[op.OperationID] = true
		}
	}
	param := regexp.MustCompile(`[:*]([a-z_]+)`)
	for _, r := range start(t, baseConfig(freshSQLite(t))).Routes {
		path := param.ReplaceAllString(r.Path, "{$1}")
		if strings.HasPrefix(path, "/api/") {
			path += "/"
		}
		registered = append(registered, r.Method+" "+path)
	}
	assert.ElementsMatch(t, documented, registered)
}

func TestTheDescriptionDeclaresEachStatusByItself(t *testing.T) {
	d, err := described()
	require.NoError(t, err)
	for path, item := range d.doc.Paths.Map() {
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
		"a field of a request":    {asked("PATCH", "/api/auth/me/", `{"emial":"a@example.org"}`), 200, header(asJSON), user, "emial"},
		"a value in a request":    {asked("PATCH", "/api/auth/me/", `{"email":"ana"}`), 200, header(asJSON), user, "email"},
		"a parameter":             {asked("GET", "/api/patients/?gendre=male", ""), 200, header(asJSON), `{"count":0,"next":null,"previous":null,"results":[]}`, "gendre"},
		"a value of a parameter":  {asked("GET", "/api/patients/?gender=x", ""), 200, header(asJSON), `{"count":0,"next":null,"previous":null,"results":[]}`, "gender"},
		"a field of a row":        {asked("GET", "/api/patients/", ""), 200, header(asJSON), `{"count":0,"next":null,"previous":null,"results":[{}]}`, "/results/0"},
		"a request's body at all": {asked("POST", "/api/mappings/", ""), 201, header(asJSON), `{}`, "the answer"},
		"a version":               {asked("GET", "/api/patients/1/", ""), 200, header(asJSON), `{}`, "ETag"},
	} {
		err := checkDescribed(c.req, c.status, c.header, c.body)
		if c.says == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.says, name)
		}
	}
}
