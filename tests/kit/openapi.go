package kit

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

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/unicode/norm"

	"healthcare/docs"
	"healthcare/models"
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

// Description is docs/openapi.yaml, read. Whether it is right, its examples too, one test asks; all others only need to
// read it.
func Description() (*openapi3.T, error) {
	d, err := described()
	if err != nil {
		return nil, err
	}
	return d.doc, nil
}

// CheckDescribed asserts that the description holds what was asked and answered: the status and the answer always, the
// request if it was accepted. Its error is short.
func CheckDescribed(req *http.Request, status int, header http.Header, body string) error {
	d, err := described()
	if err == nil {
		err = d.check(req, status, header, body)
	}
	if err != nil {
		return fmt.Errorf("%.500s", err.Error())
	}
	return nil
}

func (d *description) check(req *http.Request, status int, header http.Header, body string) (err error) {
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
	minimal := body == "" && prefers(req, "return=minimal") // which the document cannot say
	if req.Method != http.MethodHead && !minimal {
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

func prefers(req *http.Request, what string) bool {
	return strings.Contains(strings.Join(req.Header.Values("Prefer"), ","), what)
}

// checkRequest asserts that a request which was accepted is one that the description allows.
func (d *description) checkRequest(in *openapi3filter.RequestValidationInput, place string) error {
	op := in.Route.Operation
	for name := range in.Request.URL.Query() {
		// The API ignores what it does not know; these are the names that tests send to see that. FHIR does if asked to be lenient.
		ignored := slices.Contains([]string{"colour", "nonsense", "unknown"}, name) || prefers(in.Request, "handling=lenient")
		if op.Parameters.GetByInAndName("query", name) == nil && !ignored {
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
	if screen, ok := strings.CutPrefix(path, "/console/"); ok { // which may hold slashes
		path = "/console/" + strings.ReplaceAll(screen, "/", "-")
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

// trimmed is a body with its texts trimmed and its names in NFKC, as the API makes them before it checks.
func trimmed(raw []byte) []byte {
	var object map[string]any
	if json.Unmarshal(raw, &object) != nil {
		return raw
	}
	for name, value := range object {
		if text, ok := value.(string); ok && !strings.Contains(name, "password") {
			object[name] = models.Trim(text)
			if name == "username" || name == "email" {
				object[name] = norm.NFKC.String(models.Trim(text))
			}
		}
	}
	out, err := json.Marshal(object)
	if err != nil {
		return raw
	}
	return out
}
