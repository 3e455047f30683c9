package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"healthcare/docs"
)

// description is docs/openapi.yaml, ready to check requests and answers against. kin-openapi knows routes and
// parameters; the schemas of answers' headers and of bodies, which it would compile anew each time, are compiled once.
type description struct {
	doc      *openapi3.T
	router   routers.Router
	mu       sync.Mutex // of the two below
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by their place
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
	return &description{doc: doc, router: router, compiler: compiler, schemas: map[string]*jsonschema.Schema{}}, compiler.AddResource("openapi.json", tree)
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
	at := d.resolve(fmt.Sprintf("%s/responses/%d", place, status), declared.Ref)
	if req.Method != http.MethodHead {
		if err := d.checkHeaders(at, declared.Value.Headers, header); err != nil {
			return err
		}
	}
	minimal := body == "" && prefers(req, "return=minimal") // which the document cannot say
	if req.Method != http.MethodHead && !minimal {
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
	return d.validate(place+"/content/"+escape(media)+"/schema", value)
}

// checkHeaders compares an answer's headers with those that the description has at a place.
func (d *description) checkHeaders(place string, declared openapi3.Headers, sent http.Header) error {
	for name, header := range declared {
		text := sent.Get(name)
		if text == "" {
			if header.Value.Required {
				return fmt.Errorf("the answer lacks the header %s", name)
			}
			continue
		}
		var value any = text
		if number, err := strconv.Atoi(text); err == nil && header.Value.Schema.Value.Type.Is("integer") {
			value = number
		}
		if err := d.validate(d.resolve(place+"/headers/"+escape(name), header.Ref)+"/schema", value); err != nil {
			return fmt.Errorf("the header %s: %w", name, err)
		}
	}
	return nil
}

// validate compares a value with the schema at a place.
func (d *description) validate(place string, value any) error {
	schema, err := d.schema(place)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func (d *description) schema(place string) (schema *jsonschema.Schema, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if schema = d.schemas[place]; schema == nil {
		schema, err = d.compiler.Compile("openapi.json#" + place)
		d.schemas[place] = schema
	}
	return schema, err
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
