package tests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func mergePath(patient int) string   { return kit.Path("patients", patient, "merge") }
func unmergePath(patient int) string { return kit.Path("patients", patient, "unmerge") }
func into(patient int) kit.Object    { return kit.Object{"into": patient} }

func withIDs(c *kit.Client, name string, texts ...string) int {
	c.T.Helper()
	return c.Post("/api/patients/", known(name, texts...)).Expect(http.StatusCreated).ID()
}

// stands is what of the patients can be told apart from outside, without versions and times.
func stands(api *kit.API) []string {
	return append(api.Rows("SELECT id, name, identifiers, created_by, merged_into, deleted_at IS NULL FROM patients ORDER BY id"), append(
		api.Rows("SELECT id, patient_id, doctor_id, owner_id, deleted_at IS NULL, removed_with FROM mappings ORDER BY id"),
		api.Rows("SELECT patient_id, scope_id, system, value, freed_at IS NULL, merged_from FROM patient_identifiers ORDER BY patient_id, system, value")...)...)
}

func TestAMergeBringsTwoPatientsTogetherAndAnUnmergeTakesItBack(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		from, to := withIDs(ana, "Jurgen", file, "1", insurer, "1"), withIDs(ana, "Jürgen", file, "2")
		both, own, past := ana.Doctor("Both"), ana.Doctor("Own"), ana.Doctor("Past")
		for _, d := range []int{both, own, past} {
			ana.Assign(from, d).Expect(http.StatusCreated)
		}
		ana.Assign(to, both).Expect(http.StatusCreated)
		ana.Post(kit.Path("doctor", "mappings", from, "remove"), kit.Object{"doctor_id": past}).Expect(http.StatusOK)
		before := stands(api)

		r := staff.Do("POST", mergePath(from), into(to), "If-Match", `"1"`).Expect(http.StatusOK)
		assert.Equal(t, []any{float64(to), "Jürgen", ids(file, "2", file, "1", insurer, "1"), 2.0},
			[]any{r.JSON["id"], r.JSON["name"], r.JSON["identifiers"], r.JSON["version"]})
		assert.Equal(t, `"2"`, r.Header.Get("ETag"))
		assert.Equal(t, r.JSON, ana.Get(kit.Path("patients", to)).Expect(http.StatusOK).JSON)
		assert.Equal(t, []string{"Both", "Own"}, ana.DoctorsOf(to, ""))
		assert.Len(t, ana.Get("/api/mappings/").Results(), 2)
		assert.Equal(t, []any{"Jürgen"}, ana.Get("/api/patients/?identifier=1").Column("name"))
		assert.Equal(t, []any{float64(to)}, []any{ana.Post(match, kit.Object{"identifiers": ids(file, "1")}).Results()[0]["patient"].(kit.Object)["id"]})

		gone := staff.Get(kit.Path("patients", from)).Expect(http.StatusNotFound).JSON
		assert.Equal(t, []any{float64(to), "not_found"}, []any{gone["merged_into"], gone["code"]})
		assert.Equal(t, []any{"Jurgen"}, staff.Get("/api/patients/?deleted=true").Column("name"))
		plain := ana.Get(kit.Path("patients", from)).Expect(http.StatusNotFound).JSON
		assert.Equal(t, []any{nil, "Not found."}, []any{plain["merged_into"], plain["detail"]})
		for _, r := range []*kit.Response{
			ana.Patch(kit.Path("patients", from), kit.Object{"phone": "1"}), ana.Delete(kit.Path("patients", from)), ana.Assign(from, own),
			ana.Get(kit.Path("mappings", from)), ana.Get(kit.Path("patients", from, "history")),
		} {
			assert.Contains(t, []int{http.StatusNotFound, http.StatusBadRequest}, r.Status)
		}

		r = staff.Do("POST", unmergePath(from), nil, "If-Match", `"2"`).Expect(http.StatusOK)
		assert.Equal(t, []any{float64(from), ids(file, "1", insurer, "1"), 3.0}, []any{r.JSON["id"], r.JSON["identifiers"], r.JSON["version"]})
		assert.Equal(t, r.JSON, ana.Get(kit.Path("patients", from)).Expect(http.StatusOK).JSON)
		assert.EqualValues(t, 3, ana.Get(kit.Path("patients", to)).JSON["version"])
		assert.Equal(t, before, stands(api))
		assert.Zero(t, api.Count("SELECT count(*) FROM moved_rows"))
		assert.Equal(t, []string{"Both", "Own"}, ana.DoctorsOf(from, ""))
	})
}

