package fhir

import (
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// whole is a patient with all that this server keeps.
func whole() kit.Object {
	extension := func(name, kind, value string) kit.Object {
		return kit.Object{"url": "https://healthcare-api.example/fhir/StructureDefinition/" + name, kind: value}
	}
	return kit.Object{
		"resourceType": "Patient",
		"extension":    []any{extension("blood-group", "valueCode", "A+"), extension("allergies", "valueString", "nuts"), extension("medical-history", "valueString", "none\nsince 2020")},
		"identifier":   []any{kit.Object{"system": "urn:clinic:file", "value": "2024-17"}},
		"active":       true,
		"name":         []any{kit.Object{"text": "Åsa Lindström"}},
		"telecom":      []any{kit.Object{"system": "phone", "value": "+49 30 1234"}, kit.Object{"system": "email", "value": "asa@example.org"}},
		"gender":       "female",
		"birthDate":    "1958-03-14",
		"address":      []any{kit.Object{"text": "Main Street 1\n10115 Berlin"}},
	}
}

func TestAPatientIsTheSameBelowFHIRAndAPI(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		r := ana.do("POST", "Patient", whole()).Expect(http.StatusCreated)
		id := r.JSON["id"].(string)
		assert.Equal(t, `W/"1"`, r.Header.Get("ETag"))
		assert.Equal(t, api.URL+"/fhir/Patient/"+id+"/_history/1", r.Header.Get("Location"))
		assert.NotEmpty(t, r.Header.Get("Last-Modified"))
		for name, value := range whole() {
			assert.Equal(t, value, r.JSON[name], name)
		}
		row := ana.Get("/api/patients/" + id + "/").Expect(http.StatusOK).JSON
		want := kit.Object{
			"name": "Åsa Lindström", "gender": "female", "date_of_birth": "1958-03-14", "phone": "+49 30 1234", "email": "asa@example.org",
			"address": "Main Street 1\n10115 Berlin", "blood_group": "A+", "allergies": "nuts", "medical_history": "none\nsince 2020",
		}
		for name, value := range want {
			assert.Equal(t, value, row[name], name)
		}
		assert.Equal(t, []any{kit.Object{"system": "urn:clinic:file", "value": "2024-17"}}, row["identifiers"])

		// Who reads and writes nothing new changes nothing.
		shown := ana.read("Patient/" + id).Expect(http.StatusOK)
		again := ana.do("PUT", "Patient/"+id, shown.JSON).Expect(http.StatusOK)
		assert.Equal(t, shown.JSON, again.JSON)
		assert.Equal(t, row, ana.Get("/api/patients/"+id+"/").JSON)
		history := ana.Get("/api/patients/" + id + "/history/").Expect(http.StatusOK)
		assert.Contains(t, history.Raw, `"create"`)
		assert.NotContains(t, history.Raw, `"update"`)

		// What a PUT leaves out is taken away.
		r = ana.do("PUT", "Patient/"+id, kit.Merge(named("Åsa Berg"), kit.Object{"id": id})).Expect(http.StatusOK)
		assert.Equal(t, `W/"2"`, r.Header.Get("ETag"))
		row = ana.Get("/api/patients/" + id + "/").Expect(http.StatusOK).JSON
		assert.Equal(t, []any{"Åsa Berg", "unknown", nil, "", "", []any{}}, []any{row["name"], row["gender"], row["date_of_birth"], row["phone"], row["allergies"], row["identifiers"]})
	})
}

