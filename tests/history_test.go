package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAPatientsHistoryTellsWhoChangedWhatFromWhatToWhat(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		d := ana.newDoctor("Cy")
		made := ana.Post(at("patients"), fields{"name": "Ana", "date_of_birth": "1980-02-29", "phone": "1"}).Expect(http.StatusCreated)
		p := made.ID()
		ana.Patch(at("patients", p), fields{"name": "Zoë", "date_of_birth": nil, "gender": "female"}).Expect(http.StatusOK)
		boss.Put(at("patients", p), fields{"name": "Zoë"}).Expect(http.StatusOK)
		m := ana.assigns(p, d)
		boss.Delete(at("mappings", m)).Expect(http.StatusNoContent)
		ana.Post(at("doctor", "mappings"), fields{"patient_id": p, "doctor_id": d}).Expect(http.StatusCreated)
		ana.Post(at("doctor", "mappings", p, "remove"), fields{"doctor_id": d}).Expect(http.StatusOK)
		ana.assigns(p, d)
		ana.Delete(at("patients", p)).Expect(http.StatusNoContent)
		ana.Get(at("patients", p, "history")).Expect(http.StatusNotFound)
		boss.Post(at("patients", p, "restore"), nil).Expect(http.StatusOK)

		history := ana.Get(at("patients", p, "history")).Expect(http.StatusOK)
		assert.Equal(t, []string{
			"create map[date_of_birth:map[from:<nil> to:1980-02-29] gender:map[from:<nil> to:unknown] name:map[from:<nil> to:Ana] phone:map[from:<nil> to:1]]",
			"update map[date_of_birth:map[from:1980-02-29 to:<nil>] gender:map[from:unknown to:female] name:map[from:Ana to:Zoë]]",
			"update map[gender:map[from:female to:unknown] phone:map[from:1 to:]]",
			"assign map[doctor_id:map[from:<nil> to:1]]", "unassign map[doctor_id:map[from:1 to:<nil>]]",
			"assign map[doctor_id:map[from:<nil> to:1]]", "unassign map[doctor_id:map[from:1 to:<nil>]]",
			"assign map[doctor_id:map[from:<nil> to:1]]",
			"delete map[]", "unassign map[doctor_id:map[from:1 to:<nil>]]",
			"restore map[]", "assign map[doctor_id:map[from:<nil> to:1]]",
		}, history.tellHistory())
		by := func(c *Client) fields { return fields{"id": float64(c.ID), "username": c.Name} }
		newestFirst := []any{by(boss), by(boss), by(ana), by(ana), by(ana), by(ana), by(ana), by(boss), by(ana), by(boss), by(ana), by(ana)}
		assert.Equal(t, newestFirst, history.Column("by"))
		for _, e := range history.Results() {
			assert.Len(t, e, 4)
			assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`, e["at"])
		}
		assert.Equal(t, made.JSON["created_at"], history.Results()[11]["at"])
	})
}

func TestADoctorsHistoryHoldsNoPatient(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		d := ana.Post(at("doctors"), fields{"name": "Cy", "specialization": "Eyes", "years_of_experience": 0}).Expect(http.StatusCreated).ID()
		ana.Patch(at("doctors", d), fields{"years_of_experience": 7, "name": "Cy"}).Expect(http.StatusOK)
		ana.Patch(at("doctors", d), fields{"years_of_experience": nil}).Expect(http.StatusOK)
		ana.assigns(ana.newPatient("Ana"), d)
		ana.Delete(at("doctors", d)).Expect(http.StatusNoContent)
		boss.Post(at("doctors", d, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{
			"create map[name:map[from:<nil> to:Cy] specialization:map[from:<nil> to:Eyes] years_of_experience:map[from:<nil> to:0]]",
			"update map[years_of_experience:map[from:0 to:7]]",
			"update map[years_of_experience:map[from:7 to:<nil>]]",
			"delete map[]", "restore map[]",
		}, ana.Get(at("doctors", d, "history")).tellHistory())
	})
}

func TestAHistoryIsForWhoMayChangeTheRecord(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, eve, boss := api.User("ana"), api.User("eve"), api.Staff("boss")
		p, d := at("patients", ana.newPatient("Ana")), at("doctors", ana.newDoctor("Cy"))
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
		for _, path := range []string{at("patients", 99, "history"), at("doctors", 99, "history")} {
			boss.Get(path).Expect(http.StatusNotFound)
		}
	})
}

func TestAHistoryComesInPages(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		p := at("patients", ana.newPatient("0"))
		for _, name := range []string{"1", "2", "3", "4"} {
			ana.Patch(p, fields{"name": name}).Expect(http.StatusOK)
		}
		seen := []string{}
		url := p + "history/?page_size=2"
		for range 3 {
			page := ana.Get(url).Expect(http.StatusOK)
			assert.EqualValues(t, 5, page.JSON["count"])
			for _, e := range page.Results() {
				seen = append(seen, e["changes"].(fields)["name"].(fields)["to"].(string))
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
	onBoth(t, func(t *testing.T, api *API) {
		ana, eve := api.User("ana"), api.User("eve")
		p, d := at("patients", ana.newPatient("Ana")), at("doctors", ana.newDoctor("Cy"))
		for _, path := range []string{p, d} {
			ana.Patch(path, fields{"name": ""}).Expect(http.StatusBadRequest)
			ana.Do("PATCH", path, fields{"name": "X"}, "If-Match", `"9"`).Expect(http.StatusPreconditionFailed)
			ana.Do("DELETE", path, nil, "If-Match", `"9"`).Expect(http.StatusPreconditionFailed)
			assert.GreaterOrEqual(t, eve.Patch(path, fields{"name": "X"}).Status, 400)
			assert.GreaterOrEqual(t, eve.Delete(path).Status, 400)
			assert.Equal(t, []string{"create"}, actions(ana.Get(path+"history/")))
		}
		eve.Post(at("mappings"), fields{"patient_id": 1, "doctor_id": 1}).Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"create"}, actions(ana.Get(p+"history/")))
	})
}