func TestAMergeIsInTheHistoryAndTheAuditTrailOfBoth(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		from, to, d := ana.Patient("Jurgen"), eve.Patient("Jürgen"), ana.Doctor("Cy")
		m := ana.Assign(from, d).Expect(http.StatusCreated).ID()
		eve.Assign(to, d).Expect(http.StatusCreated)
		ana.Assign(from, ana.Doctor("Di")).Expect(http.StatusCreated)
		staff.Post(mergePath(from), into(to)).Expect(http.StatusOK)

		history := eve.Get(kit.Path("patients", to, "history")).Expect(http.StatusOK)
		assert.Equal(t, []any{"merge", "merge", "unassign", "merge", "assign", "assign", "assign", "create", "create"}, history.Column("action"))
		was := float64(from)
		assert.Equal(t, []any{nil, was, was, nil, was, nil, was, nil, was}, history.Column("merged_from"))
		assert.Equal(t, kit.Object{"merged_from": kit.Object{"from": nil, "to": was}}, history.Results()[0]["changes"])
		assert.Equal(t, kit.Object{"merged_into": kit.Object{"from": nil, "to": float64(to)}}, history.Results()[1]["changes"])
		assert.Equal(t, kit.Object{"patient_id": kit.Object{"from": was, "to": float64(to)}}, history.Results()[3]["changes"])
		assert.Len(t, eve.Get(kit.Path("patients", to, "history")+"?cursor=&page_size=4").Results(), 4)
		assert.Equal(t, []string{"Cy", "Di"}, eve.DoctorsOf(to, "?as_of=9999-12-31"))

		for _, patient := range []int{from, to} {
			seen := staff.Get(fmt.Sprintf("/api/audit/?action=merge&patient_id=%d", patient)).Expect(http.StatusOK)
			assert.Equal(t, []any{[]any{was, float64(to)}, []any{was, float64(to)}, []any{was, float64(to)}}, seen.Column("patient_ids"))
			assert.Equal(t, []any{"patient", "patient", "mapping"}, seen.Column("object"))
		}
		staff.Post(unmergePath(from), nil).Expect(http.StatusOK)
		assert.NotContains(t, eve.Get(kit.Path("patients", to, "history")).Column("merged_from"), was)
		assert.Equal(t, "unmerge", ana.Get(kit.Path("patients", from, "history")).Column("action")[0])
		assert.Equal(t, []any{m}, []any{api.Count(fmt.Sprintf("SELECT id FROM mappings WHERE patient_id = %d AND doctor_id = %d", from, d))})
		api.Seal()
		_, err := api.VerifyAudit()
		assert.NoError(t, err)
	})
}

