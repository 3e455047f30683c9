package tests

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"
)

// fields is a JSON object.
type fields = map[string]any

// at is a path below /api/.
func at(parts ...any) string {
	text := "/api/"
	for _, p := range parts {
		text += fmt.Sprint(p, "/")
	}
	return text
}

func (c *Client) newPatient(name string) int {
	c.t.Helper()
	return c.Post(at("patients"), fields{"name": name}).Expect(http.StatusCreated).ID()
}

func (c *Client) newDoctor(name string) int {
	c.t.Helper()
	return c.Post(at("doctors"), fields{"name": name, "specialization": "Surgery"}).Expect(http.StatusCreated).ID()
}

// assigns returns the mapping's id.
func (c *Client) assigns(patient, doctor int) int {
	c.t.Helper()
	return c.Post(at("mappings"), fields{"patient_id": patient, "doctor_id": doctor}).Expect(http.StatusCreated).ID()
}

// doctorsOf lists the names of a patient's doctors, sorted; the query may be empty.
func (c *Client) doctorsOf(patient int, query string) []string {
	c.t.Helper()
	names := []string{}
	for _, name := range c.Get(at("mappings", patient) + query).Expect(http.StatusOK).Column("name") {
		names = append(names, name.(string))
	}
	slices.Sort(names)
	return names
}

// tellHistory spells a list of history entries, oldest first: action and changes.
func (r *Response) tellHistory() []string {
	lines := []string{}
	for _, e := range r.Results() {
		lines = append(lines, fmt.Sprint(e["action"], " ", e["changes"]))
	}
	slices.Reverse(lines)
	return lines
}

// everyStatus runs so many requests at once and counts the statuses of their answers.
func everyStatus(n int, request func(i int) *Response) map[int]int {
	var all sync.WaitGroup
	var mu sync.Mutex
	begin, statuses := make(chan struct{}), map[int]int{}
	for i := range n {
		all.Go(func() {
			<-begin
			r := request(i)
			mu.Lock()
			defer mu.Unlock()
			statuses[r.Status]++
		})
	}
	close(begin)
	all.Wait()
	return statuses
}

// rows runs a query and spells each row.
func (api *API) rows(query string) []string {
	api.t.Helper()
	found, err := api.sql().Query(query)
	require.NoError(api.t, err)
	defer func() { _ = found.Close() }()
	columns, err := found.Columns()
	require.NoError(api.t, err)
	lines := []string{}
	for found.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(api.t, found.Scan(into...))
		lines = append(lines, fmt.Sprint(values...))
	}
	require.NoError(api.t, found.Err())
	return lines
}

// isPostgres tells which of the two databases this is.
func (api *API) isPostgres() bool { return api.Config.Database.Postgres != "" }

// liftAppendOnly removes the triggers that keep events and seals from being changed, as a holder of the database can.
func (api *API) liftAppendOnly() {
	api.t.Helper()
	for _, table := range []string{"events", "seals"} {
		if api.isPostgres() {
			api.exec("DROP TRIGGER " + table + "_append_only ON " + table)
			continue
		}
		api.exec("DROP TRIGGER " + table + "_no_update")
		api.exec("DROP TRIGGER " + table + "_no_delete")
	}
}
