package tests

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// doc is a JSON object.
type doc = map[string]any

// Session is a client that knows its refresh token.
type Session struct {
	*Client
	Refresh string
}

// tryLogin asks for a session; headers are name, value, ….
func (api *API) tryLogin(name, password string, headers ...string) *Response {
	api.t.Helper()
	return api.Nobody().Do("POST", "/api/auth/login/", doc{"username": name, "password": password}, headers...)
}

// Session opens one more session of the client's account; headers are name, value, ….
func (c *Client) Session(headers ...string) *Session {
	c.t.Helper()
	r := c.api.tryLogin(c.Name, password, headers...).Expect(http.StatusOK)
	other := *c
	other.Token = r.JSON["access"].(string)
	return &Session{&other, r.JSON["refresh"].(string)}
}

// refresh presents a refresh token.
func (api *API) refresh(token string) *Response {
	api.t.Helper()
	return api.Nobody().Post("/api/auth/refresh/", doc{"refresh": token})
}

// assertOut asserts that neither of a session's tokens is good for anything.
func (s *Session) assertOut() {
	s.t.Helper()
	s.assertAccessOut()
	r := s.api.refresh(s.Refresh)
	assert.Equal(s.t, http.StatusUnauthorized, r.Status)
	assert.Equal(s.t, "token_not_valid", r.JSON["code"])
}

func (s *Session) assertAccessOut() {
	s.t.Helper()
	for _, r := range []*Response{s.Get("/api/auth/me/"), s.verify(s.Token)} {
		assert.Equal(s.t, http.StatusUnauthorized, r.Status, r.Raw)
		assert.Equal(s.t, "token_not_valid", r.JSON["code"])
	}
}

func (c *Client) verify(token string) *Response {
	c.t.Helper()
	return c.api.Nobody().Post("/api/auth/verify/", doc{"token": token})
}

// assertIn asserts that the client's access token is good.
func (c *Client) assertIn() {
	c.t.Helper()
	assert.Equal(c.t, http.StatusOK, c.Get("/api/auth/me/").Status)
	assert.Equal(c.t, http.StatusOK, c.verify(c.Token).Status)
}

// ago is a time in SQL, as both databases write it.
func ago(d time.Duration) string {
	return time.Now().UTC().Add(-d).Format("'2006-01-02 15:04:05.000000+00:00'")
}

// together makes n requests at once and returns their answers.
func together(n int, request func(i int) *Response) []*Response {
	answers := make([]*Response, n)
	start, done := make(chan struct{}), sync.WaitGroup{}
	for i := range n {
		done.Go(func() {
			<-start
			answers[i] = request(i)
		})
	}
	close(start)
	done.Wait()
	return answers
}

// tally counts answers by their status.
func tally(answers []*Response) map[int]int {
	n := map[int]int{}
	for _, r := range answers {
		n[r.Status]++
	}
	return n
}

// from is the header by which a proxy tells the client's address.
func from(address string) []string { return []string{"X-Forwarded-For", address} }

// signToken makes an access token as the server would, of any claims, under any key.
func signToken(t testing.TB, algorithm string, key []byte, claims doc) string {
	t.Helper()
	part := func(o doc) string {
		text, err := json.Marshal(o)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(doc{"alg": algorithm, "typ": "JWT"}) + "." + part(claims)
	if algorithm != "HS256" {
		return text + "."
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, token string) doc {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var o doc
	require.NoError(t, json.Unmarshal(text, &o))
	return o
}