func TestAMergeThatCannotBeIsRefusedAndChangesNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		one, deleted, merged, other := ana.Patient("One"), ana.Patient("Deleted"), ana.Patient("Merged"), ana.Patient("Other")
		ana.Delete(kit.Path("patients", deleted)).Expect(http.StatusNoContent)
		staff.Post(mergePath(merged), into(other)).Expect(http.StatusOK)
		twelve, ten := []string{}, []string{}
		for i := range 12 {
			twelve = append(twelve, file, fmt.Sprint(i))
			ten = append(ten, insurer, fmt.Sprint(i))
		}
		many, more := withIDs(ana, "Many", twelve...), withIDs(ana, "More", ten[:18]...)
		ofEve := withIDs(eve, "Eve's", file, "3")
		before := api.Contents()
		for _, c := range []*kit.Client{ana, eve} {
			assert.Equal(t, "permission_denied", c.Post(mergePath(one), into(other)).Expect(http.StatusForbidden).JSON["code"])
			c.Post(unmergePath(merged), nil).Expect(http.StatusForbidden)
			c.Post(mergePath(9999), into(one)).Expect(http.StatusForbidden)
		}
		api.Nobody().Post(mergePath(one), into(other)).Expect(http.StatusUnauthorized)
		for target, says := range map[any]string{
			one: "itself", deleted: "deleted", merged: fmt.Sprintf("merged into patient %d", other), 9999: "does not exist", 0: "", -1: "", "x": "", nil: "", true: "",
		} {
			r := staff.Post(mergePath(one), kit.Object{"into": target}).Expect(http.StatusBadRequest)
			assert.Contains(t, r.Error("into"), says, target)
		}
		staff.Post(mergePath(one), kit.Object{}).Expect(http.StatusBadRequest)
		assert.NotEmpty(t, staff.Post(mergePath(one), kit.Object{"into": other, "force": true}).Expect(http.StatusBadRequest).Error("force"))
		r := staff.Post(mergePath(many), into(more)).Expect(http.StatusBadRequest)
		assert.Contains(t, r.Error("identifiers"), "Together they have 21 entries")
		for _, gone := range []int{9999, deleted} {
			assert.Nil(t, staff.Post(mergePath(gone), into(one)).Expect(http.StatusNotFound).JSON["merged_into"])
			staff.Post(unmergePath(gone), nil).Expect(http.StatusNotFound)
		}
		assert.EqualValues(t, other, staff.Post(mergePath(merged), into(one)).Expect(http.StatusNotFound).JSON["merged_into"])
		staff.Do("POST", mergePath(one), into(other), "If-Match", `"9"`).Expect(http.StatusPreconditionFailed)
		staff.Do("POST", unmergePath(merged), nil, "If-Match", `"9"`).Expect(http.StatusPreconditionFailed)
		r = staff.Post(kit.Path("patients", merged, "restore"), nil).Expect(http.StatusConflict)
		assert.Equal(t, fmt.Sprintf("It was not deleted, but merged into patient %d. Unmerge it.", other), r.JSON["detail"])
		// Eve's patient would bring an identifier that a third one of ana's has.
		r = staff.Post(mergePath(ofEve), into(one)).Expect(http.StatusConflict)
		assert.Equal(t, "Another patient has one of these identifiers.", r.JSON["detail"])
		assert.Equal(t, before, api.Contents())
		told := staff.Get("/api/audit/?page_size=100&action=merge").Column("outcome")
		assert.Subset(t, told, []any{"ok", "invalid", "not_found", "precondition_failed", "conflict"})
	})
}

func TestAMergeAndAnUnmergeThatComeAgainChangeNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		from, to := ana.Patient("Jurgen"), ana.Patient("Jürgen")
		first := staff.Do("POST", mergePath(from), into(to), "If-Match", `"1"`).Expect(http.StatusOK)
		before := api.Contents()
		assert.Equal(t, first.JSON, staff.Do("POST", mergePath(from), into(to), "If-Match", `"1"`).Expect(http.StatusOK).JSON)
		assert.Equal(t, before, api.Contents())
		first = staff.Do("POST", unmergePath(from), nil, "If-Match", `"2"`).Expect(http.StatusOK)
		before = api.Contents()
		assert.Equal(t, first.JSON, staff.Do("POST", unmergePath(from), nil, "If-Match", `"2"`).Expect(http.StatusOK).JSON)
		assert.Equal(t, before, api.Contents())
		assert.Len(t, staff.Get("/api/audit/?action=merge").Results(), 2)
		assert.Len(t, staff.Get("/api/audit/?action=unmerge").Results(), 2)
	})
}

