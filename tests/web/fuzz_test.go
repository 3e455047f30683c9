package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"healthcare/models"
	"healthcare/tests/kit"
)

// target is the real router on one database, which every input of a fuzz test is sent to.
type target struct {
	handler    http.Handler
	ana, staff string // access tokens
}

// fuzzTargets makes a target on SQLite and, where there is a server, one on PostgreSQL: what one of them takes, the
// other must take too.
func fuzzTargets(f *testing.F) []*target {
	f.Helper()
	addresses := []string{kit.FreshSQLite(f)}
	if kit.Server != nil {
		addresses = append(addresses, kit.FreshPostgres(f))
	}
	targets := []*target{}
	for _, address := range addresses {
		x := &target{}
		var db *models.DB
		db, x.handler = kit.Open(f, kit.BaseConfig(address), slog.NewTextHandler(io.Discard, nil))
		kit.CreateAdmin(f, db, "staff")
		x.must(f, "POST", "/api/auth/register/", "", `{"username": "ana", "email": "ana@example.org", "password": "`+kit.Password+`"}`)
		x.staff, x.ana = x.login(f, "staff"), x.login(f, "ana")
		x.must(f, "POST", "/api/patients/", x.ana, `{"name": "Ana", "date_of_birth": "1980-02-29"}`)
		x.must(f, "POST", "/api/doctors/", x.ana, `{"name": "Cy", "specialization": "Eyes", "license_number": "L"}`)
		x.must(f, "POST", "/api/mappings/", x.ana, `{"patient_id": 1, "doctor_id": 1}`)
		targets = append(targets, x)
	}
	return targets
}

func (x *target) login(f *testing.F, name string) string {
	f.Helper()
	return x.must(f, "POST", "/api/auth/login/", "", `{"username": "`+name+`", "password": "`+kit.Password+`"}`)["access"].(string)
}

func (x *target) must(f *testing.F, method, path, token, body string) kit.Object {
	f.Helper()
	r := x.send(method, path, "", token, []byte(body))
	require.Less(f, r.Code, 300, r.Body)
	var answer kit.Object
	require.NoError(f, json.Unmarshal(r.Body.Bytes(), &answer))
	return answer
}

func (x *target) request(method, path, token string, body []byte) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func (x *target) send(method, path, query, token string, body []byte) *httptest.ResponseRecorder {
	r := x.request(method, path, token, body)
	r.URL.RawQuery = query
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)
	return w
}

// judge fails unless an answer is one that the API may give to any input at all.
func judge(t *testing.T, r *httptest.ResponseRecorder) {
	t.Helper()
	says := fmt.Sprintf("%d %.1000s", r.Code, r.Body)
	if r.Code >= 500 || r.Code < 200 {
		t.Fatal(says)
	}
	if r.Code == http.StatusNoContent && r.Body.Len() == 0 {
		return
	}
	var answer kit.Object
	if err := json.Unmarshal(r.Body.Bytes(), &answer); err != nil {
		t.Fatal(err, says)
	}
	kind := r.Header().Get("Content-Type")
	if problem := strings.HasPrefix(kind, "application/problem+json"); problem != (r.Code >= 400) || !problem && !strings.HasPrefix(kind, "application/json") {
		t.Fatal(kind, says)
	}
	if r.Code >= 400 && (answer["status"] != float64(r.Code) || answer["code"] == "" || answer["detail"] == "") {
		t.Fatal(says)
	}
	if strings.Contains(strings.ReplaceAll(r.Body.String(), `\\`, ""), `\u0000`) && r.Code < 400 { // a NUL, not its spelling
		t.Fatal(says)
	}
}

// fuzzBodies are the routes that take a body. Those of accounts come last: they change who may log in.
var fuzzBodies = []struct {
	method, path string
	as           func(*target) string
}{
	{"POST", "/api/patients/", asAna}, {"PUT", "/api/patients/1/", asAna}, {"PATCH", "/api/patients/1/", asAna},
	{"PUT", "/api/patients/1/", asStaff}, {"PATCH", "/api/patients/1/", asStaff},
	{"POST", "/api/doctors/", asAna}, {"PUT", "/api/doctors/1/", asAna}, {"PATCH", "/api/doctors/1/", asAna},
	{"POST", "/api/mappings/", asAna}, {"POST", "/api/doctor/mappings/", asStaff}, {"POST", "/api/doctor/mappings/1/remove/", asAna},
	{"POST", "/api/auth/register/", asNobody}, {"POST", "/api/auth/login/", asNobody}, {"POST", "/api/auth/refresh/", asNobody},
	{"POST", "/api/auth/verify/", asNobody}, {"PATCH", "/api/auth/me/", asAna}, {"POST", "/api/auth/password/", asAna},
	{"PATCH", "/api/users/2/", asStaff}, {"POST", "/api/patients/1/restore/", asStaff}, {"POST", "/api/users/2/unlock/", asStaff},
	{"POST", "/api/users/", asStaff}, {"POST", "/api/users/2/reset/", asStaff},
}

func asNobody(*target) string  { return "" }
func asAna(x *target) string   { return x.ana }
func asStaff(x *target) string { return x.staff }

