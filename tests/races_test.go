package tests

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// statuses are those of all answers, sorted.
func statuses(answers []*kit.Response) []int {
	all := []int{}
	for _, r := range answers {
		all = append(all, r.Status)
	}
	slices.Sort(all)
	return all
}

// count tells how many of the statuses are one of the wanted.
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
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		second := kit.Start(t, api.Config)
		ana.Patient("Petra")
		ana.Doctor("Dora")
		got := statuses(kit.AtOnce(12, func(i int) *kit.Response {
			return ana.At([]*kit.API{api, second}[i%2]).Post(families[i%2], kit.Object{"patient_id": 1, "doctor_id": 1})
		}))
		assert.Equal(t, append([]int{201}, slices.Repeat([]int{409}, 11)...), got)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM mappings"))
	})
}

func TestOfSixRegistrationsOfOneNameAtOnceOneIsMade(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		got := statuses(kit.AtOnce(6, func(i int) *kit.Response {
			name := []string{"müller", "MÜLLER", "Müller"}[i%3]
			return api.Nobody().Post(kit.RegisterPath, kit.Object{"username": name, "email": fmt.Sprintf("m%d@example.org", i), "password": kit.Password})
		}))
		assert.Equal(t, 1, count(got, 201), got)
		assert.Equal(t, 5, count(got, 400, 409), got)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users"))
	})
}

func TestOneEmailOrLicenceGoesToOneOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		clients := []*kit.Client{}
		for i := range 4 {
			clients = append(clients, api.User(fmt.Sprintf("user%d", i)))
		}
		got := statuses(kit.AtOnce(4, func(i int) *kit.Response { return clients[i].Patch(kit.MePath, kit.Object{"email": "one@example.org"}) }))
		assert.Equal(t, 1, count(got, 200), got)
		assert.Equal(t, 3, count(got, 400, 409), got)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users WHERE email_key = 'one@example.org'"))

		licensed := kit.Object{"name": "Dora", "specialization": "Surgery", "license_number": "L-1"}
		got = statuses(kit.AtOnce(6, func(i int) *kit.Response { return clients[i%4].Post("/api/doctors/", licensed) }))
		assert.Equal(t, 1, count(got, 201), got)
		assert.Equal(t, 5, count(got, 400, 409), got)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM doctors"))

		for i := range 4 {
			clients[i].Doctor("Emil")
		}
		got = statuses(kit.AtOnce(4, func(i int) *kit.Response {
			return clients[i].Patch(kit.Path("doctors", newestDoctorOf(api, clients[i])), kit.Object{"license_number": "L-2"})
		}))
		assert.Equal(t, 1, count(got, 200), got)
		assert.Equal(t, 3, count(got, 400, 409), got)
	})
}

// newestDoctorOf is the id of the newest doctor of an account.
func newestDoctorOf(api *kit.API, c *kit.Client) int {
	return api.Count(fmt.Sprintf("SELECT max(id) FROM doctors WHERE created_by = %d", c.ID))
}

func TestNoAssignmentPointsAtWhatIsDeletedMeanwhile(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for i := range 12 {
			patient, doctor := ana.Patient("Petra"), ana.Doctor("Dora")
			gone := kit.Path("patients", patient)
			if i%2 == 1 {
				gone = kit.Path("doctors", doctor)
			}
			got := statuses(kit.AtOnce(4, func(j int) *kit.Response {
				if j == i%4 {
					return ana.Delete(gone)
				}
				return ana.Assign(patient, doctor)
			}))
			assert.Equal(t, 1, count(got, 204), got)
			assert.LessOrEqual(t, count(got, 201), 1, got)
			assert.Equal(t, 3, count(got, 201, 400, 409), got)
		}
		assert.Zero(t, api.Count("SELECT count(*) FROM mappings JOIN patients ON patients.id = patient_id JOIN doctors ON doctors.id = doctor_id"+
			" WHERE mappings.deleted_at IS NULL AND (patients.deleted_at IS NOT NULL OR doctors.deleted_at IS NOT NULL)"))
		assert.Zero(t, ana.Get("/api/mappings/").JSON["count"])
	})
}

