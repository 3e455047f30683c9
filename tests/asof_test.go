package tests

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// moveEvents dates the events of one action back; events of the present are left alone.
func moveEvents(api *kit.API, action string, to time.Time) {
	api.T.Helper()
	text := to.UTC().Format("2006-01-02 15:04:05.999999-07:00")
	api.Exec(fmt.Sprintf("UPDATE events SET at = '%s' WHERE action = '%s' AND object = 'mapping' AND at > '2026-06-01 00:00:00+00:00'", text, action))
}

func TestWhoWasAssignedOnADay(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.LiftAppendOnly() // or no time could pass
		ana, eve, boss := api.User("ana"), api.User("eve"), api.Staff("boss")
		p, d := ana.Patient("Ana"), ana.Doctor("Cy")
		day := func(day, hour int) time.Time { return time.Date(2026, 1, day, hour, 0, 0, 0, time.UTC) }
		ana.Assign(p, d).Expect(http.StatusCreated)
		moveEvents(api, "assign", day(5, 23))
		ana.Post(kit.Path("doctor", "mappings", p, "remove"), kit.Object{"doctor_id": d}).Expect(http.StatusOK)
		moveEvents(api, "unassign", day(8, 0))
		ana.Assign(p, d).Expect(http.StatusCreated)
		moveEvents(api, "assign", day(10, 12))
		ana.Delete(kit.Path("patients", p)).Expect(http.StatusNoContent)
		moveEvents(api, "unassign", day(12, 12))
		boss.Post(kit.Path("patients", p, "restore"), nil).Expect(http.StatusOK)
		moveEvents(api, "assign", day(15, 12))
		ana.Delete(kit.Path("doctors", d)).Expect(http.StatusNoContent)
		moveEvents(api, "unassign", day(20, 12))

		for date, want := range map[string][]string{
			"2026-01-04": {}, "2026-01-05": {"Cy"}, "2026-01-07": {"Cy"}, "2026-01-08": {}, "2026-01-09": {}, "2026-01-10": {"Cy"},
			"2026-01-11": {"Cy"}, "2026-01-12": {}, "2026-01-14": {}, "2026-01-15": {"Cy"}, "2026-01-19": {"Cy"}, "2026-01-20": {},
			"2026-02-01": {}, "0001-01-01": {}, "9999-12-31": {},
		} {
			assert.Equal(t, want, ana.DoctorsOf(p, "?as_of="+date), date)
			assert.Equal(t, want, boss.DoctorsOf(p, "?as_of="+date), date)
		}
		assert.Empty(t, ana.DoctorsOf(p, ""))
		eve.Get(kit.Path("mappings", p) + "?as_of=2026-01-11").Expect(http.StatusNotFound)
		eve.Get(kit.Path("doctor", "mappings", p) + "?as_of=2026-01-11").Expect(http.StatusNotFound)
		assert.Equal(t, []any{"Cy"}, ana.Get(kit.Path("doctor", "mappings", p)+"?as_of=2026-01-11").Column("name"))

		boss.Post(kit.Path("doctors", d, "restore"), nil).Expect(http.StatusOK)
		moveEvents(api, "assign", day(25, 12))
		assert.Empty(t, ana.DoctorsOf(p, "?as_of=2026-01-24"))
		assert.Equal(t, []string{"Cy"}, ana.DoctorsOf(p, "?as_of=2026-01-25"))
		assert.Equal(t, []string{"Cy"}, ana.DoctorsOf(p, "?as_of=9999-12-31"))
		assert.Equal(t, []string{"Cy"}, ana.DoctorsOf(p, ""))
	})
}

func TestAnAsOfThatIsNoDayIsRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		p := ana.Patient("Ana")
		for _, wrong := range []string{"yesterday", "2026-02-30", "2026-1-1", "0000-01-01", "2026-01-01T00:00:00Z", "%00", "99999-01-01"} {
			r := ana.Get(kit.Path("mappings", p) + "?as_of=" + wrong).Expect(http.StatusBadRequest)
			assert.NotEmpty(t, r.Error("as_of"), wrong)
		}
		assert.Empty(t, ana.DoctorsOf(p, "?as_of="))
	})
}
