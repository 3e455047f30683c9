package kit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Client calls one instance, as one account or as nobody.
type Client struct {
	T     testing.TB
	API   *API
	Token string // for access
	ID    int    // of the account
	Name  string // of the account
}

// Response is an answer, read whole.
type Response struct {
	t      testing.TB
	Status int
	Header http.Header
	Raw    string
	JSON   Object // nil unless the body is a JSON object
}

// Nobody calls without a token.
func (api *API) Nobody() *Client { return &Client{T: api.T, API: api} }

// User registers an account, logs in and calls as that account.
func (api *API) User(name string) *Client {
	api.T.Helper()
	c := api.Nobody()
	c.Name = name
	body := Object{"username": name, "email": name + "@example.org", "password": Password}
	r := c.Post(RegisterPath, body).Expect(http.StatusCreated)
	c.ID = int(r.JSON["user"].(Object)["id"].(float64))
	c.Login()
	return c
}

// Staff is a User whom an operator has made staff.
func (api *API) Staff(name string) *Client {
	api.T.Helper()
	c := api.User(name)
	api.Exec(fmt.Sprintf("UPDATE users SET is_staff = true WHERE id = %d", c.ID))
	c.Login()
	return c
}

// Login gets a new token for the client's account.
func (c *Client) Login() *Response {
	c.T.Helper()
	c.Token = ""
	r := c.Post(LoginPath, Object{"username": c.Name, "password": Password}).Expect(http.StatusOK)
	c.Token = r.JSON["access"].(string)
	return r
}

// At calls another instance with the same token.
func (c *Client) At(api *API) *Client {
	other := *c
	other.API, other.T = api, api.T
	return &other
}

// Get reads.
func (c *Client) Get(path string) *Response { return c.Do("GET", path, nil) }

// Post sends a body as JSON.
func (c *Client) Post(path string, body any) *Response { return c.Do("POST", path, body) }

// Put sends a body as JSON.
func (c *Client) Put(path string, body any) *Response { return c.Do("PUT", path, body) }

// Patch sends a body as JSON.
func (c *Client) Patch(path string, body any) *Response { return c.Do("PATCH", path, body) }

// Delete deletes.
func (c *Client) Delete(path string) *Response { return c.Do("DELETE", path, nil) }

// Raw sends a body as it is.
func (c *Client) Raw(method, path, body string) *Response { return c.Do(method, path, []byte(body)) }

// Once creates with an Idempotency-Key.
func (c *Client) Once(path string, body any, key string) *Response {
	c.T.Helper()
	return c.Do("POST", path, body, "Idempotency-Key", key)
}

// Do sends a request. A body of []byte goes out as it is, any other as JSON; headers are name, value, ….
func (c *Client) Do(method, path string, body any, headers ...string) *Response {
	c.T.Helper()
	var reader io.Reader
	if raw, ok := body.([]byte); ok {
		reader = bytes.NewReader(raw)
	} else if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(c.T, err)
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.T.Context(), method, c.API.URL+path, reader)
	require.NoError(c.T, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.Send(req)
}

// Send sends a request as it is, and checks what is true of every answer.
func (c *Client) Send(req *http.Request) *Response {
	c.T.Helper()
	ctx, cancel := context.WithTimeout(req.Context(), time.Minute) // no answer of this API takes so long
	defer cancel()
	transport := c.API.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	res, err := transport.RoundTrip(req.WithContext(ctx)) // follows no redirect
	require.NoError(c.T, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.T, err)
	r := &Response{t: c.T, Status: res.StatusCode, Header: res.Header, Raw: string(raw)}
	_ = json.Unmarshal(raw, &r.JSON)
	c.check(req, r)
	return r
}

// check asserts what is true of every answer.
func (c *Client) check(req *http.Request, r *Response) {
	c.T.Helper()
	what := fmt.Sprintf("%s %s: %d %.500s", req.Method, req.URL, r.Status, r.Raw)
	assert.NotEmpty(c.T, r.Header.Get("X-Request-ID"), what)
	assert.NoError(c.T, CheckDescribed(req, r.Status, r.Header, r.Raw), "docs/openapi.yaml and the program differ: "+what)
	inFHIR := req.URL.Path == "/fhir" || strings.HasPrefix(req.URL.Path, "/fhir/")
	if inFHIR {
		keepForValidators(c.T, r)
	}
	if inFHIR || strings.HasPrefix(req.URL.Path, "/api/") {
		assert.Equal(c.T, "no-store", r.Header.Get("Cache-Control"), what)
	}
	if r.Status == http.StatusNoContent {
		assert.Empty(c.T, r.Raw, what)
	}
	if r.Status < 400 || req.Method == http.MethodHead {
		return
	}
	if inFHIR {
		assert.Equal(c.T, "application/fhir+json; charset=utf-8", r.Header.Get("Content-Type"), what)
		assert.Equal(c.T, "OperationOutcome", r.JSON["resourceType"], what)
		assert.NotEmpty(c.T, r.JSON["issue"], what)
	} else {
		assert.Equal(c.T, "application/problem+json", r.Header.Get("Content-Type"), what)
		assert.EqualValues(c.T, r.Status, r.JSON["status"], what)
		assert.Equal(c.T, http.StatusText(r.Status), r.JSON["title"], what)
		assert.Equal(c.T, r.Header.Get("X-Request-ID"), r.JSON["request_id"], what)
		assert.NotEmpty(c.T, r.JSON["detail"], what)
		assert.NotEmpty(c.T, r.JSON["code"], what)
	}
	if r.Status == http.StatusUnauthorized {
		assert.Equal(c.T, "Bearer", r.Header.Get("WWW-Authenticate"), what)
	}
	if r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable {
		assert.Regexp(c.T, `^[1-9]\d*$`, r.Header.Get("Retry-After"), what)
	}
	for _, internal := range []string{"SQLSTATE", "goroutine", "gorm", "sqlite", "pgx", ".go:"} {
		assert.NotContains(c.T, r.Raw, internal, what)
	}
}

// keepForValidators adds a body to the file that FHIR_BODIES names: tests/fhir/run.sh gives it to validators of FHIR.
func keepForValidators(t testing.TB, r *Response) {
	name := os.Getenv("FHIR_BODIES")
	if name == "" || r.Raw == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(strings.TrimSpace(r.Raw) + "\n")
	require.NoError(t, errors.Join(err, f.Close()))
}

// Expect fails the test at once unless the status is the wanted one.
func (r *Response) Expect(status int) *Response {
	r.t.Helper()
	require.Equal(r.t, status, r.Status, "%.800s", r.Raw)
	return r
}

// ID is the id of the object in the body.
func (r *Response) ID() int { return int(r.JSON["id"].(float64)) }

// Results are the rows of a list.
func (r *Response) Results() []Object {
	rows := []Object{}
	for _, row := range r.JSON["results"].([]any) {
		rows = append(rows, row.(Object))
	}
	return rows
}

// Column is one field of every row of a list.
func (r *Response) Column(name string) []any {
	values := []any{}
	for _, row := range r.Results() {
		values = append(values, row[name])
	}
	return values
}

// Error is what the problem document says of one field.
func (r *Response) Error(field string) string {
	all, _ := r.JSON["errors"].(Object)
	sentences, _ := all[field].([]any)
	return fmt.Sprint(sentences...)
}
