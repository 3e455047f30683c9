//go:build programs

package tests

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
	"healthcare/tests/kit"
)

// TestHostileSearchesOfALargeAccount prints how long the searches of an account of 100,000 hostile patients take, and
// how long others wait while sixteen of them are sent at once:
//
//	go test -tags programs ./tests -run HostileSearches -v -timeout 30m
func TestHostileSearchesOfALargeAccount(t *testing.T) {
	const patients = 100_000
	for name, fresh := range kit.Fresh {
		for names, text := range map[string]string{"one letter": "'" + hostileNames[0] + "'", "mixed": hostileText()} {
			t.Run(name+", "+names, func(t *testing.T) {
				cfg := kit.BaseConfig(fresh(t))
				cfg.MaxConns = 16 // the default
				api := kit.Start(t, cfg)
				ana, eve := api.User("ana"), api.User("eve")
				fillPatients(api, ana.ID, patients, text)
				slowest := measureAlone(t, cfg, ana)
				measureOthers(t, ana, eve, slowest)
			})
		}
	}
}

// measureAlone sends each search by itself, and returns them with the slowest first.
func measureAlone(t *testing.T, cfg *config.Config, ana *kit.Client) []string {
	took := map[string]time.Duration{}
	for _, text := range hostileTexts {
		began := time.Now()
		r := ana.Get("/api/patients/?" + search(text))
		took[text] = time.Since(began)
		assert.Less(t, took[text], cfg.RequestTimeout+time.Second)
		t.Logf("%8.0f ms, %d, count %v: %.60s", took[text].Seconds()*1000, r.Status, r.JSON["count"], text)
	}
	return slices.SortedFunc(slices.Values(hostileTexts), func(a, b string) int { return int(took[b] - took[a]) })
}

// measureOthers has sixteen connections send the slowest searches for ten seconds, and another account send what it
// sends all day.
func measureOthers(t *testing.T, ana, eve *kit.Client, texts []string) {
	patient := eve.Patient("Emil Einstein")
	others := map[string]func() *kit.Response{
		"one patient": func() *kit.Response { return eve.Get(kit.Path("patients", patient)) },
		"list":        func() *kit.Response { return eve.Get("/api/patients/") },
		"search":      func() *kit.Response { return eve.Get("/api/patients/?search=einstein") },
		"doctors":     func() *kit.Response { return eve.Get("/api/doctors/") },
		"update": func() *kit.Response {
			return eve.Patch(kit.Path("patients", patient), kit.Object{"phone": fmt.Sprint(time.Now().UnixNano() % 1e9)})
		},
	}
	end := time.Now().Add(10 * time.Second)
	var hostile, ordinary sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 16 {
		hostile.Go(func() {
			for n := i; time.Now().Before(end); n++ {
				r := ana.Get("/api/patients/?" + search(texts[n%8]))
				mu.Lock()
				statuses[r.Status]++
				mu.Unlock()
			}
		})
	}
	for what, request := range others {
		ordinary.Go(func() {
			var took []time.Duration
			for time.Now().Before(end) {
				began := time.Now()
				assert.Equal(t, http.StatusOK, request().Status)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			p99 := took[len(took)*99/100]
			assert.Less(t, p99, 250*time.Millisecond, what)
			t.Logf("meanwhile %-11s %6d requests, p50 %v, p99 %v, slowest %v", what, len(took), took[len(took)/2], p99, took[len(took)-1])
		})
	}
	ordinary.Wait()
	hostile.Wait()
	t.Logf("the hostile searches: %v", statuses)
}