func TestAPractitionerIsADoctor(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := user(api, "ana"), user(api, "eve")
		sent := kit.Object{
			"resourceType": "Practitioner", "active": true, "name": []any{kit.Object{"text": "Dr. Emil Kraus"}},
			"identifier": []any{kit.Object{
				"type":   kit.Object{"coding": []any{kit.Object{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MD"}}},
				"system": "https://healthcare-api.example/fhir/sid/license-number", "value": "B-77",
			}},
			"extension":     []any{kit.Object{"url": "https://healthcare-api.example/fhir/StructureDefinition/years-of-experience", "valueUnsignedInt": 12}},
			"telecom":       []any{kit.Object{"system": "phone", "value": "030 55"}, kit.Object{"system": "email", "value": "Kraus@Example.org"}},
			"qualification": []any{kit.Object{"code": kit.Object{"text": "Cardiology"}}},
		}
		r := ana.do("POST", "Practitioner", sent).Expect(http.StatusCreated)
		id := r.JSON["id"].(string)
		row := ana.Get("/api/doctors/" + id + "/").Expect(http.StatusOK).JSON
		assert.Equal(t, []any{"Dr. Emil Kraus", "Cardiology", "B-77", 12.0, "030 55"}, []any{row["name"], row["specialization"], row["license_number"], row["years_of_experience"], row["phone"]})
		shown := eve.read("Practitioner/" + id).Expect(http.StatusOK)
		for name := range sent {
			if name != "extension" && name != "identifier" {
				assert.Equal(t, sent[name], shown.JSON[name], name)
			}
		}
		assert.Equal(t, shown.JSON, ana.do("PUT", "Practitioner/"+id, shown.JSON).Expect(http.StatusOK).JSON)
		eve.do("PUT", "Practitioner/"+id, shown.JSON).Expect(http.StatusForbidden)
		assert.Equal(t, "required Practitioner.qualification, duplicate Practitioner.identifier", issues(ana.do("POST", "Practitioner", kit.Without(sent, "qualification")).Expect(http.StatusUnprocessableEntity)))
		assert.Equal(t, []string{id}, idsOf(eve.read("Practitioner?identifier=b-77").Expect(http.StatusOK)))
		assert.Equal(t, []string{id}, idsOf(eve.read("Practitioner?name=kraus").Expect(http.StatusOK)))
		assert.Equal(t, []string{id}, idsOf(eve.read("Practitioner?email=kraus@example.org").Expect(http.StatusOK)))

		// A doctor's versions are for who may change it.
		ana.do("PUT", "Practitioner/"+id, kit.With(shown.JSON, "telecom", []any{})).Expect(http.StatusBadRequest) // an empty list is no FHIR
		ana.do("PUT", "Practitioner/"+id, kit.Without(shown.JSON, "telecom")).Expect(http.StatusOK)
		eve.read("Practitioner/" + id + "/_history").Expect(http.StatusForbidden)
		eve.read("Practitioner/" + id + "/_history/1").Expect(http.StatusForbidden)
		eve.read("Practitioner/" + id + "/_history/2").Expect(http.StatusOK)
		assert.Equal(t, sent["telecom"], ana.read("Practitioner/" + id + "/_history/1").Expect(http.StatusOK).JSON["telecom"])

		patient := eve.patient("Petra")
		team := eve.read("CareTeam/" + patient).Expect(http.StatusOK).JSON
		team["participant"] = []any{kit.Object{"member": kit.Object{"reference": "Practitioner/" + id}}}
		delete(team, "status")
		eve.do("PUT", "CareTeam/"+patient, team).Expect(http.StatusOK)
		ana.do("DELETE", "Practitioner/"+id, nil).Expect(http.StatusConflict)
	})
}

func TestWhatIsNotTheirsIsNotThere(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, boss := user(api, "ana"), user(api, "eve"), staff(api, "boss")
		id := ana.patient("Petra")
		for _, unknown := range []string{id, "4711", "x", "0", "-1", "9999999999999999999"} {
			assert.Equal(t, "not-found", issues(eve.read("Patient/"+unknown).Expect(http.StatusNotFound)), unknown)
			eve.read("Patient/" + unknown + "/_history").Expect(http.StatusNotFound)
			eve.read("Patient/" + unknown + "/_history/1").Expect(http.StatusNotFound)
			eve.read("CareTeam/" + unknown).Expect(http.StatusNotFound)
			eve.do("DELETE", "Patient/"+unknown, nil).Expect(http.StatusNotFound)
		}
		for _, unknown := range []string{id, "4711"} {
			body := kit.Merge(named("Stolen"), kit.Object{"id": unknown})
			r := eve.do("PUT", "Patient/"+unknown, body).Expect(http.StatusMethodNotAllowed)
			assert.Equal(t, "not-supported", issues(r))
			assert.Equal(t, "DELETE, GET, HEAD, OPTIONS", r.Header.Get("Allow"))
			eve.do("PUT", "CareTeam/"+unknown, kit.Object{"resourceType": "CareTeam", "id": unknown}).Expect(http.StatusMethodNotAllowed)
		}
		assert.Empty(t, idsOf(eve.read("Patient").Expect(http.StatusOK)))
		assert.Empty(t, idsOf(eve.read("Patient?_id="+id).Expect(http.StatusOK)))
		assert.Empty(t, idsOf(eve.read("CareTeam").Expect(http.StatusOK)))
		assert.Equal(t, []string{id}, idsOf(boss.read("Patient").Expect(http.StatusOK)))
		assert.Equal(t, []string{id}, idsOf(boss.read("CareTeam").Expect(http.StatusOK)))
		assert.Equal(t, "forbidden", issues(ana.read("AuditEvent").Expect(http.StatusForbidden)))
		ana.read("AuditEvent/1").Expect(http.StatusForbidden)
		nobody := client{api.Nobody()}
		for _, path := range []string{"Patient", "Patient/" + id, "Practitioner", "CareTeam", "AuditEvent", "Nonsense"} {
			if path == "Nonsense" {
				nobody.read(path).Expect(http.StatusNotFound)
				continue
			}
			assert.Equal(t, "login", issues(nobody.read(path).Expect(http.StatusUnauthorized)), path)
		}
		assert.Equal(t, "4.0.1", nobody.read("metadata").Expect(http.StatusOK).JSON["fhirVersion"])
	})
}

