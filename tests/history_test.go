package tests

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// tellHistory spells a list of history entries, oldest first: action and changes.
func tellHistory(r *kit.Response) []string {
	lines := []string{}
	for _, e := range r.Results() {
		lines = append(lines, fmt.Sprint(e["action"], " ", e["changes"]))
	}
	slices.Reverse(lines)
	return lines
}

func TestAPatientsHistoryTellsWhoChangedWhatFromWhatToWhat(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		d := ana.Doctor("Cy")
		made := ana.Post(kit.Path("patients"), kit.Object{"name": "Ana", "date_of_birth": "1980-02-29", "phone": "1"}).Expect(http.StatusCreated)
		p := made.ID()
		ana.Patch(kit.Path("patients", p), kit.Object{"name": "Zoë", "date_of_birth": nil, "gender": "female"}).Expect(http.StatusOK)
		boss.Put(kit.Path("patients", p), kit.Object{"name": "Zoë"}).Expect(http.StatusOK)
		m := ana.Assign(p, d).Expect(http.StatusCreated).ID()
		boss.Delete(kit.Path("mappings", m)).Expect(http.StatusNoContent)
		ana.Post(kit.Path("doctor", "mappings"), kit.Object{"patient_id": p, "doctor_id": d}).Expect(http.StatusCreated)
		ana.Post(kit.Path("doctor", "mappings", p, "remove"), kit.Object{"doctor_id": d}).Expect(http.StatusOK)
		ana.Assign(p, d).Expect(http.StatusCreated)
		ana.Delete(kit.Path("patients", p)).Expect(http.StatusNoContent)
		ana.Get(kit.Path("patients", p, "history")).Expect(http.StatusNotFound)
		boss.Post(kit.Path("patients", p, "restore"), nil).Expect(http.StatusOK)

		history := ana.Get(kit.Path("patients", p, "history")).Expect(http.StatusOK)
		assert.Equal(t, []string{
			"create map[date_of_birth:map[from:<nil> to:1980-02-29] gender:map[from:<nil> to:unknown] name:map[from:<nil> to:Ana] phone:map[from:<nil> to:1]]",
			"update map[date_of_birth:map[from:1980-02-29 to:<nil>] gender:map[from:unknown to:female] name:map[from:Ana to:Zoë]]",
			"update map[gender:map[from:female to:unknown] phone:map[from:1 to:]]",
			"assign map[doctor_id:map[from:<nil> to:1]]", "unassign map[doctor_id:map[from:1 to:<nil>]]",
			"assign map[doctor_id:map[from:<nil> to:1]]", "unassign map[doctor_id:map[from:1 to:<nil>]]",
			"assign map[doctor_id:map[from:<nil> to:1]]",
			"delete map[]", "unassign map[doctor_id:map[from:1 to:<nil>]]",
			"restore map[]", "assign map[doctor_id:map[from:<nil> to:1]]",
		}, tellHistory(history))
		by := func(c *kit.Client) kit.Object { return kit.Object{"id": float64(c.ID), "username": c.Name} }
		newestFirst := []any{by(boss), by(boss), by(ana), by(ana), by(ana), by(ana), by(ana), by(boss), by(ana), by(boss), by(ana), by(ana)}
		assert.Equal(t, newestFirst, history.Column("by"))
		for _, e := range history.Results() {
			doctor, want := e["doctor"], any(nil)
			if a := e["action"]; a == "assign" || a == "unassign" {
				want = kit.Object{"id": float64(d), "name": "Cy", "specialization": "Surgery"}
			}
			assert.Equal(t, want, doctor, e["action"])
			assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`, e["at"])
		}
		assert.Equal(t, made.JSON["created_at"], history.Results()[11]["at"])
	})
}

func TestADoctorsHistoryHoldsNoPatient(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		d := ana.Post(kit.Path("doctors"), kit.Object{"name": "Cy", "specialization": "Eyes", "years_of_experience": 0}).Expect(http.StatusCreated).ID()
		ana.Patch(kit.Path("doctors", d), kit.Object{"years_of_experience": 7, "name": "Cy"}).Expect(http.StatusOK)
		ana.Patch(kit.Path("doctors", d), kit.Object{"years_of_experience": nil}).Expect(http.StatusOK)
		ana.Assign(ana.Patient("Ana"), d).Expect(http.StatusCreated)
		ana.Delete(kit.Path("doctors", d)).Expect(http.StatusNoContent)
		boss.Post(kit.Path("doctors", d, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{
			"create map[name:map[from:<nil> to:Cy] specialization:map[from:<nil> to:Eyes] years_of_experience:map[from:<nil> to:0]]",
			"update map[years_of_experience:map[from:0 to:7]]",
			"update map[years_of_experience:map[from:7 to:<nil>]]",
			"delete map[]", "restore map[]",
		}, tellHistory(ana.Get(kit.Path("doctors", d, "history"))))
	})
}

func TestAHistoryIsForWhoMayChangeTheRecord(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, boss := api.User("ana"), api.User("eve"), api.Staff("boss")
		p, d := kit.Path("patients", ana.Patient("Ana")), kit.Path("doctors", ana.Doctor("Cy"))
		for _, path := range []string{p, d} {
			ana.Get(path + "history/").Expect(http.StatusOK)
			boss.Get(path + "history/").Expect(http.StatusOK)
			api.Nobody().Get(path + "history/").Expect(http.StatusUnauthorized)
		}
		eve.Get(p + "history/").Expect(http.StatusNotFound)
		eve.Get(d + "history/").Expect(http.StatusForbidden)
		for _, path := range []string{p, d} {
			ana.Delete(path).Expect(http.StatusNoContent)
			ana.Get(path + "history/").Expect(http.StatusNotFound)
			eve.Get(path + "history/").Expect(http.StatusNotFound)
			assert.Equal(t, []string{"create", "delete"}, actions(boss.Get(path+"history/")))
		}
		for _, path := range []string{kit.Path("patients", 99, "history"), kit.Path("doctors", 99, "history")} {
			boss.Get(path).Expect(http.StatusNotFound)
		}
	})
}

func TestAHistoryComesInPages(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		p := kit.Path("patients", ana.Patient("0"))
		for _, name := range []string{"1", "2", "3", "4"} {
			ana.Patch(p, kit.Object{"name": name}).Expect(http.StatusOK)
		}
		seen := []string{}
		url := p + "history/?page_size=2"
		for range 3 {
			page := ana.Get(url).Expect(http.StatusOK)
			assert.EqualValues(t, 5, page.JSON["count"])
			for _, e := range page.Results() {
				seen = append(seen, e["changes"].(kit.Object)["name"].(kit.Object)["to"].(string))
			}
			if next, more := page.JSON["next"].(string); more {
				url = next[len(api.URL):]
			} else {
				url = ""
			}
		}
		assert.Empty(t, url)
		assert.Equal(t, []string{"4", "3", "2", "1", "0"}, seen)
		ana.Get(p + "history/?page=9").Expect(http.StatusNotFound)
	})
}

func TestWhatIsRefusedIsNoHistory(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		p, d := kit.Path("patients", ana.Patient("Ana")), kit.Path("doctors", ana.Doctor("Cy"))
		for _, path := range []string{p, d} {
			ana.Patch(path, kit.Object{"name": ""}).Expect(http.StatusBadRequest)
			ana.Do("PATCH", path, kit.Object{"name": "X"}, "If-Match", `"9"`).Expect(http.StatusPreconditionFailed)
			ana.Do("DELETE", path, nil, "If-Match", `"9"`).Expect(http.StatusPreconditionFailed)
			assert.GreaterOrEqual(t, eve.Patch(path, kit.Object{"name": "X"}).Status, 400)
			assert.GreaterOrEqual(t, eve.Delete(path).Status, 400)
			assert.Equal(t, []string{"create"}, actions(ana.Get(path+"history/")))
		}
		eve.Post(kit.Path("mappings"), kit.Object{"patient_id": 1, "doctor_id": 1}).Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"create"}, actions(ana.Get(p+"history/")))
	})
}

func TestAHistoryNamesADoctorWhoWasDeletedSince(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		p, d := ana.Patient("Ana"), ana.Doctor("Cy")
		ana.Assign(p, d).Expect(http.StatusCreated)
		ana.Delete(kit.Path("doctors", d)).Expect(http.StatusNoContent)
		ana.Get(kit.Path("doctors", d)).Expect(http.StatusNotFound)
		cy := kit.Object{"id": float64(d), "name": "Cy", "specialization": "Surgery"}
		for _, query := range []string{"", "?cursor=", "?page_size=2&ordering=-created_at"} {
			assert.Equal(t, []any{cy, cy}, ana.Get(kit.Path("patients", p, "history") + query).Expect(http.StatusOK).Column("doctor")[:2], query)
		}
	})
}
