package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// everyWrite is a request for each route that writes, by staff, with what it needs: patient and doctor 1 and mapping 1.
var everyWrite = []struct {
	method, path string
	body         any
}{
	{"POST", "/api/patients/", kit.Object{"name": "New"}},
	{"PUT", "/api/patients/1/", kit.Object{"name": "New"}},
	{"PATCH", "/api/patients/1/", kit.Object{"name": "New"}},
	{"PATCH", "/api/patients/1/", kit.Object{"created_by": 2}},
	{"DELETE", "/api/patients/1/", nil},
	{"POST", "/api/patients/2/restore/", nil},
	{"POST", "/api/doctors/", kit.Object{"name": "New", "specialization": "New"}},
	{"PATCH", "/api/doctors/1/", kit.Object{"name": "New"}},
	{"DELETE", "/api/doctors/1/", nil},
	{"POST", "/api/doctors/2/restore/", nil},
	{"POST", "/api/mappings/", kit.Object{"patient_id": 1, "doctor_id": 3}},
	{"DELETE", "/api/mappings/1/", nil},
	{"POST", "/api/doctor/mappings/1/remove/", kit.Object{"doctor_id": 1}},
	{"PATCH", "/api/users/1/", kit.Object{"is_staff": true, "is_active": true}},
	{"POST", "/api/users/1/unlock/", nil},
	{"POST", "/api/users/1/reset/", nil},
	{"POST", "/api/users/", kit.Object{"username": "new", "email": "new@example.org"}},
	{"PATCH", "/api/auth/me/", kit.Object{"first_name": "New"}},
	{"POST", "/api/auth/password/", kit.Object{"current_password": kit.Password, "new_password": kit.NewPassword}},
	{"DELETE", "/api/auth/sessions/1/", nil},
}

// refusedAtOnce lets each write be asked of an instance that has just seen the account as it was, after another instance
// took its rights. What is forgotten after the first refusal does not help: each write has a session of its own.
func refusedAtOnce(t *testing.T, status int, take, giveBack func(chief *kit.Client, boss *kit.Session)) {
	kit.OnBoth(t, func(t *testing.T, here *kit.API) {
		boss, chief := here.Staff("boss"), here.Staff("chief") // accounts 1 and 2
		there := kit.Start(t, here.Config)
		for n := range 3 {
			boss.Patient(fmt.Sprint("Patient ", n))
			boss.Doctor(fmt.Sprint("Doctor ", n))
		}
		boss.Assign(1, 1).Expect(http.StatusCreated)
		boss.Delete("/api/patients/2/").Expect(http.StatusNoContent)
		boss.Delete("/api/doctors/2/").Expect(http.StatusNoContent)
		for _, w := range everyWrite {
			session := boss.Session()
			session.At(there).AssertIn()
			take(chief, session)
			before := here.Contents()
			r := session.At(there).Do(w.method, w.path, w.body)
			want := status
			if want == http.StatusServiceUnavailable && (strings.Contains(w.path, "/users/") || strings.Contains(w.path, "/restore/")) {
				want = http.StatusForbidden // what is for staff alone
			}
			assert.Equal(t, want, r.Status, "%s %s: %s", w.method, w.path, r.Raw)
			assert.Equal(t, before, here.Contents())
			giveBack(chief, session)
		}
	})
}

func TestASessionThatWasEndedElsewhereWritesNothing(t *testing.T) {
	refusedAtOnce(t, http.StatusUnauthorized,
		func(_ *kit.Client, boss *kit.Session) {
			boss.Post("/api/auth/logout/", nil).Expect(http.StatusNoContent)
		},
		func(*kit.Client, *kit.Session) {})
}

func TestAnAccountThatWasDisabledElsewhereWritesNothing(t *testing.T) {
	set := func(active bool) func(*kit.Client, *kit.Session) {
		return func(chief *kit.Client, boss *kit.Session) {
			chief.Patch(boss.AccountPath(), kit.Object{"is_active": active}).Expect(http.StatusOK)
		}
	}
	refusedAtOnce(t, http.StatusUnauthorized, set(false), set(true))
}

func TestStaffWhoWereDemotedElsewhereWriteNothing(t *testing.T) {
	set := func(staff bool) func(*kit.Client, *kit.Session) {
		return func(chief *kit.Client, boss *kit.Session) {
			chief.Patch(boss.AccountPath(), kit.Object{"is_staff": staff}).Expect(http.StatusOK)
		}
	}
	refusedAtOnce(t, http.StatusServiceUnavailable, set(false), set(true))
}

func TestWhoWasDemotedElsewhereWritesTheSecondTimeAsAnybody(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, here *kit.API) {
		boss, chief := here.Staff("boss"), here.Staff("chief")
		there := kit.Start(t, here.Config)
		boss.At(there).AssertIn()
		chief.Patch(boss.AccountPath(), kit.Object{"is_staff": false}).Expect(http.StatusOK)
		r := boss.At(there).Post("/api/patients/", kit.Object{"name": "Ann"}).Expect(http.StatusServiceUnavailable)
		assert.Equal(t, "What you may do has just changed. Try again.", r.JSON["detail"])
		boss.At(there).Post("/api/patients/", kit.Object{"name": "Ann"}).Expect(http.StatusCreated)
		boss.At(there).Patch(boss.AccountPath(), kit.Object{"is_staff": true}).Expect(http.StatusForbidden)
	})
}

func TestADemotedAccountCannotUndoThatByBeingQuick(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, here *kit.API) {
		boss, chief := here.Staff("boss"), here.Staff("chief")
		there := kit.Start(t, here.Config)
		for range 5 {
			ended := make(chan struct{})
			go func() { // goes on for as long as anything is accepted, at both instances
				defer close(ended)
				for n, refused := 0, 0; refused < 10; n++ {
					r := boss.At([]*kit.API{here, there}[n%2]).Patch(boss.AccountPath(), kit.Object{"is_staff": true, "is_active": true})
					if r.Status != http.StatusOK {
						refused++
					}
				}
			}()
			chief.Patch(boss.AccountPath(), kit.Object{"is_staff": false}).Expect(http.StatusOK)
			<-ended
			assert.Equal(t, false, chief.Get(boss.AccountPath()).JSON["is_staff"])
			chief.Patch(boss.AccountPath(), kit.Object{"is_staff": true}).Expect(http.StatusOK)
		}
	})
}