func TestADeletedPatientIsGone(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, boss := user(api, "ana"), user(api, "eve"), staff(api, "boss")
		id := ana.patient("Petra")
		one := "Patient/" + id
		ana.do("DELETE", one, nil, "If-Match", `W/"7"`).Expect(http.StatusPreconditionFailed)
		ana.do("DELETE", one, nil, "If-Match", `W/"1"`).Expect(http.StatusNoContent)
		ana.do("DELETE", one, nil).Expect(http.StatusNoContent)
		assert.Equal(t, "deleted", issues(ana.read(one).Expect(http.StatusGone)))
		ana.read(one + "/_history/1").Expect(http.StatusGone)
		ana.read(one + "/_history").Expect(http.StatusGone)
		ana.do("PUT", one, kit.Merge(named("Petra"), kit.Object{"id": id})).Expect(http.StatusGone)
		eve.read(one).Expect(http.StatusNotFound)
		boss.read(one).Expect(http.StatusGone)
		assert.Empty(t, idsOf(ana.read("Patient").Expect(http.StatusOK)))

		history := boss.read(one + "/_history").Expect(http.StatusOK)
		assert.EqualValues(t, 2, history.JSON["total"])
		newest := history.JSON["entry"].([]any)[0].(kit.Object)
		assert.Nil(t, newest["resource"])
		assert.Equal(t, "DELETE", newest["request"].(kit.Object)["method"])
		boss.Post("/api/patients/"+id+"/restore/", nil).Expect(http.StatusOK)
		history = ana.read(one + "/_history").Expect(http.StatusOK)
		var methods, versions []any
		for _, e := range history.JSON["entry"].([]any) {
			entry := e.(kit.Object)
			methods = append(methods, entry["request"].(kit.Object)["method"])
			if r, ok := entry["resource"].(kit.Object); ok {
				versions = append(versions, r["meta"].(kit.Object)["versionId"])
			}
		}
		assert.Equal(t, []any{"PUT", "DELETE", "POST"}, methods)
		assert.Equal(t, []any{"1", "1"}, versions)
	})
}

