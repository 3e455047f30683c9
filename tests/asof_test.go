package tests

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// moveEvents dates the events of one action back; events of the present are left alone.
func (api *API) moveEvents(action string, to time.Time) {
	api.t.Helper()
	text := to.UTC().Format("2006-01-02 15:04:05.999999-07:00")
	api.exec(fmt.Sprintf("UPDATE events SET at = '%s' WHERE action = '%s' AND object = 'mapping' AND at > '2026-06-01 00:00:00+00:00'", text, action))
}

func TestWhoWasAssignedOnADay(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.liftAppendOnly() // or no time could pass
		ana, eve, boss := api.User("ana"), api.User("eve"), api.Staff("boss")
		p, d := ana.newPatient("Ana"), ana.newDoctor("Cy")
		day := func(day, hour int) time.Time { return time.Date(2026, 1, day, hour, 0, 0, 0, time.UTC) }
		ana.assigns(p, d)
		api.moveEvents("assign", day(5, 23))
		ana.Post(at("doctor", "mappings", p, "remove"), fields{"doctor_id": d}).Expect(http.StatusOK)
		api.moveEvents("unassign", day(8, 0))
		ana.assigns(p, d)
		api.moveEvents("assign", day(10, 12))
		ana.Delete(at("patients", p)).Expect(http.StatusNoContent)
		api.moveEvents("unassign", day(12, 12))
		boss.Post(at("patients", p, "restore"), nil).Expect(http.StatusOK)
		api.moveEvents("assign", day(15, 12))
		ana.Delete(at("doctors", d)).Expect(http.StatusNoContent)
		api.moveEvents("unassign", day(20, 12))

		for date, want := range map[string][]string{
			"2026-01-04": {}, "2026-01-05": {"Cy"}, "2026-01-07": {"Cy"}, "2026-01-08": {}, "2026-01-09": {}, "2026-01-10": {"Cy"},
			"2026-01-11": {"Cy"}, "2026-01-12": {}, "2026-01-14": {}, "2026-01-15": {"Cy"}, "2026-01-19": {"Cy"}, "2026-01-20": {},
			"2026-02-01": {}, "0001-01-01": {}, "9999-12-31": {},
		} {
			assert.Equal(t, want, ana.doctorsOf(p, "?as_of="+date), date)
			assert.Equal(t, want, boss.doctorsOf(p, "?as_of="+date), date)
		}
		assert.Empty(t, ana.doctorsOf(p, ""))
		eve.Get(at("mappings", p) + "?as_of=2026-01-11").Expect(http.StatusNotFound)
		eve.Get(at("doctor", "mappings", p) + "?as_of=2026-01-11").Expect(http.StatusNotFound)
		assert.Equal(t, []any{"Cy"}, ana.Get(at("doctor", "mappings", p)+"?as_of=2026-01-11").Column("name"))

		boss.Post(at("doctors", d, "restore"), nil).Expect(http.StatusOK)
		api.moveEvents("assign", day(25, 12))
		assert.Empty(t, ana.doctorsOf(p, "?as_of=2026-01-24"))
		assert.Equal(t, []string{"Cy"}, ana.doctorsOf(p, "?as_of=2026-01-25"))
		assert.Equal(t, []string{"Cy"}, ana.doctorsOf(p, "?as_of=9999-12-31"))
		assert.Equal(t, []string{"Cy"}, ana.doctorsOf(p, ""))
	})
}

func TestAnAsOfThatIsNoDayIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		p := ana.newPatient("Ana")
		for _, wrong := range []string{"yesterday", "2026-02-30", "2026-1-1", "0000-01-01", "2026-01-01T00:00:00Z", "%00", "99999-01-01"} {
			r := ana.Get(at("mappings", p) + "?as_of=" + wrong).Expect(http.StatusBadRequest)
			assert.NotEmpty(t, r.Error("as_of"), wrong)
		}
		assert.Empty(t, ana.doctorsOf(p, "?as_of="))
	})
}
