//go:build programs

package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// attack is what somebody does to the server until the context ends, and what is promised beside what the others are.
type attack struct {
	name   string
	env    string // of the server
	run    func(context.Context, *attacker)
	lasts  time.Duration
	memory int           // MiB that the server stays below; 0 is any
	slow   bool          // the others may have to wait
	within time.Duration // each attacker is answered; 0 is at any time
	limit  int           // of answers to the attacker that are not 429; 0 is none
}

var attacks = []attack{
	{name: "names", env: "REGISTRATION=open", run: names, lasts: 5 * time.Second, memory: 200, within: time.Second},
	{name: "names-closed", env: "REGISTRATION=closed", run: names, lasts: 3 * time.Second, memory: 200, within: time.Second},
	{name: "unread-pages", run: unreadPages, lasts: 5 * time.Second},
	{name: "held-bodies", run: heldBodies, lasts: 5 * time.Second, memory: 200, slow: true},
	{name: "searches", run: searches, lasts: 5 * time.Second},
	{name: "hurry", run: hurry, lasts: 9 * time.Second, limit: 6000},
	{name: "at-once", env: "REGISTRATION=open", run: atOnce, lasts: 6 * time.Second},
}

// names registers and logs in with names that normalizing makes eighteen times as long, before anybody is known: 20 of
// each at once, just below what a body may have, and 20 of each far beyond it. Each wave comes from another address.
func names(ctx context.Context, a *attacker) {
	const ligature, most = "\ufdfa", 16 << 10
	var requests [][]byte
	for _, bytes := range []int{most - 300, 1_000_000} {
		for i := range 20 {
			name := strings.Repeat(ligature, bytes/len(ligature)) + strconv.Itoa(i) // another, or a lock would answer first
			person := object{"username": "somebody", "email": "somebody@example.org", "password": password}
			person[[]string{"username", "first_name", "last_name"}[i%3]] = name
			requests = append(requests, send("POST", "/api/auth/register/", "", person),
				send("POST", "/api/auth/login/", "", object{"username": name, "password": password}))
		}
	}
	for wave := 1; ctx.Err() == nil; wave++ {
		answered, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		var wait sync.WaitGroup
		for _, r := range requests {
			wait.Go(func() {
				got := a.once(answered, wave, r)
				if got != 0 && (len(r) > most*2) != (got == 413) {
					a.tally.fault(wrongAnswer, fmt.Sprintf("a body of %d bytes: %d", len(r), got))
				}
			})
		}
		wait.Wait()
		cancel()
	}
}

// unreadPages is one account that asks for its largest pages, and larger ones, over 80 connections and reads none of
// them, while it changes its password all the time.
func unreadPages(ctx context.Context, a *attacker) {
	token := a.accounts["pages"].token
	sizes := []int{100, 33, 20} // more than the 4 MiB of a page, just below them, and the usual rows
	change := send("POST", "/api/auth/password/", token, object{"current_password": password, "new_password": password})
	var wait sync.WaitGroup
	for i := range 80 {
		wait.Go(func() { a.hold(ctx, 1, get(fmt.Sprint("/api/patients/?page_size=", sizes[i%len(sizes)]), token)) })
	}
	for i := range 4 {
		wait.Go(func() { a.loop(ctx, 2+i, 100*time.Millisecond, change) })
	}
	wait.Wait()
}

// heldBodies is 500 readers who do not read a large file, and 500 writers who do not end their bodies, half of them
// somebody's.
func heldBodies(ctx context.Context, a *attacker) {
	const file, announced = "/docs/swagger-ui-bundle.js", 1 << 20
	part := func(n int) []byte { return []byte(strings.Repeat(" ", n)) }
	token := a.accounts["bodies"].token
	requests := [][]byte{
		get(file, ""), wire("GET", file, "", nil, 0, "Accept-Encoding: gzip\r\n"),
		wire("POST", "/api/patients/", token, part(60<<10), announced, ""), get(file, ""),
		wire("POST", "/api/auth/login/", "", part(15<<10), announced, ""), wire("GET", file, "", nil, 0, "Accept-Encoding: gzip\r\n"),
		wire("POST", "/api/patients/", token, part(announced-1), announced, ""), wire("POST", "/api/patients/", "", part(60<<10), announced, ""),
	}
	var wait sync.WaitGroup
	for i := range 1000 {
		wait.Go(func() { a.hold(ctx, 1+i/25, requests[i%len(requests)]) })
	}
	wait.Wait()
}

// searches is one account with thousands of patients of the longest name, which all searches match almost or wholly.
func searches(ctx context.Context, a *attacker) {
	token := a.accounts["searches"].token
	var requests [][]byte
	for _, text := range []string{
		largeName, strings.Repeat("a", 254) + "b", strings.Repeat("a ", 100), strings.Repeat("aaa ", 60),
		strings.Repeat("a", 55) + strings.Repeat(" a", 100), strings.Repeat("a ", 90) + strings.Repeat("a", 60) + "b",
	} {
		requests = append(requests, get("/api/patients/?page_size=100&ordering=name&search="+url.QueryEscape(text), token))
	}
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() { a.loop(ctx, 1, 0, slices.Concat(requests[i%len(requests):], requests[:i%len(requests)])...) })
	}
	wait.Wait()
}

// atOnce is all who cost time, together.
func atOnce(ctx context.Context, a *attacker) {
	var wait sync.WaitGroup
	for _, run := range []func(context.Context, *attacker){names, unreadPages, searches} {
		wait.Go(func() { run(ctx, a) })
	}
	wait.Wait()
}

// hurry is one account that reads and writes as fast as it is answered.
func hurry(ctx context.Context, a *attacker) {
	own := a.accounts["hurry"]
	path := fmt.Sprintf("/api/patients/%d/", own.patient)
	requests := [][]byte{
		get(path, own.token), get("/api/patients/", own.token), get(path, own.token),
		send("PATCH", path, own.token, object{"phone": "1"}), get("/api/patients/", own.token), get(path, own.token),
		send("PATCH", path, own.token, object{"phone": "2"}), send("POST", "/api/patients/", own.token, object{"name": "Paul"}),
	}
	var wait sync.WaitGroup
	for range 12 {
		wait.Go(func() { a.loop(ctx, 1, 0, requests...) })
	}
	wait.Wait()
}