func TestEachVersionStays(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.patient("Version 1")
		shown := []kit.Object{ana.read("Patient/" + id).JSON}
		for n := 2; n <= 25; n++ {
			body := maps.Clone(shown[len(shown)-1])
			body["name"] = []any{kit.Object{"text": fmt.Sprint("Version ", n)}}
			body["telecom"] = []any{kit.Object{"system": "phone", "value": fmt.Sprint("030 ", n)}}
			if n%3 == 0 {
				delete(body, "telecom")
			}
			body["gender"] = []string{"male", "female"}[n%2]
			shown = append(shown, ana.do("PUT", "Patient/"+id, body, "If-Match", fmt.Sprintf(`W/"%d"`, n-1)).Expect(http.StatusOK).JSON)
		}
		for n, was := range shown {
			r := ana.read(fmt.Sprintf("Patient/%s/_history/%d", id, n+1)).Expect(http.StatusOK)
			assert.Equal(t, was, r.JSON)
			assert.Equal(t, fmt.Sprintf(`W/"%d"`, n+1), r.Header.Get("ETag"))
		}
		ana.read("Patient/" + id + "/_history/26").Expect(http.StatusNotFound)
		ana.read("Patient/" + id + "/_history/x").Expect(http.StatusNotFound)
		n := len(shown)
		for path := "Patient/" + id + "/_history?_count=7"; path != ""; {
			page := ana.read(path).Expect(http.StatusOK)
			for _, resource := range entries(page) {
				n--
				assert.Equal(t, shown[n], resource)
			}
			if path = link(ana, page, "next"); n == 11 { // a change between two pages moves nothing
				ana.Patch("/api/patients/"+id+"/", kit.Object{"name": "Version 26"}).Expect(http.StatusOK)
			}
		}
		assert.Zero(t, n)
		ana.read("Patient/" + id + "/_history?_count=0").Expect(http.StatusBadRequest)
		for _, wrong := range []string{"_history?_cursor=x", "_history?_since=2026", "_history?_sort=name", "_history/1?name=x", "?name=x"} {
			ana.read("Patient/" + id + "/" + wrong).Expect(http.StatusBadRequest)
		}
		page := ana.read("Patient/" + id + "/_history?_count=2&_format=json").Expect(http.StatusOK)
		assert.Contains(t, link(ana, page, "next"), "_count=2&_cursor=")
		assert.Contains(t, link(ana, page, "next"), "_format=json")
		assert.NotContains(t, page.Raw, `\u0026`)
	})
}

// Versions are told by going back from the record as it is, which others may change meanwhile.
func TestAHistoryIsRightWhileOthersWrite(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.patient("Version 1")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := 2; n <= 60; n++ {
				ana.Patch("/api/patients/"+id+"/", kit.Object{"name": fmt.Sprint("Version ", n)})
			}
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			for _, one := range entries(ana.read("Patient/" + id + "/_history?_count=3").Expect(http.StatusOK)) {
				require.Equal(t, fmt.Sprint("Version ", one["meta"].(kit.Object)["versionId"]), one["name"].([]any)[0].(kit.Object)["text"])
			}
		}
	})
}

