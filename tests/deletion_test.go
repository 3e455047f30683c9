package tests

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestADeletionHidesTheRecordAndItsAssignmentsAndErasesNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		p, other, d := ana.Patient("Ana"), ana.Patient("Bo"), ana.Doctor("Cy")
		m := ana.Assign(p, d).Expect(http.StatusCreated).ID()
		ana.Assign(other, d).Expect(http.StatusCreated)
		kept := api.Rows("SELECT id, name, medical_history, version, created_at FROM patients ORDER BY id")

		ana.Delete(kit.Path("patients", p)).Expect(http.StatusNoContent)
		for _, gone := range []*kit.Response{
			ana.Get(kit.Path("patients", p)), ana.Put(kit.Path("patients", p), kit.Object{"name": "X"}), ana.Patch(kit.Path("patients", p), kit.Object{"name": "X"}),
			ana.Delete(kit.Path("patients", p)), ana.Get(kit.Path("mappings", p)), ana.Get(kit.Path("doctor", "mappings", p)), ana.Delete(kit.Path("mappings", m)),
			ana.Post(kit.Path("doctor", "mappings", p, "remove"), kit.Object{"doctor_id": d}), ana.Get(kit.Path("patients", p, "history")),
		} {
			gone.Expect(http.StatusNotFound)
		}
		assert.Equal(t, []any{"Bo"}, ana.Get(kit.Path("patients")).Column("name"))
		assert.Equal(t, []any{float64(other)}, ana.Get(kit.Path("mappings")).Column("patient_id"))
		r := ana.Post(kit.Path("mappings"), kit.Object{"patient_id": p, "doctor_id": d}).Expect(http.StatusBadRequest)
		assert.Contains(t, r.Error("patient_id"), "does not exist")
		assert.Equal(t, kept, api.Rows("SELECT id, name, medical_history, version, created_at FROM patients ORDER BY id"))
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM mappings"))

		ana.Patch(kit.Path("doctors", d), kit.Object{"license_number": "L"}).Expect(http.StatusOK)
		ana.Delete(kit.Path("doctors", d)).Expect(http.StatusNoContent)
		ana.Get(kit.Path("doctors", d)).Expect(http.StatusNotFound)
		assert.Empty(t, ana.Get(kit.Path("doctors")).Results())
		assert.Empty(t, ana.Get(kit.Path("mappings")).Results())
		assert.Empty(t, ana.DoctorsOf(other, ""))
		ana.Post(kit.Path("doctors"), kit.Object{"name": "Di", "specialization": "Eyes", "license_number": "L"}).Expect(http.StatusCreated)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM doctors"))
	})
}

func TestOnlyStaffSeesAndRestoresWhatIsDeleted(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, d := ana.Patient("Ana"), ana.Doctor("Cy")
		ana.Patient("Bo")
		ana.Doctor("Di")
		for _, path := range []string{kit.Path("patients", p), kit.Path("doctors", d)} {
			list := kit.Path("patients")
			if path == kit.Path("doctors", d) {
				list = kit.Path("doctors")
			}
			before := ana.Get(path)
			ana.Delete(path).Expect(http.StatusNoContent)
			ana.Get(list + "?deleted=true").Expect(http.StatusForbidden)
			ana.Post(path+"restore/", nil).Expect(http.StatusForbidden)
			api.Nobody().Post(path+"restore/", nil).Expect(http.StatusUnauthorized)
			ana.Get(path).Expect(http.StatusNotFound)

			deleted := boss.Get(list + "?deleted=true").Expect(http.StatusOK)
			assert.Equal(t, []kit.Object{before.JSON}, deleted.Results())
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
		boss.Post(kit.Path("patients", 99, "restore"), nil).Expect(http.StatusNotFound)
		boss.Post(kit.Path("doctors", 99, "restore"), nil).Expect(http.StatusNotFound)
	})
}

// actions lists what a history tells, oldest first.
func actions(history *kit.Response) []string {
	all := []string{}
	for _, a := range history.Expect(http.StatusOK).Column("action") {
		all = append([]string{a.(string)}, all...)
	}
	return all
}

func TestARestoredRecordBringsBackTheAssignmentsThatWentWithIt(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, q := ana.Patient("Ana"), ana.Patient("Bo")
		kept, removed := ana.Doctor("Kept"), ana.Doctor("Removed")
		m := ana.Assign(p, kept).Expect(http.StatusCreated).ID()
		ana.Delete(kit.Path("mappings", ana.Assign(p, removed).Expect(http.StatusCreated).ID())).Expect(http.StatusNoContent)
		ana.Assign(q, kept).Expect(http.StatusCreated)

		ana.Delete(kit.Path("patients", p)).Expect(http.StatusNoContent)
		boss.Post(kit.Path("patients", p, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"Kept"}, ana.DoctorsOf(p, ""))
		assert.Equal(t, []any{float64(m)}, ana.Get(kit.Path("mappings", p)).Column("mapping_id"))

		ana.Delete(kit.Path("doctors", kept)).Expect(http.StatusNoContent)
		assert.Empty(t, ana.DoctorsOf(p, ""))
		boss.Post(kit.Path("doctors", kept, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"Kept"}, ana.DoctorsOf(p, ""))
		assert.Equal(t, []string{"Kept"}, ana.DoctorsOf(q, ""))
		ana.Post(kit.Path("mappings"), kit.Object{"patient_id": p, "doctor_id": kept}).Expect(http.StatusConflict)
		ana.Assign(p, removed).Expect(http.StatusCreated)
	})
}

