// Package fhir specifies /fhir. What FHIR's own rules say of a body, validators that others wrote check: see run.sh.
package fhir

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

// client speaks FHIR.
type client struct{ *kit.Client }

func user(api *kit.API, name string) client  { return client{api.User(name)} }
func staff(api *kit.API, name string) client { return client{api.Staff(name)} }

// do sends a resource, or a text as it is.
func (c client) do(method, path string, body any, headers ...string) *kit.Response {
	c.T.Helper()
	if text, ok := body.(string); ok {
		body = []byte(text)
	}
	if body != nil {
		headers = append([]string{"Content-Type", "application/fhir+json"}, headers...)
	}
	return c.Do(method, "/fhir/"+path, body, headers...)
}

func (c client) read(path string, headers ...string) *kit.Response {
	c.T.Helper()
	return c.do("GET", path, nil, headers...)
}

// patient creates a patient with this name and no more.
func (c client) patient(name string) string {
	c.T.Helper()
	return c.do("POST", "Patient", named(name)).Expect(http.StatusCreated).JSON["id"].(string)
}

// doctor creates a doctor with this name and a specialization.
func (c client) doctor(name string) string {
	c.T.Helper()
	body := kit.Object{"resourceType": "Practitioner", "name": []any{kit.Object{"text": name}}, "qualification": []any{kit.Object{"code": kit.Object{"text": "Cardiology"}}}}
	return c.do("POST", "Practitioner", body).Expect(http.StatusCreated).JSON["id"].(string)
}

func named(name string) kit.Object {
	return kit.Object{"resourceType": "Patient", "name": []any{kit.Object{"text": name}}}
}

// issues are the issues of an OperationOutcome: "code at", in their order.
func issues(r *kit.Response) string {
	var all []string
	for _, one := range r.JSON["issue"].([]any) {
		issue := one.(kit.Object)
		text := issue["code"].(string)
		if at, ok := issue["expression"].([]any); ok {
			text += fmt.Sprint(" ", at[0])
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func issueList(r *kit.Response) []string { return strings.Split(issues(r), ", ") }

// entries are the resources of a bundle.
func entries(r *kit.Response) (all []kit.Object) {
	list, _ := r.JSON["entry"].([]any)
	for _, one := range list {
		resource, _ := one.(kit.Object)["resource"].(kit.Object)
		all = append(all, resource)
	}
	return all
}

func idsOf(r *kit.Response) []string {
	all := []string{}
	for _, one := range entries(r) {
		all = append(all, one["id"].(string))
	}
	return all
}

// link is a link of a bundle, without this server's address; "" if there is none.
func link(c client, r *kit.Response, relation string) string {
	for _, one := range r.JSON["link"].([]any) {
		if l := one.(kit.Object); l["relation"] == relation {
			return strings.TrimPrefix(l["url"].(string), c.API.URL+"/fhir/")
		}
	}
	return ""
}