func TestAnUnmergeKeepsWhatHasChangedSince(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		from, to := withIDs(ana, "Jurgen", file, "1", file, "2", file, "3", file, "4"), withIDs(ana, "Jürgen", insurer, "1")
		third := withIDs(ana, "Third")
		both, ended, stays, leaves, closed := ana.Doctor("Both"), ana.Doctor("Ended"), ana.Doctor("Stays"), ana.Doctor("Leaves"), ana.Doctor("Closed")
		for _, d := range []int{both, ended, stays, leaves, closed} {
			ana.Assign(from, d).Expect(http.StatusCreated)
		}
		for _, d := range []int{both, ended, closed} {
			ana.Assign(to, d).Expect(http.StatusCreated)
		}
		staff.Post(mergePath(from), into(to)).Expect(http.StatusOK)

		// An identifier is removed, one goes to a third patient, one is removed and given anew, and one is new.
		at := kit.Path("patients", to)
		ana.Patch(at, kit.Object{"identifiers": ids(insurer, "1", file, "4")}).Expect(http.StatusOK)
		ana.Patch(kit.Path("patients", third), kit.Object{"identifiers": ids(file, "2")}).Expect(http.StatusOK)
		ana.Patch(at, kit.Object{"identifiers": ids(file, "5", insurer, "1", file, "4", file, "3")}).Expect(http.StatusOK)
		// Doctors of one or both are removed, one comes anew, and one is deleted.
		for _, d := range []int{ended, leaves} {
			ana.Post(kit.Path("doctor", "mappings", to, "remove"), kit.Object{"doctor_id": d}).Expect(http.StatusOK)
		}
		ana.Assign(to, ana.Doctor("New")).Expect(http.StatusCreated)
		ana.Delete(kit.Path("doctors", closed)).Expect(http.StatusNoContent)

		r := staff.Post(unmergePath(from), nil).Expect(http.StatusOK)
		assert.Equal(t, ids(file, "4"), r.JSON["identifiers"])
		assert.Equal(t, ids(file, "5", insurer, "1", file, "3"), ana.Get(at).JSON["identifiers"])
		assert.Equal(t, ids(file, "2"), ana.Get(kit.Path("patients", third)).JSON["identifiers"])
		assert.Equal(t, []string{"Both", "Stays"}, ana.DoctorsOf(from, ""))
		assert.Equal(t, []string{"Both", "New"}, ana.DoctorsOf(to, ""))
		staff.Post(kit.Path("doctors", closed, "restore"), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"Both", "Closed", "Stays"}, ana.DoctorsOf(from, ""))
		assert.Equal(t, []string{"Both", "Closed", "New"}, ana.DoctorsOf(to, ""))
		taken := "SELECT value FROM patient_identifiers WHERE freed_at IS NULL ORDER BY value, system"
		assert.Equal(t, []string{"1", "2", "3", "4", "5"}, api.Rows(taken))
		assert.Zero(t, api.Count("SELECT count(*) FROM patient_identifiers WHERE merged_from IS NOT NULL"))
	})
}

func TestADoctorWhoIsRestoredWhileAPatientIsMergedComesBackOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		from, to, both, own := ana.Patient("Jurgen"), ana.Patient("Jürgen"), ana.Doctor("Both"), ana.Doctor("Own")
		for _, pair := range [][2]int{{from, both}, {to, both}, {from, own}} {
			ana.Assign(pair[0], pair[1]).Expect(http.StatusCreated)
		}
		for _, d := range []int{both, own} {
			ana.Delete(kit.Path("doctors", d)).Expect(http.StatusNoContent)
		}
		staff.Post(mergePath(from), into(to)).Expect(http.StatusOK)
		for _, d := range []int{both, own} {
			staff.Post(kit.Path("doctors", d, "restore"), nil).Expect(http.StatusOK)
		}
		assert.Equal(t, []string{"Both", "Own"}, ana.DoctorsOf(to, ""))
		staff.Post(unmergePath(from), nil).Expect(http.StatusOK)
		assert.Equal(t, []string{"Both"}, ana.DoctorsOf(to, ""))
		assert.Equal(t, []string{"Both", "Own"}, ana.DoctorsOf(from, ""))
	})
}