func TestADoctorIsEitherDeletedByItsCreatorOrAssignedByAnother(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		for i := range 10 {
			patient, doctor := eve.Patient("Paul"), ana.Doctor("Dora")
			got := statuses(kit.AtOnce(2, func(j int) *kit.Response {
				if j == i%2 {
					return ana.Delete(kit.Path("doctors", doctor))
				}
				return eve.Assign(patient, doctor)
			}))
			assert.Contains(t, [][]int{{204, 400}, {201, 409}}, got)
			assert.EqualValues(t, count(got, 201), eve.Get(kit.Path("mappings", patient)).Expect(http.StatusOK).JSON["count"])
		}
	})
}

func TestChangesAtOnceAreAllKept(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		second := ana.At(kit.Start(t, api.Config))
		one := kit.Path("patients", ana.Patient("Petra"))
		fields := []string{"phone", "email", "address", "allergies", "medical_history", "gender", "blood_group", "date_of_birth"}
		got := statuses(kit.AtOnce(len(fields), func(i int) *kit.Response {
			return []*kit.Client{ana, second}[i%2].Patch(one, kit.Object{fields[i]: kit.Records[0].Full[fields[i]]})
		}))
		assert.Equal(t, slices.Repeat([]int{200}, len(fields)), got)
		r := ana.Get(one).Expect(http.StatusOK)
		for _, field := range fields {
			assert.Equal(t, kit.Records[0].Full[field], r.JSON[field])
		}
		assert.EqualValues(t, 1+len(fields), r.JSON["version"])
	})
}

func TestOneOfManyDeletionsSucceeds(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		for _, one := range []string{"/api/mappings/1/", "/api/patients/1/", "/api/doctors/1/"} {
			assert.Equal(t, []int{204, 404, 404, 404}, statuses(kit.AtOnce(4, func(int) *kit.Response { return ana.Delete(one) })), one)
		}
	})
}

func TestWritersAtOnceNeverMeetALockedDatabase(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		second := ana.At(kit.Start(t, api.Config))
		got := statuses(kit.AtOnce(60, func(i int) *kit.Response {
			c := []*kit.Client{ana, second}[i%2]
			if i%3 == 0 {
				return c.Get("/api/patients/")
			}
			return c.Post("/api/patients/", kit.Object{"name": "Petra"})
		}))
		assert.Equal(t, append(slices.Repeat([]int{200}, 20), slices.Repeat([]int{201}, 40)...), got)
		assert.Equal(t, 40, api.Count("SELECT count(*) FROM patients"))
	})
}

// What changes at once may be committed together, so neither one that is refused nor one that takes the whole
// transaction down with it may touch the others.
func TestAChangeThatFailsLeavesThoseAtTheSameTimeAlone(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		if api.IsPostgres() {
			api.Exec("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
			api.Exec("CREATE TRIGGER fail BEFORE INSERT ON patients FOR EACH ROW WHEN (NEW.name = 'Fails') EXECUTE FUNCTION fail()")
		} else {
			api.Exec("CREATE TRIGGER fail BEFORE INSERT ON patients WHEN NEW.name = 'Fails' BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
		}
		for round := range 4 {
			got := statuses(kit.AtOnce(40, func(i int) *kit.Response {
				switch {
				case i%8 == 3:
					return ana.Do("POST", "/api/patients/", kit.Object{"name": ""}, "Idempotency-Key", fmt.Sprint(i)) // the key is stored first
				case i%8 == 5:
					return ana.Delete(kit.Path("patients", 12345))
				case i%8 == 7 && round%2 == 1:
					return ana.Post("/api/patients/", kit.Object{"name": "Fails"})
				}
				return ana.Post("/api/patients/", kit.Object{"name": "Petra"})
			}))
			failed := 5 * (round % 2)
			assert.Equal(t, slices.Concat(slices.Repeat([]int{201}, 30-failed), slices.Repeat([]int{400}, 5),
				slices.Repeat([]int{404}, 5), slices.Repeat([]int{500}, failed)), got)
		}
		assert.Equal(t, 110, api.Count("SELECT count(*) FROM patients WHERE name = 'Petra'"))
		assert.Equal(t, 110, api.Count("SELECT count(*) FROM patients"))
		assert.Equal(t, 110, api.Count("SELECT count(*) FROM events WHERE action = 'create'"))
		assert.Zero(t, api.Count("SELECT count(*) FROM idempotency_keys"))
	})
}
