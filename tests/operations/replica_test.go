package operations

import (
	"cmp"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// That a standby is read from, and when, tests/failures replica shows.
func TestAReplicaThatIsAwayOrNoStandbyIsPassedOver(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	kit.NeedPostgres(t)
	for what, address := range map[string]string{"away": "postgres://postgres@127.0.0.1:1/clinic?sslmode=disable", "no standby": ""} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			made := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
			address := cmp.Or(address, made.Config.Database.Postgres)
			p := kit.Launch(t, t.TempDir(), nil, append(made.Environ(), "METRICS_ADDR=:0", "READ_DATABASE_URL="+address)...)
			ana := p.Serving().User("ana")
			for _, name := range []string{"Petra", "Ali", "Dora"} {
				id := ana.Patient(name)
				assert.EqualValues(t, id, ana.Get("/api/patients/?page_size=1").Expect(http.StatusOK).Results()[0]["id"])
				assert.Len(t, ana.Get(kit.Path("patients", id, "history")).Expect(http.StatusOK).Results(), 1)
			}
			p.Await(p.Err, "lists are read from the primary")
			metrics := regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+/metrics)`).FindStringSubmatch(p.Err.String())
			require.NotNil(t, metrics, p.Err)
			values, _ := kit.ScrapeURL(t, metrics[1])
			assert.InDelta(t, 1, values["healthcare_replica_away"], 0)
			assert.InDelta(t, 6, values[`healthcare_lists_total{from="primary"}`], 0)
			assert.Zero(t, values[`healthcare_lists_total{from="replica"}`])
			assert.Len(t, made.Rows("SELECT instance FROM replica_beats"), 1)
			kit.Absent(t, p.Err.String(), "postgres://", "127.0.0.1:1/")
		})
	}
}
