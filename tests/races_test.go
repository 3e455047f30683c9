package tests

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func count(statuses []int, wanted ...int) int {
	n := 0
	for _, s := range statuses {
		if slices.Contains(wanted, s) {
			n++
		}
	}
	return n
}

func TestOfTwelveAssignmentsAtOnceOneIsMade(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		second := start(t, api.Config)
		ana.Patient("Petra")
		ana.Doctor("Dora")
		statuses := atOnce(12, func(i int) *Response {
			return ana.At([]*API{api, second}[i%2]).Post(families[i%2], object{"patient_id": 1, "doctor_id": 1})
		})
		assert.Equal(t, append([]int{201}, slices.Repeat([]int{409}, 11)...), statuses)
		assert.Equal(t, 1, api.count("SELECT count(*) FROM mappings"))
	})
}

func TestOfSixRegistrationsOfOneNameAtOnceOneIsMade(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		statuses := atOnce(6, func(i int) *Response {
			name := []string{"müller", "MÜLLER", "Müller"}[i%3]
			return api.Nobody().Post(register, object{"username": name, "email": fmt.Sprintf("m%d@example.org", i), "password": password})
		})
		assert.Equal(t, 1, count(statuses, 201), statuses)
		assert.Equal(t, 5, count(statuses, 400, 409), statuses)
		assert.Equal(t, 1, api.count("SELECT count(*) FROM users"))
	})
}

func TestOneEmailOrLicenceGoesToOneOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		clients := []*Client{}
		for i := range 4 {
			clients = append(clients, api.User(fmt.Sprintf("user%d", i)))
		}
		statuses := atOnce(4, func(i int) *Response { return clients[i].Patch(me, object{"email": "one@example.org"}) })
		assert.Equal(t, 1, count(statuses, 200), statuses)
		assert.Equal(t, 3, count(statuses, 400, 409), statuses)
		assert.Equal(t, 1, api.count("SELECT count(*) FROM users WHERE email_key = 'one@example.org'"))

		licensed := object{"name": "Dora", "specialization": "Surgery", "license_number": "L-1"}
		statuses = atOnce(6, func(i int) *Response { return clients[i%4].Post("/api/doctors/", licensed) })
		assert.Equal(t, 1, count(statuses, 201), statuses)
		assert.Equal(t, 5, count(statuses, 400, 409), statuses)
		assert.Equal(t, 1, api.count("SELECT count(*) FROM doctors"))

		for i := range 4 {
			clients[i].Doctor("Emil")
		}
		statuses = atOnce(4, func(i int) *Response {
			return clients[i].Patch(path("doctors", api.newestDoctorOf(clients[i])), object{"license_number": "L-2"})
		})
		assert.Equal(t, 1, count(statuses, 200), statuses)
		assert.Equal(t, 3, count(statuses, 400, 409), statuses)
	})
}

// newestDoctorOf is the id of the newest doctor of an account.
func (api *API) newestDoctorOf(c *Client) int {
	return api.count(fmt.Sprintf("SELECT max(id) FROM doctors WHERE created_by = %d", c.ID))
}

func TestNoAssignmentPointsAtWhatIsDeletedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		for i := range 12 {
			patient, doctor := ana.Patient("Petra"), ana.Doctor("Dora")
			gone := path("patients", patient)
			if i%2 == 1 {
				gone = path("doctors", doctor)
			}
			statuses := atOnce(4, func(j int) *Response {
				if j == i%4 {
					return ana.Delete(gone)
				}
				return ana.Assign(patient, doctor)
			})
			assert.Equal(t, 1, count(statuses, 204), statuses)
			assert.LessOrEqual(t, count(statuses, 201), 1, statuses)
			assert.Equal(t, 3, count(statuses, 201, 400, 409), statuses)
		}
		assert.Zero(t, api.count("SELECT count(*) FROM mappings JOIN patients ON patients.id = patient_id JOIN doctors ON doctors.id = doctor_id"+
			" WHERE mappings.deleted_at IS NULL AND (patients.deleted_at IS NOT NULL OR doctors.deleted_at IS NOT NULL)"))
		assert.Zero(t, ana.Get("/api/mappings/").JSON["count"])
	})
}

