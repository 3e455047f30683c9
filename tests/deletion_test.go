package tests

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADeletionHidesTheRecordAndItsAssignmentsAndErasesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		p, other, d := ana.newPatient("Ana"), ana.newPatient("Bo"), ana.newDoctor("Cy")
		m := ana.assigns(p, d)
		ana.assigns(other, d)
		kept := api.rows("SELECT id, name, medical_history, version, created_at FROM patients ORDER BY id")

		ana.Delete(at("patients", p)).Expect(http.StatusNoContent)
		for _, gone := range []*Response{
			ana.Get(at("patients", p)), ana.Put(at("patients", p), fields{"name": "X"}), ana.Patch(at("patients", p), fields{"name": "X"}),
			ana.Delete(at("patients", p)), ana.Get(at("mappings", p)), ana.Get(at("doctor", "mappings", p)), ana.Delete(at("mappings", m)),
			ana.Post(at("doctor", "mappings", p, "remove"), fields{"doctor_id": d}), ana.Get(at("patients", p, "history")),
		} {
			gone.Expect(http.StatusNotFound)
		}
		assert.Equal(t, []any{"Bo"}, ana.Get(at("patients")).Column("name"))
		assert.Equal(t, []any{float64(other)}, ana.Get(at("mappings")).Column("patient_id"))
		r := ana.Post(at("mappings"), fields{"patient_id": p, "doctor_id": d}).Expect(http.StatusBadRequest)
		assert.Contains(t, r.Error("patient_id"), "does not exist")
		assert.Equal(t, kept, api.rows("SELECT id, name, medical_history, version, created_at FROM patients ORDER BY id"))
		assert.Equal(t, 2, api.count("SELECT count(*) FROM mappings"))

		ana.Patch(at("doctors", d), fields{"license_number": "L"}).Expect(http.StatusOK)
		ana.Delete(at("doctors", d)).Expect(http.StatusNoContent)
		ana.Get(at("doctors", d)).Expect(http.StatusNotFound)
		assert.Empty(t, ana.Get(at("doctors")).Results())
		assert.Empty(t, ana.Get(at("mappings")).Results())
		assert.Empty(t, ana.doctorsOf(other, ""))
		ana.Post(at("doctors"), fields{"name": "Di", "specialization": "Eyes", "license_number": "L"}).Expect(http.StatusCreated)
		assert.Equal(t, 2, api.count("SELECT count(*) FROM doctors"))
	})
}

func TestOnlyStaffSeesAndRestoresWhatIsDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, d := ana.newPatient("Ana"), ana.newDoctor("Cy")
		ana.newPatient("Bo")
		ana.newDoctor("Di")
		for _, path := range []string{at("patients", p), at("doctors", d)} {
			list := at("patients")
			if path == at("doctors", d) {
				list = at("doctors")
			}
			before := ana.Get(path)
			ana.Delete(path).Expect(http.StatusNoContent)
			ana.Get(list + "?deleted=true").Expect(http.StatusForbidden)
			ana.Post(path+"restore/", nil).Expect(http.StatusForbidden)
			api.Nobody().Post(path+"restore/", nil).Expect(http.StatusUnauthorized)
			ana.Get(path).Expect(http.StatusNotFound)

			deleted := boss.Get(list + "?deleted=true").Expect(http.StatusOK)
			assert.Equal(t, []map[string]any{before.JSON}, deleted.Results())
			assert.EqualValues(t, 1, deleted.JSON["count"])
			assert.Len(t, boss.Get(list+"?deleted=false").Results(), 1)
			boss.Get(list + "?deleted=perhaps").Expect(http.StatusBadRequest)
			boss.Get(path).Expect(http.StatusNotFound)

			restored := boss.Post(path+"restore/", nil).Expect(http.StatusOK)
			assert.Equal(t, before.Raw, restored.Raw)
			assert.Equal(t, before.Raw, ana.Get(path).Expect(http.StatusOK).Raw)
			assert.Empty(t, boss.Get(list+"?deleted=true").Results())
			again := boss.Post(path+"restore/", nil).Expect(http.StatusOK) // what is there stays as it is
			assert.Equal(t, before.Raw, again.Raw)
			assert.Equal(t, []string{"create", "delete", "restore"}, actions(boss.Get(path+"history/")))
		}
		boss.Post(at("patients", 99, "restore"), nil).Expect(http.StatusNotFound)
		boss.Post(at("doctors", 99, "restore"), nil).Expect(http.StatusNotFound)
	})
}

// actions lists what a history tells, oldest first.
func actions(history *Response) []string {
	all := []string{}
	for _, a := range history.Expect(http.StatusOK).Column("action") {
		all = append([]string{a.(string)}, all...)
	}
	return all
}

