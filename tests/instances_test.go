package tests

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// An instance may have seen a patient before another changed it: what it remembers must never be taken for the truth.
func TestAChangeBuildsOnWhatAnotherInstanceChanged(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, boss := api.User("ana"), api.User("eve"), api.Staff("boss")
		there := ana.At(kit.Start(t, api.Config))
		one := kit.Path("patients", ana.Patient("Petra"))

		ana.Get(one).Expect(http.StatusOK)
		there.Patch(one, kit.Object{"phone": "1"}).Expect(http.StatusOK)
		r := ana.Patch(one, kit.Object{"name": "Paula"}).Expect(http.StatusOK)
		assert.Equal(t, []any{"1", "Paula", 3.0}, []any{r.JSON["phone"], r.JSON["name"], r.JSON["version"]})
		assert.Equal(t, r.JSON, there.Get(one).JSON)

		there.Patch(one, kit.Object{"phone": "2"}).Expect(http.StatusOK)
		assert.Equal(t, "1", ana.Patch(one, kit.Object{"phone": "1"}).Expect(http.StatusOK).JSON["phone"], "what seems to be no change is one")
		assert.Equal(t, "1", there.Get(one).JSON["phone"])

		etag := there.Patch(one, kit.Object{"phone": "3"}).Expect(http.StatusOK).Header.Get("ETag")
		ana.Do("PATCH", one, kit.Object{"address": "Here"}, "If-Match", etag).Expect(http.StatusOK)
		there.Patch(one, kit.Object{"phone": "4"}).Expect(http.StatusOK)
		ana.Do("PATCH", one, kit.Object{"address": "There"}, "If-Match", etag).Expect(http.StatusPreconditionFailed)

		ana.Patch(one, kit.Object{"phone": "5"}).Expect(http.StatusOK)
		assert.Equal(t, kit.Object{"phone": kit.Object{"from": "4", "to": "5"}}, ana.Get(one + "history/").Expect(http.StatusOK).Results()[0]["changes"])

		ana.Get(one).Expect(http.StatusOK)
		boss.At(there.API).Patch(one, kit.Object{"created_by": eve.ID}).Expect(http.StatusOK)
		ana.Patch(one, kit.Object{"name": "Mine"}).Expect(http.StatusNotFound)
		ana.Patch(one, kit.Object{"name": "Mine"}).Expect(http.StatusNotFound)
		assert.Equal(t, "Paula", eve.Get(one).Expect(http.StatusOK).JSON["name"])

		eve.At(there.API).Delete(one).Expect(http.StatusNoContent)
		eve.Patch(one, kit.Object{"name": "Gone"}).Expect(http.StatusNotFound)
		assert.Zero(t, api.Count("SELECT count(*) FROM patients WHERE name <> 'Paula'"))
	})
}

func TestWhileAnotherProcessWritesNobodyWaitsForLongAndNothingIsHalfDone(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		cfg := *api.Config
		cfg.RequestTimeout = 2 * time.Second // long enough for what follows on a busy machine
		ana := api.User("ana").At(kit.Start(t, &cfg))
		ana.Patient("Petra")

		conn, err := api.SQL().Conn(t.Context())
		require.NoError(t, err)
		lock := []string{"BEGIN IMMEDIATE"}
		if api.IsPostgres() {
			lock = []string{"BEGIN", "LOCK TABLE patients IN EXCLUSIVE MODE"}
		}
		for _, statement := range lock {
			_, err = conn.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		add := func(int) *kit.Response { return ana.Post("/api/patients/", kit.Object{"name": "Paula"}) }
		assert.Equal(t, slices.Repeat([]int{503}, 12), statuses(kit.AtOnce(12, add)))
		ana.Get("/api/patients/1/").Expect(http.StatusOK)
		_, err = conn.ExecContext(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, conn.Close())

		assert.Equal(t, slices.Repeat([]int{201}, 12), statuses(kit.AtOnce(12, add)))
		assert.Equal(t, 13, api.Count("SELECT count(*) FROM patients"))
		assert.Equal(t, 13, api.Count("SELECT count(*) FROM events WHERE action = 'create' AND outcome = 'ok'"))
	})
}
