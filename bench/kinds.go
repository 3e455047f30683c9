//go:build programs

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// asker is one account at one site: the unit that is compared.
type asker struct {
	*site
	account
	patientIDs []int64 // a sample of its own patients
	treatedIDs []int64 // those of them that have doctors
	deep       string  // the cursor nine tenths down its list, newest first
	deepName   string  // and by name
}

// kind is one kind of request.
type kind struct {
	name   string
	writes bool // once for each site
	// request gives the n-th one that a connection sends.
	request func(a *asker, n int) request
}

var kinds = []kind{
	// What is audited is counted before the other requests add to it.
	{name: "audit of one patient (staff)", request: func(a *asker, n int) request {
		return newRequest("GET", fmt.Sprintf("/api/audit/?patient_id=%d", pick(a.treatedIDs, n)), a.staff.token, nil, 200)
	}},
	{name: "one patient", request: func(a *asker, n int) request {
		return newRequest("GET", fmt.Sprintf("/api/patients/%d/", pick(a.patientIDs, n)), a.token, nil, 200)
	}},
	get("list, first page", "/api/patients/"),
	get("list, page 50", "/api/patients/?page=50"),
	get("cursor, first page", "/api/patients/?cursor="),
	{name: "cursor, deep", request: func(a *asker, _ int) request {
		return newRequest("GET", "/api/patients/?cursor="+a.deep, a.token, nil, 200)
	}},
	get("by name, first page", "/api/patients/?ordering=name&cursor="),
	{name: "by name, cursor, deep", request: func(a *asker, _ int) request {
		return newRequest("GET", "/api/patients/?ordering=name&cursor="+a.deepName, a.token, nil, 200)
	}},
	get("search, rare word", "/api/patients/?search="+rareName),
	get("search, common word", "/api/patients/?search="+commonName),
	get("search, two letters", "/api/patients/?search="+twoLetters),
	get("mappings", "/api/mappings/"),
	{name: "doctors of a patient", request: func(a *asker, n int) request {
		return newRequest("GET", fmt.Sprintf("/api/mappings/%d/", pick(a.treatedIDs, n)), a.token, nil, 200)
	}},
	get("doctors", "/api/doctors/"),
	{name: "update", writes: true, request: func(a *asker, n int) request {
		body := encode(map[string]string{"phone": fmt.Sprintf("+44 20 %08d", n)})
		return newRequest("PATCH", fmt.Sprintf("/api/patients/%d/", pick(a.writer.ids, n)), a.writer.token, body, 200)
	}},
	{name: "create", writes: true, request: func(a *asker, n int) request {
		body := encode(map[string]string{"name": firstNames[n%len(firstNames)] + " " + lastNames[n%len(lastNames)], "gender": "female",
			"phone": fmt.Sprintf("+44 20 %08d", n), "blood_group": "A+"})
		return newRequest("POST", "/api/patients/", a.writer.token, body, 201)
	}},
	{name: "login", writes: true, request: func(*asker, int) request { return loginRequest("few") }},
}

func get(name, path string) kind {
	return kind{name: name, request: func(a *asker, _ int) request { return newRequest("GET", path, a.token, nil, 200) }}
}

// pick gives one of ids: numbers that follow each other give ids that don't.
func pick(ids []int64, n int) int64 { return ids[(n*7919)%len(ids)] }

// chosen are the kinds that -only names.
func chosen(only []string) ([]kind, error) {
	if len(only) == 0 {
		return kinds, nil
	}
	for _, word := range only {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return strings.Contains(k.name, word) }) {
			return nil, fmt.Errorf("-only: no kind of request is called %q", word)
		}
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool {
		return !slices.ContainsFunc(only, func(word string) bool { return strings.Contains(k.name, word) })
	}), nil
}

// sampleSize is how many patients of an account are asked for in turns: as many in each database, so that the
// comparison is one of tables and not of caches.
const sampleSize = 500

// newAsker gets an account ready to ask: what it asks for, and where its deep pages begin.
func newAsker(ctx context.Context, s *site, a account) (*asker, error) {
	k := &asker{site: s, account: a}
	for n := range s.patients {
		if id := n + 1; s.of(s.size, id) == a.id {
			k.patientIDs = append(k.patientIDs, int64(id))
			if doctorsOf(id) > 0 {
				k.treatedIDs = append(k.treatedIDs, int64(id))
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a sample is no secret
	for _, ids := range []*[]int64{&k.patientIDs, &k.treatedIDs} {
		random.Shuffle(len(*ids), func(i, j int) { (*ids)[i], (*ids)[j] = (*ids)[j], (*ids)[i] })
		*ids = slices.Clone((*ids)[:min(len(*ids), sampleSize)])
	}
	c, err := dial(ctx, s.server.address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := k.check(c); err != nil {
		return nil, err
	}
	if k.deep, err = k.walk(c, "", a.owns*9/10); err == nil {
		k.deepName, err = k.walk(c, "name", a.owns*9/10)
	}
	return k, err
}

// walk follows the cursors of the account's list to that depth. It checks on the way that no row is missing.
func (a *asker) walk(c *client, ordering string, depth int) (string, error) {
	const most = 100
	cursor := ""
	for seen := 0; seen < depth; seen += most {
		query := url.Values{"cursor": {cursor}, "ordering": {ordering}, "page_size": {strconv.Itoa(most)}}
		answer, err := c.must(newRequest("GET", "/api/patients/?"+query.Encode(), a.token, nil, 200))
		if err != nil {
			return "", err
		}
		var page struct {
			Next    string
			Results []struct{ ID int64 }
		}
		if err := json.Unmarshal(answer.body, &page); err != nil {
			return "", err
		}
		if len(page.Results) != most || page.Next == "" {
			return "", fmt.Errorf("after %d of %d patients a page has %d", seen, a.owns, len(page.Results))
		}
		next, err := url.Parse(page.Next)
		if err != nil {
			return "", err
		}
		cursor = next.Query().Get("cursor")
	}
	return url.QueryEscape(cursor), nil
}

// check compares the first page with what is known of it.
func (a *asker) check(c *client) error {
	answer, err := c.must(newRequest("GET", "/api/patients/", a.token, nil, 200))
	if err != nil {
		return err
	}
	var page struct {
		Count   int
		Results []struct{ ID int64 }
	}
	if err := json.Unmarshal(answer.body, &page); err != nil {
		return err
	}
	if page.Count != a.owns || len(page.Results) != 20 {
		return fmt.Errorf("the list of %s counts %d patients, not %d", a.name, page.Count, a.owns)
	}
	return nil
}