func TestADoctorIsEitherDeletedByItsCreatorOrAssignedByAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, eve := api.User("ana"), api.User("eve")
		for i := range 10 {
			patient, doctor := eve.Patient("Paul"), ana.Doctor("Dora")
			statuses := atOnce(2, func(j int) *Response {
				if j == i%2 {
					return ana.Delete(path("doctors", doctor))
				}
				return eve.Assign(patient, doctor)
			})
			assert.Contains(t, [][]int{{204, 400}, {201, 409}}, statuses)
			assert.EqualValues(t, count(statuses, 201), eve.Get(path("mappings", patient)).Expect(http.StatusOK).JSON["count"])
		}
	})
}

func TestChangesAtOnceAreAllKept(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		second := ana.At(start(t, api.Config))
		one := path("patients", ana.Patient("Petra"))
		fields := []string{"phone", "email", "address", "allergies", "medical_history", "gender", "blood_group", "date_of_birth"}
		statuses := atOnce(len(fields), func(i int) *Response {
			return []*Client{ana, second}[i%2].Patch(one, object{fields[i]: records[0].full[fields[i]]})
		})
		assert.Equal(t, slices.Repeat([]int{200}, len(fields)), statuses)
		r := ana.Get(one).Expect(http.StatusOK)
		for _, field := range fields {
			assert.Equal(t, records[0].full[field], r.JSON[field])
		}
		assert.EqualValues(t, 1+len(fields), r.JSON["version"])
	})
}

func TestOneOfManyDeletionsSucceeds(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := everyTable(api)
		for _, one := range []string{"/api/mappings/1/", "/api/patients/1/", "/api/doctors/1/"} {
			assert.Equal(t, []int{204, 404, 404, 404}, atOnce(4, func(int) *Response { return ana.Delete(one) }), one)
		}
	})
}

func TestWritersAtOnceNeverMeetALockedDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		second := ana.At(start(t, api.Config))
		statuses := atOnce(60, func(i int) *Response {
			c := []*Client{ana, second}[i%2]
			if i%3 == 0 {
				return c.Get("/api/patients/")
			}
			return c.Post("/api/patients/", object{"name": "Petra"})
		})
		assert.Equal(t, append(slices.Repeat([]int{200}, 20), slices.Repeat([]int{201}, 40)...), statuses)
		assert.Equal(t, 40, api.count("SELECT count(*) FROM patients"))
	})
}

// What changes at once may be committed together, so neither one that is refused nor one that takes the whole
// transaction down with it may touch the others.
func TestAChangeThatFailsLeavesThoseAtTheSameTimeAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		if api.isPostgres() {
			api.exec("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
			api.exec("CREATE TRIGGER fail BEFORE INSERT ON patients FOR EACH ROW WHEN (NEW.name = 'Fails') EXECUTE FUNCTION fail()")
		} else {
			api.exec("CREATE TRIGGER fail BEFORE INSERT ON patients WHEN NEW.name = 'Fails' BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
		}
		for round := range 4 {
			statuses := atOnce(40, func(i int) *Response {
				switch {
				case i%8 == 3:
					return ana.Do("POST", "/api/patients/", object{"name": ""}, "Idempotency-Key", fmt.Sprint(i)) // the key is stored first
				case i%8 == 5:
					return ana.Delete(path("patients", 12345))
				case i%8 == 7 && round%2 == 1:
					return ana.Post("/api/patients/", object{"name": "Fails"})
				}
				return ana.Post("/api/patients/", object{"name": "Petra"})
			})
			failed := 5 * (round % 2)
			assert.Equal(t, slices.Concat(slices.Repeat([]int{201}, 30-failed), slices.Repeat([]int{400}, 5),
				slices.Repeat([]int{404}, 5), slices.Repeat([]int{500}, failed)), statuses)
		}
		assert.Equal(t, 110, api.count("SELECT count(*) FROM patients WHERE name = 'Petra'"))
		assert.Equal(t, 110, api.count("SELECT count(*) FROM patients"))
		assert.Equal(t, 110, api.count("SELECT count(*) FROM events WHERE action = 'create'"))
		assert.Zero(t, api.count("SELECT count(*) FROM idempotency_keys"))
	})
}