func TestMergesAreTakenBackInTurn(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		a, b, c := withIDs(ana, "A", file, "a"), withIDs(ana, "B", file, "b"), withIDs(ana, "C", file, "c")
		d, e := ana.Doctor("D"), ana.Doctor("E")
		for _, pair := range [][2]int{{a, d}, {b, d}, {c, d}, {a, e}} {
			ana.Assign(pair[0], pair[1]).Expect(http.StatusCreated)
		}
		first := stands(api)
		staff.Post(mergePath(a), into(b)).Expect(http.StatusOK)
		second := stands(api)
		all := staff.Post(mergePath(b), into(c)).Expect(http.StatusOK)
		assert.Equal(t, ids(file, "c", file, "b", file, "a"), all.JSON["identifiers"])
		newest := func() any {
			return ana.Get(kit.Path("patients", c, "history")).Results()[0]["changes"].(kit.Object)["identifiers"]
		}
		assert.Equal(t, kit.Object{"from": ids(file, "c"), "to": ids(file, "c", file, "b", file, "a")}, newest())
		assert.Equal(t, []string{"D", "E"}, ana.DoctorsOf(c, ""))
		history := ana.Get(kit.Path("patients", c, "history") + "?page_size=100").Column("merged_from")
		assert.Subset(t, history, []any{float64(a), float64(b), nil})
		assert.EqualValues(t, b, staff.Get(kit.Path("patients", a)).JSON["merged_into"])
		assert.EqualValues(t, c, staff.Get(kit.Path("patients", b)).JSON["merged_into"])

		r := staff.Post(unmergePath(a), nil).Expect(http.StatusConflict)
		assert.Equal(t, fmt.Sprintf("Patient %d has been merged into patient %d since. Unmerge that one first.", b, c), r.JSON["detail"])
		ana.Delete(kit.Path("patients", c)).Expect(http.StatusNoContent)
		r = staff.Post(unmergePath(b), nil).Expect(http.StatusConflict)
		assert.Equal(t, fmt.Sprintf("Patient %d, into whom it was merged, has been deleted since. Restore that one first.", c), r.JSON["detail"])
		staff.Post(kit.Path("patients", c, "restore"), nil).Expect(http.StatusOK)
		staff.Post(unmergePath(b), nil).Expect(http.StatusOK)
		assert.Equal(t, kit.Object{"from": ids(file, "c", file, "b", file, "a"), "to": ids(file, "c")}, newest())
		assert.Equal(t, second, stands(api))
		staff.Post(unmergePath(a), nil).Expect(http.StatusOK)
		assert.Equal(t, first, stands(api))
	})
}

func TestOfTwoMergesIntoOneTheLaterIsTakenBackFirst(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		a, b, c := withIDs(ana, "A", file, "a"), withIDs(ana, "B", file, "b"), withIDs(ana, "C", file, "c")
		d := ana.Doctor("D")
		ana.Assign(a, d).Expect(http.StatusCreated)
		ana.Assign(c, d).Expect(http.StatusCreated)
		first := stands(api)
		staff.Post(mergePath(a), into(b)).Expect(http.StatusOK)
		staff.Post(mergePath(c), into(b)).Expect(http.StatusOK)
		both := stands(api)
		r := staff.Post(unmergePath(a), nil).Expect(http.StatusConflict)
		assert.Equal(t, fmt.Sprintf("Patient %d has been merged into patient %d since. Unmerge that one first.", c, b), r.JSON["detail"])
		assert.Equal(t, both, stands(api))
		staff.Post(unmergePath(c), nil).Expect(http.StatusOK)
		staff.Post(unmergePath(a), nil).Expect(http.StatusOK)
		assert.Equal(t, first, stands(api))
	})
}

