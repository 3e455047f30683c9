//go:build programs

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// client calls the API as one account.
type client struct {
	url   string
	http  *http.Client
	token string
	stats *stats
}

// stats is what all clients of a command saw.
type stats struct {
	mu           sync.Mutex
	acknowledged int // writes that were answered with success
	replayed     int // of those, by an earlier try's answer
	unanswered   int // requests whose connection broke
	unavailable  int // requests that were answered with 503
	succeeded    int // requests that were answered with success
	lists        int // of patients, that were shown
	slowest      time.Duration
}

func (s *stats) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d writes acknowledged (%d by a replay), %d requests without an answer, %d answered with 503, the slowest took %.1f s",
		s.acknowledged, s.replayed, s.unanswered, s.unavailable, s.slowest.Seconds())
}

// failures is how many requests were not answered with success.
func (s *stats) failures() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unavailable + s.unanswered
}

// successes is how many were.
func (s *stats) successes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.succeeded
}

// writes is how many were acknowledged.
func (s *stats) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acknowledged
}

type object = map[string]any

// answer is what came back; status 0 is no answer at all.
type answer struct {
	status   int
	body     object
	raw      string
	id       string // of the request
	replayed bool
}

func (a answer) number(name string) int { n, _ := a.body[name].(float64); return int(n) }

func (a answer) results() []object {
	rows, _ := a.body["results"].([]any)
	objects := make([]object, len(rows))
	for i, r := range rows {
		objects[i], _ = r.(object)
	}
	return objects
}

func (a answer) String() string { return fmt.Sprintf("%d %.300s", a.status, a.raw) }

// call makes one request. An error is an answer that the API may never give.
func (c *client) call(ctx context.Context, method, path string, body any, key string) (answer, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, reader)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	began := time.Now()
	res, err := c.http.Do(req)
	var raw []byte
	if err == nil {
		raw, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	c.stats.mu.Lock()
	defer c.stats.mu.Unlock()
	c.stats.slowest = max(c.stats.slowest, time.Since(began))
	if err != nil {
		c.stats.unanswered++
		return answer{}, nil
	}
	if res.StatusCode < 300 {
		c.stats.succeeded++
	}
	a := answer{status: res.StatusCode, raw: string(raw), id: res.Header.Get("X-Request-ID"), replayed: res.Header.Get("Idempotent-Replayed") == "true"}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			return a, fmt.Errorf("%s %s: not JSON: %s", method, path, a)
		}
	}
	switch {
	case a.status == http.StatusServiceUnavailable:
		c.stats.unavailable++
		if res.Header.Get("Retry-After") == "" {
			return a, fmt.Errorf("%s %s: no Retry-After: %s", method, path, a)
		}
	case a.status >= 500:
		return a, fmt.Errorf("%s %s: %s", method, path, a)
	case a.status == http.StatusOK && strings.HasPrefix(path, "/api/patients/?"):
		c.stats.lists++
	case a.status < 300 && method != http.MethodGet:
		c.stats.acknowledged++
		if a.replayed {
			c.stats.replayed++
		}
	}
	return a, nil
}

// get must succeed.
func (c *client) get(ctx context.Context, path string, status int) (answer, error) {
	a, err := c.call(ctx, http.MethodGet, path, nil, "")
	if err == nil && a.status != status {
		err = fmt.Errorf("GET %s: not %d but %s", path, status, a)
	}
	return a, err
}

const password = "a long one for the failures"

// newClient registers an account and logs in.
func newClient(ctx context.Context, s *instance, name string, st *stats) (*client, error) {
	c := &client{url: s.url(), http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2}}, stats: st}
	if !strings.HasPrefix(name, "staff") {
		body := object{"username": name, "email": name + "@example.org", "password": password}
		if a, err := c.call(ctx, http.MethodPost, "/api/auth/register/", body, ""); err != nil || a.status != http.StatusCreated {
			return nil, fmt.Errorf("register: %v %w", a, err)
		}
	} else if err := s.cli(password+"\n", "createadmin", "--username", name, "--email", name+"@example.org", "--password-stdin"); err != nil {
		return nil, err
	}
	a, err := c.call(ctx, http.MethodPost, "/api/auth/login/", object{"username": name, "password": password}, "")
	if err != nil || a.status != http.StatusOK {
		return nil, fmt.Errorf("login: %v %w", a, err)
	}
	c.token, _ = a.body["access"].(string)
	return c, nil
}