func TestAnUpdateNamesWhatItChanges(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.patient("Petra")
		body := kit.Merge(named("Petra Berg"), kit.Object{"id": id})
		for _, wrong := range []kit.Object{named("Petra"), kit.Merge(body, kit.Object{"id": "77"}), kit.Merge(body, kit.Object{"id": 1})} {
			assert.Contains(t, issues(ana.do("PUT", "Patient/"+id, wrong).Expect(http.StatusBadRequest)), "Patient.id")
		}
		for _, stale := range []string{`W/"2"`, `"2"`, `"x"`} {
			assert.Equal(t, "conflict", issues(ana.do("PUT", "Patient/"+id, body, "If-Match", stale).Expect(http.StatusPreconditionFailed)), stale)
		}
		ana.do("PUT", "Patient/"+id, body, "If-Match", `"1"`).Expect(http.StatusOK)
		ana.do("PUT", "Patient/"+id, kit.With(body, "gender", "male"), "If-Match", `W/"2"`).Expect(http.StatusOK)

		r := ana.read("Patient/"+id, "If-None-Match", `W/"3"`).Expect(http.StatusNotModified)
		assert.Empty(t, r.Raw)
		ana.read("Patient/"+id, "If-None-Match", `W/"2"`).Expect(http.StatusOK)

		assert.Empty(t, ana.do("PUT", "Patient/"+id, kit.With(body, "gender", "other"), "Prefer", "return=minimal").Expect(http.StatusOK).Raw)
		r = ana.do("PUT", "Patient/"+id, kit.Merge(body, kit.Object{"language": "de", "meta": kit.Object{"source": "urn:x"}}), "Prefer", "handling=lenient; return=OperationOutcome").Expect(http.StatusOK)
		assert.Equal(t, "not-supported Patient.meta.source, not-supported Patient.language", issues(r))
		assert.Equal(t, "informational", issues(ana.do("PUT", "Patient/"+id, body, "Prefer", "return=OperationOutcome").Expect(http.StatusOK)))
		assert.Equal(t, "Patient", ana.do("PUT", "Patient/"+id, body, "Prefer", "return=representation").Expect(http.StatusOK).JSON["resourceType"])

		subset := ana.read("Patient/" + id + "?_elements=gender").Expect(http.StatusOK).JSON
		assert.Nil(t, subset["name"])
		assert.Equal(t, "business-rule Patient.meta.tag[0], required Patient.name", issues(ana.do("PUT", "Patient/"+id, subset).Expect(http.StatusUnprocessableEntity)))
	})
}