func TestAMergeOfTwoAccountsPatientsHandsOverAndBack(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.LiftAppendOnly() // or no time could pass
		ana, eve, staff := api.User("ana"), api.User("eve"), api.Staff("sue")
		from, to := withIDs(ana, "Jurgen", file, "1", file, "2"), withIDs(eve, "Jürgen", file, "1")
		both, own := ana.Doctor("Both"), ana.Doctor("Own")
		for _, d := range []int{both, own} {
			ana.Assign(from, d).Expect(http.StatusCreated)
		}
		eve.Assign(to, both).Expect(http.StatusCreated)
		moveEvents(api, "assign", time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC))
		before := stands(api)
		r := staff.Post(mergePath(from), into(to)).Expect(http.StatusOK)
		assert.EqualValues(t, eve.ID, r.JSON["created_by"])
		assert.Equal(t, ids(file, "1", file, "2"), eve.Get(kit.Path("patients", to)).JSON["identifiers"])
		assert.Equal(t, []string{"Both", "Own"}, eve.DoctorsOf(to, ""))
		assert.Equal(t, []string{"Both", "Both", "Own"}, eve.DoctorsOf(to, "?as_of=2026-01-10"), "as two records, for each of them")
		assert.Equal(t, []string{"Both", "Own"}, eve.DoctorsOf(to, "?as_of=9999-12-31"))
		assert.Empty(t, ana.Get("/api/mappings/").Results())
		for _, path := range []string{kit.Path("patients", to), kit.Path("mappings", to), kit.Path("mappings", to) + "?as_of=2026-01-10", kit.Path("patients", to, "history")} {
			ana.Get(path).Expect(http.StatusNotFound)
		}
		double := withIDs(ana, "Double", file, "2") // is free, among ana's
		r = staff.Post(unmergePath(from), nil).Expect(http.StatusConflict)
		assert.Equal(t, "Another patient has one of these identifiers.", r.JSON["detail"])
		ana.Patch(kit.Path("patients", double), kit.Object{"identifiers": []any{}}).Expect(http.StatusOK)
		staff.Post(unmergePath(from), nil).Expect(http.StatusOK)
		assert.Equal(t, before, append(stands(api)[:2], stands(api)[3:]...))
		assert.Equal(t, []string{"Both", "Own"}, ana.DoctorsOf(from, ""))
		assert.Len(t, ana.Get("/api/mappings/").Results(), 2)
	})
}

func TestMergesAtOnceMakeOneOfTwoAndNeverNone(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		second := staff.At(kit.Start(t, api.Config))
		both := []*kit.Client{staff, second}
		for _, crossing := range []bool{false, true} {
			pair := [2]int{ana.Patient("Jurgen"), ana.Patient("Jürgen")}
			for range 3 {
				d := ana.Doctor("D")
				ana.Assign(pair[0], d).Expect(http.StatusCreated)
				ana.Assign(pair[1], d).Expect(http.StatusCreated)
			}
			answers := kit.AtOnce(20, func(i int) *kit.Response {
				from, to := pair[0], pair[1]
				if crossing && i%4 > 1 {
					from, to = to, from
				}
				return both[i%2].Post(mergePath(from), into(to))
			})
			got := statuses(answers)
			assert.Equal(t, 20, count(got, 200, 400, 404), got)
			assert.GreaterOrEqual(t, count(got, 200), map[bool]int{true: 10, false: 20}[crossing], got)
			where := fmt.Sprintf(" FROM patients WHERE deleted_at IS NULL AND id IN (%d, %d)", pair[0], pair[1])
			assert.Equal(t, 1, api.Count("SELECT count(*)"+where))
			left := api.Count("SELECT id" + where)
			assert.Len(t, ana.DoctorsOf(left, ""), 3)
			assert.Equal(t, 2, api.Count("SELECT version"+where), "merged once")

			gone := pair[0] + pair[1] - left
			got = statuses(kit.AtOnce(20, func(i int) *kit.Response { return both[i%2].Post(unmergePath(gone), nil) }))
			assert.Equal(t, 20, count(got, 200), got)
			assert.Len(t, ana.DoctorsOf(gone, ""), 3)
			assert.Equal(t, 3, api.Count("SELECT version"+where+fmt.Sprint(" AND id = ", gone)))
		}
	})
}