func FuzzBody(f *testing.F) {
	for i := range fuzzBodies {
		for _, body := range []string{
			`{}`, `null`, `[]`, `{"name": "Ana", "name": "Bo"}`, "{\"name\": \"\xff\"}", `{"name": "\u0000"}`, `{"name": "\ud800"}`, `{"name": 5, "x": {"y": [1e999]}}`,
			`{"name": "Ana", "date_of_birth": "2000-02-29", "gender": "other", "phone": "+1 (2)", "email": "a@b.org", "blood_group": "AB-", "allergies": "x", "medical_history": "", "address": null, "created_by": 1}`,
			`{"name": "Cy", "specialization": "Eyes", "license_number": "L-2", "years_of_experience": "7", "email": "", "phone": null}`,
			`{"patient_id": "1", "doctor_id": 1.0}`, `{"patient_id": 9223372036854775807, "doctor_id": -1}`, `{"doctor_id": 1}`,
			`{"username": "bob", "email": "bob@example.org", "password": "correct horse battery", "first_name": "B", "last_name": "O"}`,
			`{"username": "ana", "password": "correct horse battery"}`, `{"refresh": "x"}`, `{"token": "a.b.c"}`, `{"is_active": true, "is_staff": false}`,
			`{"current_password": "correct horse battery", "new_password": "another horse altogether"}`,
		} {
			f.Add(uint8(i), []byte(body))
		}
	}
	targets := fuzzTargets(f)
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		to := fuzzBodies[int(route)%len(fuzzBodies)]
		var codes []int
		for _, x := range targets {
			r := x.send(to.method, to.path, "", to.as(x), body)
			judge(t, r)
			codes = append(codes, r.Code)
		}
		if codes[0] != codes[len(codes)-1] {
			t.Fatalf("%s %s: %d on SQLite, %d on PostgreSQL", to.method, to.path, codes[0], codes[1])
		}
	})
}

// fuzzLists are the lists, as the account that sees most of them.
var fuzzLists = []string{
	"/api/patients/", "/api/doctors/", "/api/mappings/", "/api/doctor/mappings/", "/api/mappings/1/", "/api/doctor/mappings/1/",
	"/api/patients/1/history/", "/api/doctors/1/history/", "/api/users/", "/api/audit/", "/api/auth/sessions/",
}

// FuzzHeaders sends entity tags, keys and types of content, and what may stand for an id.
func FuzzHeaders(f *testing.F) {
	for _, h := range [][4]string{
		{`"1"`, `W/"1"`, "a key", "application/json"}, {"*", "*", "", "application/json; charset=utf-8"}, {`"1", "2`, ",,", "\x7f", "text/plain"},
		{"\x00", "\xff", strings.Repeat("k", 256), "application/json; charset=\""}, {"", `"-1"`, "ä", ""},
	} {
		f.Add(uint8(len(h[0])), h[0], h[1], h[2], h[3], "1")
	}
	f.Add(uint8(1), "", "", "", "application/json", "9223372036854775808")
	targets := fuzzTargets(f)
	f.Fuzz(func(t *testing.T, n uint8, ifMatch, ifNoneMatch, key, contentType, id string) {
		method := []string{"GET", "PATCH", "DELETE", "POST"}[n%4]
		path := "/api/" + []string{"patients", "doctors", "mappings"}[n%3] + "/"
		if method != "POST" {
			path += url.PathEscape(id) + "/"
		}
		var codes []int
		for _, x := range targets {
			r := x.request(method, path, x.ana, []byte(`{"name": "Ana", "specialization": "Eyes", "patient_id": 1, "doctor_id": 1}`))
			for name, value := range map[string]string{"If-Match": ifMatch, "If-None-Match": ifNoneMatch, "Idempotency-Key": key, "Content-Type": contentType} {
				r.Header[name] = []string{value}
			}
			w := httptest.NewRecorder()
			x.handler.ServeHTTP(w, r)
			if w.Code != http.StatusNotModified {
				judge(t, w)
			}
			codes = append(codes, w.Code)
		}
		if codes[0] != codes[len(codes)-1] {
			t.Fatalf("%s %s: %d on SQLite, %d on PostgreSQL", method, path, codes[0], codes[1])
		}
	})
}

func FuzzQuery(f *testing.F) {
	for i := range fuzzLists {
		for _, query := range []string{
			"", "page=2&page_size=1", "page=0", "page=99999999999999999999", "page_size=-1", "search=%C3%BC+%25_%5C", "search=%00", "search=%ff", "ordering=-name",
			"ordering=updated_at&gender=male", "ordering=id;drop table", "gender=x", "blood_group=A%2B", "specialization=Eyes", "doctor_id=1&patient_id=1", "patient_id=9223372036854775808",
			"deleted=true", "deleted=2", "created_by=1", "as_of=2026-01-31", "as_of=9999-12-31", "since=2026-01-01&until=2026-01-01T00:00:00%2B14:00", "since=-1", "until=10000-01-01", "action=read&user_id=1",
			"is_staff=true&is_active=false", "cursor=", "cursor=x", "%zz", "a=b&a=c", "search=" + strings.Repeat("a+", 130),
		} {
			f.Add(uint8(i), query)
		}
	}
	targets := fuzzTargets(f)
	f.Fuzz(func(t *testing.T, list uint8, query string) {
		path := fuzzLists[int(list)%len(fuzzLists)]
		var codes []int
		for _, x := range targets {
			r := x.send("GET", path, query, x.staff, nil)
			judge(t, r)
			codes = append(codes, r.Code)
		}
		if codes[0] != codes[len(codes)-1] {
			t.Fatalf("%s: %d on SQLite, %d on PostgreSQL", path, codes[0], codes[1])
		}
	})
}