// PostgreSQL keeps no U+0000, and of half a pair of surrogates encoding/json makes another character in silence.
func TestATextIsOfCharactersThatBothDatabasesKeep(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.patient("Petra")
		rows := map[string]string{"Patient": id, "CareTeam": id, "Practitioner": ana.doctor("Dr. One")}
		allergies := `"extension":[{"url":"https://healthcare-api.example/fhir/StructureDefinition/allergies","valueString":"`
		for _, wrong := range []struct{ kind, before, after, at string }{
			{"Patient", `"name":[{"text":"`, `"}]`, "name[0].text"},
			{"Patient", `"name":[{"given":["`, `"]}]`, "name[0].given[0]"},
			{"Patient", `"name":[{"text":"A"}],"address":[{"text":"`, `"}]`, "address[0].text"},
			{"Patient", `"name":[{"text":"A"}],` + allergies, `"}]`, "extension[0].valueString"},
			{"Patient", `"name":[{"text":"A"}],"identifier":[{"system":"urn:clinic:file","value":"`, `"}]`, "identifier[0].value"},
			{"Patient", `"name":[{"text":"A"}],"telecom":[{"system":"phone","value":"1`, `"}]`, "telecom[0].value"},
			{"Practitioner", `"name":[{"text":"`, `"}],"qualification":[{"code":{"text":"Eyes"}}]`, "name[0].text"},
			{"Practitioner", `"name":[{"text":"A"}],"qualification":[{"code":{"text":"Eyes"}}],"identifier":[{"system":"https://healthcare-api.example/fhir/sid/license-number","value":"`, `"}]`, "identifier[0].value"},
			{"CareTeam", `"participant":[{"member":{"reference":"Practitioner/1","display":"`, `"}}]`, "participant[0].member.display"},
		} {
			for _, sign := range []string{`\u0000`, `\ud800`, `\uDC00\uD800`} {
				body := `{"resourceType":"` + wrong.kind + `","id":"%s",` + wrong.before + "a" + sign + "b" + wrong.after + "}"
				at := "structure " + wrong.kind + "." + wrong.at
				if wrong.kind != "CareTeam" {
					assert.Contains(t, issueList(ana.do("POST", wrong.kind, fmt.Sprintf(body, "1")).Expect(http.StatusBadRequest)), at, body)
				}
				row := rows[wrong.kind]
				assert.Contains(t, issueList(ana.do("PUT", wrong.kind+"/"+row, fmt.Sprintf(body, row)).Expect(http.StatusBadRequest)), at, body)
			}
		}
		ana.do("PUT", "Patient/"+id, `{"resourceType":"Patient","id":"`+id+`\u0000","name":[{"text":"A"}]}`).Expect(http.StatusBadRequest)
		for _, criterion := range []string{"name=%00", "email=a%00", "identifier=urn:clinic:file|%00", "identifier=%00|1"} {
			ana.do("POST", "Patient", named("A"), "If-None-Exist", criterion).Expect(http.StatusBadRequest)
		}
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients"))
		for _, right := range []string{`\ud83d\ude00`, `\ufffd`, "\uFFFD", `\\u0000`} {
			ana.do("POST", "Patient", `{"resourceType":"Patient","name":[{"text":"a`+right+`b"}]}`).Expect(http.StatusCreated)
		}
	})
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		r := ana.do("POST", "Patient", `{"resourceType":"Patient","name":[{"text":"A"},{"text":"B"}],"gender":"m","birthDate":"2999-01-01","colour":1,"telecom":[{"system":"email","value":"x"}]}`).Expect(http.StatusBadRequest)
		assert.ElementsMatch(t, []string{
			"not-supported Patient.name[1]", "code-invalid Patient.gender", "structure Patient.colour", "business-rule Patient.telecom", "business-rule Patient.birthDate",
		}, issueList(r))
		assert.Equal(t, "required Patient.name", issues(ana.do("POST", "Patient", `{"resourceType":"Patient"}`).Expect(http.StatusUnprocessableEntity)))
		assert.Equal(t, "business-rule Patient.birthDate", issues(ana.do("POST", "Patient", kit.With(named("A"), "birthDate", "2999-01-01")).Expect(http.StatusUnprocessableEntity)))
		assert.Equal(t, "value Patient.birthDate", issues(ana.do("POST", "Patient", kit.With(named("A"), "birthDate", "1958-02-30")).Expect(http.StatusBadRequest)))
		for _, kind := range []string{"Patient", "Practitioner"} {
			for _, wrong := range []string{`{"name":[{"text":"A"}]}`, `{"resourceType":"Device","gender":"m","colour":1}`, `{"resourceType":7,"birthDate":null}`} {
				assert.Equal(t, "invalid", issues(ana.do("POST", kind, wrong).Expect(http.StatusBadRequest)), wrong)
			}
		}
		one := kit.With(named("A"), "identifier", []any{kit.Object{"system": "urn:clinic:file", "value": "1"}})
		ana.do("POST", "Patient", one).Expect(http.StatusCreated)
		assert.Equal(t, "duplicate Patient.identifier", issues(ana.do("POST", "Patient", one).Expect(http.StatusUnprocessableEntity)))
		assert.Equal(t, "structure", issues(ana.do("POST", "Patient", `{"resourceType":`).Expect(http.StatusBadRequest)))
		ana.do("POST", "Patient", `<Patient xmlns="http://hl7.org/fhir"/>`, "Content-Type", "application/fhir+xml").Expect(http.StatusUnsupportedMediaType)
		ana.do("POST", "Patient", one, "Content-Type", "application/fhir+json; fhirVersion=5.0").Expect(http.StatusUnsupportedMediaType)
		assert.Len(t, idsOf(ana.read("Patient")), 1)
	})
}

func TestTheVersionByWhichAPatientWasMergedAwayIsGone(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := user(api, "ana"), staff(api, "boss")
		id, into := ana.patient("Petra"), ana.patient("Petra")
		boss.Post(kit.Path("patients", number(id), "merge"), kit.Object{"into": number(into)}).Expect(http.StatusOK)
		boss.read("Patient/" + id + "/_history/1").Expect(http.StatusOK)
		boss.read("Patient/" + id + "/_history/2").Expect(http.StatusGone)
		boss.Post(kit.Path("patients", number(id), "unmerge"), nil).Expect(http.StatusOK)
		ana.read("Patient/" + id + "/_history/2").Expect(http.StatusGone)
		ana.read("Patient/" + id + "/_history/3").Expect(http.StatusOK)
	})
}
