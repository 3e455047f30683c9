package fhir

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// withMembers is a team with these doctors, and no more than a client must send.
func withMembers(id string, doctors ...string) kit.Object {
	team := kit.Object{"resourceType": "CareTeam", "id": id}
	var all []any
	for _, d := range doctors {
		all = append(all, kit.Object{"member": kit.Object{"reference": "Practitioner/" + d}})
	}
	if all != nil {
		team["participant"] = all
	}
	return team
}

// members are the doctors of a team.
func members(team kit.Object) []string {
	all := []string{}
	list, _ := team["participant"].([]any)
	for _, one := range list {
		all = append(all, one.(kit.Object)["member"].(kit.Object)["reference"].(string)[len("Practitioner/"):])
	}
	return all
}

func TestAnAssignmentThatIsCommittedLateChangesTheTeamsVersion(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id, one, two := ana.patient("Petra"), ana.doctor("Dr. One"), ana.doctor("Dr. Two")
		tag := ana.do("PUT", "CareTeam/"+id, withMembers(id, one)).Expect(http.StatusOK).Header.Get("ETag")
		// Its event got its number before that of the update: on PostgreSQL numbers are given out at the insert.
		api.Exec("INSERT INTO events (id, at, action, object, patient_id, changes, address, outcome, request_id)" +
			" SELECT 0, at, action, object, patient_id, changes, address, outcome, request_id FROM events WHERE action = 'assign'")
		assert.NotEqual(t, tag, ana.read("CareTeam/"+id).Header.Get("ETag"))
		ana.do("PUT", "CareTeam/"+id, withMembers(id, two), "If-Match", tag).Expect(http.StatusPreconditionFailed)
	})
}

func TestACareTeamIsTheDoctorsOfAPatient(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := user(api, "ana"), staff(api, "boss")
		id := ana.patient("Petra")
		one, two, three := ana.doctor("Dr. One"), ana.doctor("Dr. Two"), ana.doctor("Dr. Three")
		path := "CareTeam/" + id
		versions := map[string]bool{}
		team := func(want ...string) kit.Object {
			t.Helper()
			r := ana.read(path).Expect(http.StatusOK)
			assert.ElementsMatch(t, want, members(r.JSON))
			assert.Equal(t, map[bool]string{true: "active", false: "inactive"}[len(want) > 0], r.JSON["status"])
			assert.Equal(t, "Patient/"+id, r.JSON["subject"].(kit.Object)["reference"])
			version := r.Header.Get("ETag")
			assert.False(t, versions[version], "each change is a version")
			versions[version] = true
			return r.JSON
		}
		empty := team()
		r := ana.do("PUT", path, withMembers(id, one, two), "If-Match", `W/"`+empty["meta"].(kit.Object)["versionId"].(string)+`"`).Expect(http.StatusOK)
		assert.ElementsMatch(t, []string{one, two}, members(r.JSON))
		both := team(one, two)
		assert.Equal(t, both, r.JSON)
		ana.do("PUT", path, withMembers(id, three), "If-Match", `W/"`+empty["meta"].(kit.Object)["versionId"].(string)+`"`).Expect(http.StatusPreconditionFailed)
		assert.Len(t, ana.Get("/api/mappings/"+id+"/").Results(), 2)

		before := api.Count("SELECT count(*) FROM events WHERE object = 'mapping' AND outcome = 'ok' AND action IN ('assign', 'unassign')")
		assert.Equal(t, both, ana.do("PUT", path, both).Expect(http.StatusOK).JSON, "what came back unchanged changes nothing")
		assert.Equal(t, before, api.Count("SELECT count(*) FROM events WHERE object = 'mapping' AND outcome = 'ok' AND action IN ('assign', 'unassign')"))
		kept := both["participant"].([]any)[1]
		ana.do("PUT", path, withMembers(id, two, three)).Expect(http.StatusOK)
		assert.Equal(t, kept, team(two, three)["participant"].([]any)[0], "who stays keeps the assignment")

		// By /api too, and when a doctor or the patient is hidden and restored.
		mapping := ana.Post("/api/mappings/", kit.Object{"patient_id": number(id), "doctor_id": number(one)}).Expect(http.StatusCreated)
		team(one, two, three)
		ana.Delete(kit.Path("mappings", mapping.ID())).Expect(http.StatusNoContent)
		team(two, three)
		boss.Delete(kit.Path("doctors", number(two))).Expect(http.StatusNoContent)
		team(three)
		ana.Delete(kit.Path("patients", number(id))).Expect(http.StatusNoContent)
		ana.read(path).Expect(http.StatusGone)
		ana.do("PUT", path, withMembers(id)).Expect(http.StatusGone)
		boss.Post(kit.Path("patients", number(id), "restore"), nil).Expect(http.StatusOK)
		team(three)
		ana.do("PUT", path, withMembers(id)).Expect(http.StatusOK)
		team()

		other := ana.patient("Olga")
		ana.do("PUT", "CareTeam/"+other, withMembers(other, one)).Expect(http.StatusOK)
		for query, want := range map[string][]string{
			"": {id, other}, "_id=" + id: {id}, "patient=" + id: {id}, "patient=Patient/" + other: {other}, "subject=" + api.URL + "/fhir/Patient/" + id: {id},
			"subject=http://evil/fhir/Patient/" + id: {}, "patient=" + api.URL + "/Patient/" + id: {}, "patient=" + api.URL + "/fhir/Practitioner/" + id: {},
			"patient=" + api.URL + "/fhir/" + id: {}, "participant=http://evil/fhir/Practitioner/" + one: {}, "participant=" + api.URL + "/fhir/Practitioner/" + one: {other},
			"participant=Practitioner/" + one: {other}, "participant=" + three: {}, "status=active": {other}, "status=inactive": {id}, "status=proposed": {},
		} {
			r := ana.read("CareTeam?" + query).Expect(http.StatusOK)
			assert.ElementsMatch(t, want, idsOf(r), query)
			assert.EqualValues(t, len(want), r.JSON["total"], query)
		}
	})
}