func TestAMergeLosesNothingOfWhatIsWrittenMeanwhile(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		second := ana.At(kit.Start(t, api.Config))
		doctors := []int{}
		for range 6 {
			doctors = append(doctors, ana.Doctor("D"))
		}
		for range 4 {
			from, to := ana.Patient("Jurgen"), ana.Patient("Jürgen")
			answers := kit.AtOnce(20, func(i int) *kit.Response {
				c := []*kit.Client{ana, second}[i%2]
				switch {
				case i == 0:
					return staff.Post(mergePath(from), into(to))
				case i < 7:
					return c.Assign(from, doctors[i-1])
				case i < 13:
					return c.Assign(to, doctors[i-7])
				case i%2 == 0:
					return c.Patch(kit.Path("patients", to), kit.Object{"identifiers": ids(file, fmt.Sprint(to, "-", i))})
				}
				return c.Patch(kit.Path("patients", from), kit.Object{"phone": fmt.Sprint(i)})
			})
			got := statuses(answers)
			assert.Zero(t, count(got, 500, 503), got)
			assert.Equal(t, http.StatusOK, answers[0].Status)
			assert.Len(t, ana.DoctorsOf(to, ""), 6)
			stray := "SELECT count(*) FROM mappings WHERE deleted_at IS NULL AND patient_id = "
			assert.Zero(t, api.Count(stray+fmt.Sprint(from)))
			for i, r := range answers[1:7] { // an assignment of the hidden one was refused, or came with the merge
				assert.Contains(t, []int{http.StatusCreated, http.StatusBadRequest, http.StatusConflict}, r.Status, i)
			}
			list := api.Text(fmt.Sprint("SELECT coalesce(identifiers, '') FROM patients WHERE id = ", to))
			for _, value := range api.Rows(fmt.Sprint("SELECT value FROM patient_identifiers WHERE freed_at IS NULL AND patient_id = ", to)) {
				assert.Contains(t, list, `"`+value+`"`)
			}
			assert.Equal(t, strings.Count(list, "value"), api.Count(fmt.Sprint("SELECT count(*) FROM patient_identifiers WHERE patient_id = ", to)))
		}
	})
}

func TestAnErasureErasesWhoWasMergedToo(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, staff := api.User("ana"), api.Staff("sue")
		from, to := withIDs(ana, kit.Marker, file, "1"), withIDs(ana, "Jürgen", file, "2")
		for _, d := range []int{ana.Doctor("Both"), ana.Doctor("Own")} {
			ana.Assign(from, d).Expect(http.StatusCreated)
		}
		ana.Assign(to, 1).Expect(http.StatusCreated)
		staff.Post(mergePath(from), into(to)).Expect(http.StatusOK)
		_, err := api.DB.ErasePatient(t.Context(), int64(from), "asked")
		assert.ErrorContains(t, err, fmt.Sprintf("has been merged into patient %d", to))
		_, err = api.DB.ErasePatient(t.Context(), int64(to), "asked")
		assert.NoError(t, err)
		for _, table := range []string{"patients", "mappings", "patient_identifiers", "moved_rows"} {
			assert.Zero(t, api.Count("SELECT count(*) FROM "+table), table)
		}
		assert.Zero(t, api.Count("SELECT count(*) FROM events WHERE changes LIKE '%"+kit.Marker+"%'"))
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM events WHERE action = 'erase' AND object = 'patient'"))
		_, err = api.VerifyAudit()
		assert.NoError(t, err)
	})
}