func TestARestoredRecordBringsBackTheAssignmentsThatWentWithIt(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, q := ana.newPatient("Ana"), ana.newPatient("Bo")
		kept, removed := ana.newDoctor("Kept"), ana.newDoctor("Removed")
		m := ana.assigns(p, kept)
		ana.Delete(at("mappings", ana.assigns(p, removed))).Expect(http.StatusNoContent)
		ana.assigns(q, kept)

		ana.Delete(at("patients", p)).Expect(http.StatusNoContent)
		boss.Post(at("patients", p, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"Kept"}, ana.doctorsOf(p, ""))
		assert.Equal(t, []any{float64(m)}, ana.Get(at("mappings", p)).Column("mapping_id"))

		ana.Delete(at("doctors", kept)).Expect(http.StatusNoContent)
		assert.Empty(t, ana.doctorsOf(p, ""))
		boss.Post(at("doctors", kept, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"Kept"}, ana.doctorsOf(p, ""))
		assert.Equal(t, []string{"Kept"}, ana.doctorsOf(q, ""))
		ana.Post(at("mappings"), fields{"patient_id": p, "doctor_id": kept}).Expect(http.StatusConflict)
		ana.assigns(p, removed)
	})
}

// A patient and a doctor that are assigned are deleted and restored, in each of the four orders: the assignment is
// there if and only if both are.
func TestPatientAndDoctorAreDeletedAndRestoredInAnyOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		for order := range 4 {
			p, d := ana.newPatient("Ana"), ana.newDoctor("Cy")
			m := ana.assigns(p, d)
			both := []string{at("patients", p), at("doctors", d)}
			active := func() []string {
				return api.rows("SELECT id FROM mappings WHERE deleted_at IS NULL AND patient_id = " + strconv.Itoa(p))
			}
			for round := range 2 { // and once more, with what the first round left behind
				ana.Delete(both[order&1]).Expect(http.StatusNoContent)
				assert.Empty(t, active())
				ana.Delete(both[1-order&1]).Expect(http.StatusNoContent)
				boss.Post(both[order>>1]+"restore/", nil).Expect(http.StatusOK)
				assert.Empty(t, active(), "one of the two is still deleted")
				boss.Post(both[1-order>>1]+"restore/", nil).Expect(http.StatusOK)
				assert.Equal(t, []string{strconv.Itoa(m)}, active(), "order %d, round %d", order, round)
				assert.Equal(t, []string{"Cy"}, ana.doctorsOf(p, ""))
			}
		}
	})
}

func TestARestoreThatWouldBreakAUniqueRuleIsAConflict(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		doctor := fields{"name": "Cy", "specialization": "Eyes", "license_number": "L-1"}
		d := ana.Post(at("doctors"), doctor).Expect(http.StatusCreated).ID()
		ana.Delete(at("doctors", d)).Expect(http.StatusNoContent)
		second := ana.Post(at("doctors"), doctor).Expect(http.StatusCreated).ID()
		r := boss.Post(at("doctors", d, "restore"), nil).Expect(http.StatusConflict)
		assert.Equal(t, "A doctor with that license number already exists.", r.JSON["detail"])
		assert.Equal(t, 1, api.count("SELECT count(*) FROM doctors WHERE deleted_at IS NULL"))
		ana.Patch(at("doctors", second), fields{"license_number": "L-2"}).Expect(http.StatusOK)
		boss.Post(at("doctors", d, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"create", "delete", "restore"}, actions(ana.Get(at("doctors", d, "history"))))
	})
}

const strays = `SELECT count(*) FROM mappings m JOIN patients p ON p.id = m.patient_id JOIN doctors d ON d.id = m.doctor_id
	WHERE m.deleted_at IS NULL AND (p.deleted_at IS NOT NULL OR d.deleted_at IS NOT NULL)`

func TestAssigningAndDeletingAtOnceLeaveNoStrayAssignment(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		for range 25 {
			p, d := ana.newPatient("Ana"), ana.newDoctor("Cy")
			statuses := everyStatus(6, func(i int) *Response {
				switch i {
				case 0:
					return ana.Delete(at("patients", p))
				case 1:
					return ana.Delete(at("doctors", d))
				}
				return ana.Post(at("mappings"), fields{"patient_id": p, "doctor_id": d})
			})
			assert.Equal(t, 2, statuses[http.StatusNoContent], statuses)
			assert.Equal(t, 4, statuses[http.StatusCreated]+statuses[http.StatusConflict]+statuses[http.StatusBadRequest], statuses)
			require.Zero(t, api.count(strays))
		}
	})
}

func TestRestoringAndDeletingAtOnceLeaveNoStrayAssignment(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, d := ana.newPatient("Ana"), ana.newDoctor("Cy")
		ana.assigns(p, d)
		both := []string{at("patients", p), at("doctors", d)}
		for round := range 40 {
			first, second := both[round%2], both[1-round%2]
			ana.Delete(first).Expect(http.StatusNoContent)
			statuses := everyStatus(2, func(i int) *Response {
				if i == 0 {
					return boss.Post(first+"restore/", nil)
				}
				return ana.Delete(second)
			})
			assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusNoContent: 1}, statuses)
			require.Zero(t, api.count(strays), "round %d", round)
			if round%4 < 2 { // the two restores race as well
				ana.Delete(first).Expect(http.StatusNoContent)
				statuses = everyStatus(2, func(i int) *Response { return boss.Post(both[i]+"restore/", nil) })
				assert.Equal(t, map[int]int{http.StatusOK: 2}, statuses)
			} else {
				boss.Post(second+"restore/", nil).Expect(http.StatusOK)
			}
			require.Zero(t, api.count(strays), "round %d", round)
			require.Equal(t, 1, api.count("SELECT count(*) FROM mappings WHERE deleted_at IS NULL"), "round %d", round)
		}
	})
}