// A patient and a doctor that are assigned are deleted and restored, in each of the four orders: the assignment is
// there if and only if both are.
func TestPatientAndDoctorAreDeletedAndRestoredInAnyOrder(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		for order := range 4 {
			p, d := ana.Patient("Ana"), ana.Doctor("Cy")
			m := ana.Assign(p, d).Expect(http.StatusCreated).ID()
			both := []string{kit.Path("patients", p), kit.Path("doctors", d)}
			active := func() []string {
				return api.Rows("SELECT id FROM mappings WHERE deleted_at IS NULL AND patient_id = " + strconv.Itoa(p))
			}
			for round := range 2 { // and once more, with what the first round left behind
				ana.Delete(both[order&1]).Expect(http.StatusNoContent)
				assert.Empty(t, active())
				ana.Delete(both[1-order&1]).Expect(http.StatusNoContent)
				boss.Post(both[order>>1]+"restore/", nil).Expect(http.StatusOK)
				assert.Empty(t, active(), "one of the two is still deleted")
				boss.Post(both[1-order>>1]+"restore/", nil).Expect(http.StatusOK)
				assert.Equal(t, []string{strconv.Itoa(m)}, active(), "order %d, round %d", order, round)
				assert.Equal(t, []string{"Cy"}, ana.DoctorsOf(p, ""))
			}
		}
	})
}

func TestARestoreThatWouldBreakAUniqueRuleIsAConflict(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		doctor := kit.Object{"name": "Cy", "specialization": "Eyes", "license_number": "L-1"}
		d := ana.Post(kit.Path("doctors"), doctor).Expect(http.StatusCreated).ID()
		ana.Delete(kit.Path("doctors", d)).Expect(http.StatusNoContent)
		second := ana.Post(kit.Path("doctors"), doctor).Expect(http.StatusCreated).ID()
		r := boss.Post(kit.Path("doctors", d, "restore"), nil).Expect(http.StatusConflict)
		assert.Equal(t, "A doctor with that license number already exists.", r.JSON["detail"])
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM doctors WHERE deleted_at IS NULL"))
		ana.Patch(kit.Path("doctors", second), kit.Object{"license_number": "L-2"}).Expect(http.StatusOK)
		boss.Post(kit.Path("doctors", d, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"create", "delete", "restore"}, actions(ana.Get(kit.Path("doctors", d, "history"))))
	})
}

const strays = `SELECT count(*) FROM mappings m JOIN patients p ON p.id = m.patient_id JOIN doctors d ON d.id = m.doctor_id
	WHERE m.deleted_at IS NULL AND (p.deleted_at IS NOT NULL OR d.deleted_at IS NOT NULL)`

func TestAssigningAndDeletingAtOnceLeaveNoStrayAssignment(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for range 25 {
			p, d := ana.Patient("Ana"), ana.Doctor("Cy")
			statuses := kit.Tally(kit.AtOnce(6, func(i int) *kit.Response {
				switch i {
				case 0:
					return ana.Delete(kit.Path("patients", p))
				case 1:
					return ana.Delete(kit.Path("doctors", d))
				}
				return ana.Post(kit.Path("mappings"), kit.Object{"patient_id": p, "doctor_id": d})
			}))
			assert.Equal(t, 2, statuses[http.StatusNoContent], statuses)
			assert.Equal(t, 4, statuses[http.StatusCreated]+statuses[http.StatusConflict]+statuses[http.StatusBadRequest], statuses)
			require.Zero(t, api.Count(strays))
		}
	})
}

func TestRestoringAndDeletingAtOnceLeaveNoStrayAssignment(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, d := ana.Patient("Ana"), ana.Doctor("Cy")
		ana.Assign(p, d).Expect(http.StatusCreated)
		both := []string{kit.Path("patients", p), kit.Path("doctors", d)}
		for round := range 40 {
			first, second := both[round%2], both[1-round%2]
			ana.Delete(first).Expect(http.StatusNoContent)
			statuses := kit.Tally(kit.AtOnce(2, func(i int) *kit.Response {
				if i == 0 {
					return boss.Post(first+"restore/", nil)
				}
				return ana.Delete(second)
			}))
			assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusNoContent: 1}, statuses)
			require.Zero(t, api.Count(strays), "round %d", round)
			if round%4 < 2 { // the two restores race as well
				ana.Delete(first).Expect(http.StatusNoContent)
				statuses = kit.Tally(kit.AtOnce(2, func(i int) *kit.Response { return boss.Post(both[i]+"restore/", nil) }))
				assert.Equal(t, map[int]int{http.StatusOK: 2}, statuses)
			} else {
				boss.Post(second+"restore/", nil).Expect(http.StatusOK)
			}
			require.Zero(t, api.Count(strays), "round %d", round)
			require.Equal(t, 1, api.Count("SELECT count(*) FROM mappings WHERE deleted_at IS NULL"), "round %d", round)
		}
	})
}
