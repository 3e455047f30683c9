//go:build programs

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

type object = map[string]any

// caller calls the API as one account, over one connection.
type caller struct {
	address, token string
	http           *http.Client
}

func newCaller(address, token string) *caller {
	transport := &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 10 * time.Second}
	return &caller{address, token, &http.Client{Timeout: 20 * time.Second, Transport: transport}}
}

// answer is what came back. Of its body there are the fields that matter here.
type answer struct {
	status     int
	retryAfter bool
	raw        string
	shown
	Access  string
	Count   int
	Results []shown
}

// shown is a patient.
type shown struct {
	ID      int64
	Name    string
	Phone   string
	Version int
}

// call makes one request; an error is no answer.
func (c *caller) call(ctx context.Context, method, path string, body object) (answer, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.address+path, reader)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After") != "", raw: string(raw)}
	if err == nil && res.StatusCode < 300 && len(raw) > 0 {
		err = json.Unmarshal(raw, &a)
	}
	return a, err
}

// must is call for a request whose answer must have its status.
func must(ctx context.Context, c *caller, method, path string, body object, status int) (answer, error) {
	a, err := c.call(ctx, method, path, body)
	if err == nil && a.status != status {
		err = fmt.Errorf("not %d but %d: %.300s", status, a.status, a.raw)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return a, err
}
