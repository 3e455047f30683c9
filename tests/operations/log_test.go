package operations

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestEachRequestLeavesOneLineWithoutPersonalData(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		ana.Patch("/api/patients/1/", kit.Merge(kit.Records[0].Full)).Expect(http.StatusOK)
		n := strings.Count(api.Log.String(), "\n")
		for _, c := range []struct {
			method, path, route string
			body                any
			status              int
		}{
			{"GET", "/api/patients/?search=Petra&page=1", "/api/patients", nil, 200},
			{"GET", "/api/patients/1/", "/api/patients/:id", nil, 200},
			{"HEAD", "/api/patients/1/", "/api/patients/:id", nil, 200},
			{"GET", "/api/patients/Petra/", "/api/patients/:id", nil, 404},
			{"GET", "/api/Petra/", `""`, nil, 404},
			{"PUT", "/api/mappings/1", `""`, kit.Object{"name": "Petra"}, 405},
			{"POST", "/api/patients/", "/api/patients", kit.Object{"name": "Petra", "Petra": 1}, 400},
			{"POST", kit.LoginPath, "/api/auth/login", kit.Object{"username": "Petra", "password": kit.Password}, 401},
			{"POST", kit.RegisterPath, "/api/auth/register", kit.Object{"username": "Petra", "email": "petra@example.org", "password": kit.Password}, 201},
			{"DELETE", "/api/mappings/1/", "/api/mappings/:id", nil, 204},
			{"GET", "/api/patients/?page=Petra;%zz", "/api/patients", nil, 400},
		} {
			r := ana.Do(c.method, c.path, c.body, "User-Agent", "Petra", "Referer", "https://example.org/Petra", "Cookie", "Petra=1").Expect(c.status)
			n++
			line := api.Log.Lines(t, n)[n-1]
			for _, says := range []string{"level=INFO", fmt.Sprint("status=", c.status), "route=" + c.route + " ", "took=", "request_id=" + r.Header.Get("X-Request-ID")} {
				assert.Contains(t, line, says, c.path)
			}
			if strings.HasPrefix(c.route, "/api/") && !strings.HasPrefix(c.route, "/api/auth/") {
				assert.Contains(t, line, fmt.Sprintf(" user=%d ", ana.ID), c.path)
			}
		}
		kit.Absent(t, api.Log.String(), "Petra", "petra", "example.org", "Asthma", "Berlin", kit.Password, ana.Token, "Bearer", "127.0.0.1")
	})
}

func TestTheLogTellsWhatWentWrongInside(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		api.Exec("ALTER TABLE mappings RENAME TO elsewhere")
		n := strings.Count(api.Log.String(), "\n")
		r := ana.Get("/api/mappings/").Expect(http.StatusInternalServerError)
		line := api.Log.Lines(t, n+1)[n]
		assert.Contains(t, line, "level=ERROR")
		assert.Contains(t, line, "mappings")
		assert.Contains(t, line, "request_id="+r.Header.Get("X-Request-ID"))
	})
}