// An instance may have seen a patient before another changed it: what it remembers must never be taken for the truth.
func TestAChangeBuildsOnWhatAnotherInstanceChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, eve, boss := api.User("ana"), api.User("eve"), api.Staff("boss")
		there := ana.At(start(t, api.Config))
		one := path("patients", ana.Patient("Petra"))

		ana.Get(one).Expect(http.StatusOK)
		there.Patch(one, object{"phone": "1"}).Expect(http.StatusOK)
		r := ana.Patch(one, object{"name": "Paula"}).Expect(http.StatusOK)
		assert.Equal(t, []any{"1", "Paula", 3.0}, []any{r.JSON["phone"], r.JSON["name"], r.JSON["version"]})
		assert.Equal(t, r.JSON, there.Get(one).JSON)

		there.Patch(one, object{"phone": "2"}).Expect(http.StatusOK)
		assert.Equal(t, "1", ana.Patch(one, object{"phone": "1"}).Expect(http.StatusOK).JSON["phone"], "what seems to be no change is one")
		assert.Equal(t, "1", there.Get(one).JSON["phone"])

		etag := there.Patch(one, object{"phone": "3"}).Expect(http.StatusOK).Header.Get("ETag")
		ana.Do("PATCH", one, object{"address": "Here"}, "If-Match", etag).Expect(http.StatusOK)
		there.Patch(one, object{"phone": "4"}).Expect(http.StatusOK)
		ana.Do("PATCH", one, object{"address": "There"}, "If-Match", etag).Expect(http.StatusPreconditionFailed)

		ana.Patch(one, object{"phone": "5"}).Expect(http.StatusOK)
		assert.Equal(t, object{"phone": object{"from": "4", "to": "5"}}, ana.Get(one + "history/").Expect(http.StatusOK).Results()[0]["changes"])

		ana.Get(one).Expect(http.StatusOK)
		boss.At(there.api).Patch(one, object{"created_by": eve.ID}).Expect(http.StatusOK)
		ana.Patch(one, object{"name": "Mine"}).Expect(http.StatusNotFound)
		ana.Patch(one, object{"name": "Mine"}).Expect(http.StatusNotFound)
		assert.Equal(t, "Paula", eve.Get(one).Expect(http.StatusOK).JSON["name"])

		eve.At(there.api).Delete(one).Expect(http.StatusNoContent)
		eve.Patch(one, object{"name": "Gone"}).Expect(http.StatusNotFound)
		assert.Zero(t, api.count("SELECT count(*) FROM patients WHERE name <> 'Paula'"))
	})
}

func TestWhileAnotherProcessWritesNobodyWaitsForLongAndNothingIsHalfDone(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		cfg := *api.Config
		cfg.RequestTimeout = 300 * time.Millisecond
		ana := api.User("ana").At(start(t, &cfg))
		ana.Patient("Petra")

		conn, err := api.sql().Conn(t.Context())
		require.NoError(t, err)
		lock := []string{"BEGIN IMMEDIATE"}
		if api.isPostgres() {
			lock = []string{"BEGIN", "LOCK TABLE patients IN EXCLUSIVE MODE"}
		}
		for _, statement := range lock {
			_, err = conn.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		add := func(int) *Response { return ana.Post("/api/patients/", object{"name": "Paula"}) }
		assert.Equal(t, slices.Repeat([]int{503}, 12), atOnce(12, add))
		ana.Get("/api/patients/1/").Expect(http.StatusOK)
		_, err = conn.ExecContext(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, conn.Close())

		assert.Equal(t, slices.Repeat([]int{201}, 12), atOnce(12, add))
		assert.Equal(t, 13, api.count("SELECT count(*) FROM patients"))
		assert.Equal(t, 13, api.count("SELECT count(*) FROM events WHERE action = 'create' AND outcome = 'ok'"))
	})
}