func TestACareTeamTakesMembersAndNothingElse(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id, doctor := ana.patient("Petra"), ana.doctor("Dr. One")
		ana.do("PUT", "CareTeam/"+id, withMembers(id, doctor)).Expect(http.StatusOK)
		good := ana.read("CareTeam/" + id).JSON
		member := func(reference string) []any {
			return []any{kit.Object{"member": kit.Object{"reference": reference}}}
		}
		for _, wrong := range []struct {
			body   kit.Object
			issues string
			status int
		}{
			{withMembers(id, doctor, doctor), "duplicate CareTeam.participant[1].member", 422},
			{withMembers(id, "4711"), "business-rule CareTeam.participant", 422},
			{kit.With(withMembers(id), "participant", member("Patient/"+id)), "not-supported CareTeam.participant[0].member.reference", 422},
			{kit.With(good, "status", "inactive"), "business-rule CareTeam.status", 422},
			{kit.With(good, "status", "working"), "code-invalid CareTeam.status", 400},
			{kit.With(good, "name", "Team"), "not-supported CareTeam.name", 422},
			{kit.With(good, "note", []any{kit.Object{"text": "x"}}), "not-supported CareTeam.note", 422},
			{kit.With(good, "subject", kit.Object{"reference": "Patient/4711"}), "business-rule CareTeam.subject.reference", 422},
			{kit.With(good, "participant", []any{kit.Object{"id": "4711", "member": kit.Object{"reference": "Practitioner/" + doctor}}}), "business-rule CareTeam.participant[0].id", 422},
			{kit.With(good, "participant", []any{kit.Object{"role": []any{kit.Object{"text": "Surgeon"}}, "member": kit.Object{"reference": "Practitioner/" + doctor}}}), "not-supported CareTeam.participant[0].role", 422},
			{kit.With(good, "id", "4711"), "invalid CareTeam.id", 400},
			{kit.With(good, "colour", "red"), "structure CareTeam.colour", 400},
		} {
			r := ana.do("PUT", "CareTeam/"+id, wrong.body).Expect(wrong.status)
			assert.Equal(t, wrong.issues, issues(r))
			assert.Equal(t, good, ana.read("CareTeam/"+id).JSON)
		}
		r := ana.do("PUT", "CareTeam/"+id, kit.With(good, "language", "de"), "Prefer", "return=OperationOutcome").Expect(http.StatusOK)
		assert.Equal(t, "not-supported CareTeam.language", issues(r))
		for _, method := range []string{"DELETE", "POST"} {
			path := "CareTeam"
			if method == "DELETE" {
				path += "/" + id
			}
			r := ana.do(method, path, good).Expect(http.StatusMethodNotAllowed)
			assert.NotEmpty(t, r.Header.Get("Allow"), method)
		}
	})
}

// The two of them replace what both have read: one of them is told.
func TestTwoWhoChangeATeamAtOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		other := client{ana.At(kit.Start(t, api.Config))}
		id := ana.patient("Petra")
		doctors := []string{ana.doctor("Dr. One"), ana.doctor("Dr. Two")}
		tag := ana.read("CareTeam/" + id).Header.Get("ETag")
		answers := kit.AtOnce(2, func(i int) *kit.Response {
			return []client{ana, other}[i].do("PUT", "CareTeam/"+id, withMembers(id, doctors[i]), "If-Match", tag)
		})
		assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusPreconditionFailed: 1}, kit.Tally(answers))
		assert.Len(t, members(ana.read("CareTeam/"+id).JSON), 1)
	})
}
