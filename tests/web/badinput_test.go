package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// writing are the routes that read JSON, each with a text field (or else a number) of its body.
var writing = []struct{ method, path, field string }{
	{"POST", kit.RegisterPath, "username"}, {"POST", kit.LoginPath, "username"}, {"PATCH", kit.MePath, "email"},
	{"POST", "/api/patients/", "name"}, {"PUT", "/api/patients/1/", "name"}, {"PATCH", "/api/patients/1/", "name"},
	{"POST", "/api/doctors/", "name"}, {"PUT", "/api/doctors/1/", "name"}, {"PATCH", "/api/doctors/1/", "name"},
	{"POST", "/api/mappings/", "patient_id"}, {"POST", "/api/doctor/mappings/", "doctor_id"}, {"POST", "/api/doctor/mappings/1/remove/", "doctor_id"},
}

type badBody struct {
	name, body string // FIELD stands for the route's field
	status     int
	code       string
	named      string // the field that the errors name, or none
}

var badBodies = []badBody{
	{"broken", `{"FIELD": "` + kit.Marker, 400, "parse_error", ""},
	{"cut", `{"FIELD": "` + kit.Marker + `",`, 400, "parse_error", ""},
	{"no JSON", kit.Marker, 400, "parse_error", ""},
	{"empty", ` `, 400, "parse_error", ""},
	{"single quotes", `{'FIELD': '` + kit.Marker + `'}`, 400, "parse_error", ""},
	{"comment", `{"FIELD": "` + kit.Marker + `"} // x`, 400, "parse_error", ""},
	{"byte order mark", "\ufeff" + `{"FIELD": "` + kit.Marker + `"}`, 400, "parse_error", ""},
	{"trailing brace", `{"FIELD": "` + kit.Marker + `"}}`, 400, "parse_error", ""},
	{"trailing object", `{"FIELD": "` + kit.Marker + `"} {"FIELD": "x"}`, 400, "parse_error", ""},
	{"NaN", `{"FIELD": NaN, "x": "` + kit.Marker + `"}`, 400, "parse_error", ""},
	{"null", `null`, 400, "invalid", ""},
	{"number", `5`, 400, "invalid", ""},
	{"text", `"` + kit.Marker + `"`, 400, "invalid", ""},
	{"list", `[{"FIELD": "` + kit.Marker + `"}]`, 400, "invalid", ""},
	{"wrong type", `{"FIELD": ["` + kit.Marker + `"]}`, 400, "invalid", "FIELD"},
	{"object", `{"FIELD": {"$gt": "` + kit.Marker + `"}}`, 400, "invalid", "FIELD"},
	{"null field", `{"FIELD": null}`, 400, "invalid", "FIELD"},
	{"unknown field", `{"FIELD": "` + kit.Marker + `", "nickname": "` + kit.Marker + `"}`, 400, "invalid", "nickname"},
	{"prototype", `{"FIELD": "` + kit.Marker + `", "__proto__": {}}`, 400, "invalid", "__proto__"},
	{"twice", `{"FIELD": "` + kit.Marker + `", "FIELD": "` + kit.Marker + `"}`, 400, "invalid", "FIELD"},
	{"NUL", `{"FIELD": "` + kit.Marker + `\u0000"}`, 400, "invalid", "FIELD"},
	{"raw NUL", `{"FIELD": "` + kit.Marker + "\x00" + `"}`, 400, "parse_error", ""},
	{"invalid UTF-8", `{"FIELD": "` + kit.Marker + "\xff\xfe" + `"}`, 400, "invalid", "FIELD"},
	{"overlong UTF-8", `{"FIELD": "` + kit.Marker + "\xc0\xaf" + `"}`, 400, "invalid", "FIELD"},
	{"invalid UTF-8 in a name", "{\"na\xffme\": \"" + kit.Marker + `"}`, 400, "parse_error", ""},
	{"lone surrogate", `{"FIELD": "` + kit.Marker + `\ud800"}`, 400, "invalid", "FIELD"},
	{"surrogates in reverse", `{"FIELD": "\udc00\ud800` + kit.Marker + `"}`, 400, "invalid", "FIELD"},
	{"2 MiB", `{"FIELD": "` + kit.Marker + strings.Repeat("x", 2<<20) + `"}`, 413, "request_too_large", ""},
	{"200,000 brackets", `{"FIELD": ` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}`, 400, "parse_error", ""},
	{"200,000 open brackets", strings.Repeat("[", 200_000), 400, "parse_error", ""},
	{"200,000 objects", strings.Repeat(`{"FIELD":`, 60_000), 400, "parse_error", ""},
	{"a number too long", `{"FIELD": ` + strings.Repeat("9", 100_000) + `}`, 400, "invalid", "FIELD"},
}

func TestABadBodyIsRefusedNamedAndLeavesNoTrace(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		before, logged := api.Contents(), strings.Count(api.Log.String(), "\n")
		check := func(r *kit.Response, what string, bad badBody, field string) {
			logged++
			assert.Equal(t, bad.status, r.Status, what)
			assert.Equal(t, bad.code, r.JSON["code"], what)
			if bad.named == "" {
				assert.Nil(t, r.JSON["errors"], what)
			} else {
				assert.NotEmpty(t, r.Error(strings.ReplaceAll(bad.named, "FIELD", field)), "%s: %.300s", what, r.Raw)
			}
			kit.Absent(t, r.Raw, kit.Marker)
			line := api.Log.Lines(t, logged)[logged-1]
			assert.Contains(t, line, fmt.Sprint("status=", bad.status), what)
			assert.Contains(t, line, "level=INFO", what)
		}
		for _, route := range writing {
			for _, bad := range badBodies {
				body := strings.ReplaceAll(bad.body, "FIELD", route.field)
				if strings.HasPrefix(route.path, "/api/auth/") && len(body) > 16<<10 {
					bad = badBody{bad.name, body, 413, "request_too_large", ""}
				}
				r := ana.Raw(route.method, route.path, body)
				check(r, route.method+" "+route.path+" "+bad.name, bad, route.field)
			}
			form := badBody{"form", "", 415, "unsupported_media_type", ""}
			for _, contentType := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/json", "application/xml", "application/json; charset=latin1", "json", ""} {
				r := ana.Do(route.method, route.path, []byte(route.field+"="+kit.Marker), "Content-Type", contentType)
				check(r, route.method+" "+route.path+" "+contentType, form, route.field)
			}
		}
		assert.Equal(t, before, api.Contents())
		kit.Absent(t, api.Log.String(), kit.Marker, "ana@", "Petra", "Dora", ana.Token, kit.Password)
	})
}

func TestABodyMayBeWrittenInManyWays(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
			r := ana.Do("POST", "/api/patients/", []byte("\r\n\t {\"n\\u0061me\" : \"J\\u00fcrgen \\ud83d\\ude00\"}\n\n"), "Content-Type", contentType)
			assert.Equal(t, "Jürgen 😀", r.Expect(http.StatusCreated).JSON["name"])
		}
		almost := `{"name": "Petra"` + strings.Repeat(" ", 1<<20-17) + "}"
		ana.Raw("POST", "/api/patients/", almost).Expect(http.StatusCreated)
		ana.Raw("POST", "/api/patients/", almost+" ").Expect(http.StatusRequestEntityTooLarge)
		assert.Equal(t, 4, api.Count("SELECT count(*) FROM patients"))
	})
}

func TestARequestWithoutABodyIsAnEmptyObject(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		before := api.Contents()
		assert.NotEmpty(t, ana.Post("/api/patients/", nil).Expect(http.StatusBadRequest).Error("name"))
		ana.Patch("/api/patients/1/", nil).Expect(http.StatusOK)
		assert.Equal(t, "parse_error", ana.Do("POST", "/api/patients/", nil, "Content-Type", "application/json").Expect(http.StatusBadRequest).JSON["code"])
		assert.Equal(t, before, api.Contents())
		ana.Do("DELETE", "/api/mappings/1/", []byte("no JSON"), "Content-Type", "text/plain").Expect(http.StatusNoContent) // reads none
	})
}
