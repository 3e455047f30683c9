package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
	"healthcare/tests/kit"
)

func TestAnAccountMakesSoManyRequestsAMinute(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, bob := api.User("ana"), api.User("bob")
		for range 2 {
			ana.Get("/api/patients/").Expect(http.StatusOK)
		}
		ana.Post("/api/patients/", kit.Object{"name": "Ann"}).Expect(http.StatusCreated)
		for _, r := range []*kit.Response{ana.Get("/api/patients/1/"), ana.Delete("/api/patients/1/"), ana.Session().Get("/api/auth/me/")} {
			assert.Equal(t, http.StatusTooManyRequests, r.Status)
			assert.Equal(t, "throttled", r.JSON["code"])
		}
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM events WHERE action IN ('read', 'delete')"))
		bob.Get("/api/patients/").Expect(http.StatusOK)
	}, func(cfg *config.Config) { cfg.AccountRateLimit = 3 })
}

func TestAPageHasALimitInBytes(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		worst := strings.Repeat("\x01", 10_000) // six times as long in JSON
		for n := range 100 {
			ana.Patient(fmt.Sprint(n))
		}
		api.Exec("UPDATE patients SET allergies = '" + worst + "', medical_history = '" + worst + "', address = '" + worst[:1000] + "'")
		for query, status := range map[string]int{
			"": 200, "page_size=20": 200, "page_size=30": 200, "page_size=31": 200, "page_size=34": 400, "page_size=100": 400, "page_size=100&cursor=": 400,
		} {
			r := ana.Get("/api/patients/?" + query)
			assert.Equal(t, status, r.Status, query)
			if status == 400 {
				assert.Equal(t, "This page would be larger than 4 MiB. Ask for fewer rows.", r.Error("page_size"))
			}
			assert.Less(t, len(r.Raw), 4<<20+1000)
		}
		api.Exec("UPDATE patients SET allergies = '<&>'")
		api.Exec("UPDATE patients SET medical_history = ''")
		large, small := ana.Get("/api/patients/?page_size=100"), ana.Get("/api/patients/?page_size=20")
		assert.Equal(t, small.Results(), large.Results()[:20])
		assert.Contains(t, large.Raw, `"allergies":"<&>"`)
		assert.Equal(t, 100.0, large.JSON["count"])
	})
}
