package tests

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// object is a JSON object.
type object = map[string]any

// with is o with some fields set anew.
func with(o object, nameValues ...any) object {
	changed := object{}
	for name, value := range o {
		changed[name] = value
	}
	for i := 0; i < len(nameValues); i += 2 {
		changed[nameValues[i].(string)] = nameValues[i+1]
	}
	return changed
}

// keysOf lists the fields of an object, sorted.
func keysOf(o object) []string {
	names := []string{}
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Patient creates a patient and returns its id.
func (c *Client) Patient(name string) int {
	c.t.Helper()
	return c.Post("/api/patients/", object{"name": name}).Expect(http.StatusCreated).ID()
}

// Doctor creates a doctor and returns its id.
func (c *Client) Doctor(name string) int {
	c.t.Helper()
	return c.Post("/api/doctors/", object{"name": name, "specialization": "Surgery"}).Expect(http.StatusCreated).ID()
}

// Assign assigns a doctor to a patient.
func (c *Client) Assign(patient, doctor int) *Response {
	c.t.Helper()
	return c.Post("/api/mappings/", object{"patient_id": patient, "doctor_id": doctor})
}

func path(parts ...any) string {
	text := ""
	for _, p := range parts {
		text += fmt.Sprint("/", p)
	}
	return "/api" + text + "/"
}

// contents is everything that the database holds, to see that nothing changed.
func (api *API) contents() string {
	api.t.Helper()
	var text strings.Builder
	for _, table := range []string{"users", "patients", "doctors", "mappings"} {
		rows, err := api.sql().Query("SELECT * FROM " + table + " ORDER BY id")
		require.NoError(api.t, err)
		names, err := rows.Columns()
		require.NoError(api.t, err)
		for rows.Next() {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(api.t, rows.Scan(into...))
			_, _ = fmt.Fprintln(&text, table, values)
		}
		require.NoError(api.t, rows.Err())
		require.NoError(api.t, rows.Close())
	}
	return text.String()
}

// lines are the lines of the log, as soon as there are so many: an answer may arrive before its line is written.
func (l *logBuffer) lines(t *testing.T, n int) []string {
	t.Helper()
	split := func() []string { return strings.Split(strings.TrimSuffix(l.String(), "\n"), "\n") }
	require.Eventually(t, func() bool { return strings.Count(l.String(), "\n") >= n }, waitLimit, time.Millisecond)
	require.Len(t, split(), n)
	return split()
}

// token signs claims; an empty algorithm signs nothing.
func token(t *testing.T, algorithm, secret string, claims object) string {
	t.Helper()
	part := func(o object) string {
		text, err := json.Marshal(o)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	hashes := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}
	text := part(object{"alg": algorithm, "typ": "JWT"}) + "." + part(claims)
	if hashes[algorithm] == nil {
		return text + "."
	}
	mac := hmac.New(hashes[algorithm], []byte(secret))
	_, _ = mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// atOnce makes many requests at once and returns their statuses, sorted.
func atOnce(n int, request func(i int) *Response) []int {
	start, statuses := make(chan struct{}), make(chan int, n)
	for i := range n {
		go func() {
			<-start
			statuses <- request(i).Status
		}()
	}
	close(start)
	all := []int{}
	for range n {
		all = append(all, <-statuses)
	}
	slices.Sort(all)
	return all
}

// absent asserts that a text holds none of these.
func absent(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		assert.NotContains(t, text, w)
	}
}

// without is an object that lacks one field.
func without(o object, name string) object {
	rest := with(o)
	delete(rest, name)
	return rest
}
