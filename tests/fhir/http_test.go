package fhir

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

func number(id string) int {
	n, _ := strconv.Atoi(id)
	return n
}

func TestEveryErrorBelowFHIRIsAnOperationOutcome(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.patient("Petra")
		for _, wrong := range []struct {
			method, path string
			status       int
			code         string
		}{
			{"GET", "Observation", 404, "not-found"}, {"GET", "Patient/" + id + "/x", 404, "not-found"}, {"GET", "Observation/1", 404, "not-found"},
			{"PATCH", "Patient/" + id, 405, "not-supported"}, {"DELETE", "metadata", 405, "not-supported"}, {"POST", "Patient/" + id, 405, "not-supported"},
			{"PUT", "Patient?name=a", 400, "not-supported"}, {"DELETE", "Patient?name=a", 400, "not-supported"}, {"DELETE", "AuditEvent/1", 405, "not-supported"},
		} {
			r := ana.do(wrong.method, wrong.path, nil).Expect(wrong.status)
			assert.Equal(t, wrong.code, issues(r), "%s %s", wrong.method, wrong.path)
			assert.Equal(t, wrong.status == 405, r.Header.Get("Allow") != "", "%s %s", wrong.method, wrong.path)
		}
		batch := ana.Do("POST", "/fhir", kit.Object{"resourceType": "Bundle", "type": "batch"}).Expect(http.StatusBadRequest)
		assert.Equal(t, "not-supported", issues(batch))
		r := ana.do("POST", "Patient", strings.Repeat(" ", 3<<20)).Expect(http.StatusRequestEntityTooLarge)
		assert.Equal(t, "too-long", issues(r))
	})
}

func TestTheFormOfAnAnswerIsAgreed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.patient("Petra")
		for _, right := range []string{
			"application/fhir+json", "application/json", "*/*", "application/xml;q=0.9, application/fhir+json;q=0.1", "application/fhir+json; fhirVersion=4.0", "application/*", "",
		} {
			r := ana.read("Patient/"+id, "Accept", right).Expect(http.StatusOK)
			assert.Equal(t, "application/fhir+json; charset=utf-8", r.Header.Get("Content-Type"))
		}
		for _, wrong := range []string{"application/fhir+xml", "text/html", "application/fhir+json; fhirVersion=5.0", "application/json;q=0"} {
			ana.read("Patient/"+id, "Accept", wrong).Expect(http.StatusNotAcceptable)
			ana.read("metadata", "Accept", wrong).Expect(http.StatusNotAcceptable)
		}
		for _, right := range []string{"json", "application/fhir%2Bjson", "application/fhir+json"} {
			ana.read("Patient/"+id+"?_format="+right, "Accept", "application/fhir+xml").Expect(http.StatusOK)
		}
		ana.do("POST", "Patient/_search", "_format=xml", "Content-Type", "application/x-www-form-urlencoded").Expect(http.StatusNotAcceptable)
		ana.read("Patient/"+id+"?_format=xml", "Accept", "application/json").Expect(http.StatusNotAcceptable)
	})
}

func TestASearchThatTheDatabaseDoesNotAnswerIsToBeTriedAgain(t *testing.T) {
	kit.NeedPostgres(t)
	cfg := kit.BaseConfig(kit.FreshPostgres(t))
	cfg.RequestTimeout = 300 * time.Millisecond
	api := kit.Start(t, cfg)
	ana := user(api, "ana")
	tx, err := api.SQL().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE patients, doctors")
	require.NoError(t, err)
	for _, path := range []string{"Patient", "CareTeam", "Practitioner", "Patient?_total=none"} {
		assert.NotEmpty(t, ana.read(path).Expect(http.StatusServiceUnavailable).Header.Get("Retry-After"), path)
	}
}

// Whoever reads below /fhir is audited as below /api, and staff read so in FHIR.
func TestTheTrailIsReadAsAuditEvents(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := user(api, "ana"), staff(api, "boss")
		id, other := ana.patient("Petra"), ana.patient("Olga")
		doctor := ana.doctor("Dr. One")
		ana.read("Patient/" + id).Expect(http.StatusOK)
		ana.read("Patient?name=petra").Expect(http.StatusOK)
		ana.read("Patient/" + id + "/_history").Expect(http.StatusOK)
		ana.read("Patient/" + id + "/_history/1").Expect(http.StatusOK)
		ana.do("PUT", "CareTeam/"+id, withMembers(id, doctor)).Expect(http.StatusOK)
		ana.read("CareTeam/" + id).Expect(http.StatusOK)
		ana.do("POST", "Patient", named("x"), "If-None-Exist", "name=olga").Expect(http.StatusOK)
		ana.do("DELETE", "Patient/"+other, nil).Expect(http.StatusNoContent)

		actions := func(query string) string {
			var all []string
			for _, e := range entries(boss.read("AuditEvent?_count=100&" + query).Expect(http.StatusOK)) {
				all = append([]string{e["action"].(string)}, all...)
			}
			return strings.Join(all, "")
		}
		assert.Equal(t, "CRRRRCR", actions("patient="+id))
		assert.Equal(t, "CRD", actions("patient=Patient/"+other))
		assert.Equal(t, "D", actions("patient="+other+"&action=D"))
		assert.Equal(t, "CD", actions("patient="+other+"&action=C,D"))
		assert.Equal(t, "", actions("patient="+other+"&action=E"))
		assert.Equal(t, "CRD", actions(fmt.Sprint("patient=", other, "&agent=", ana.ID, "&date=ge2020-01-01&date=lt2999")))
		assert.Empty(t, actions(fmt.Sprint("patient=", other, "&agent=", boss.ID)))
		assert.Empty(t, actions("date=lt2020"))
		assert.Equal(t, "RRRRC"+"R", actions("patient=" + id)[1:])
		ana.read("Patient/" + other).Expect(http.StatusGone)
		assert.Equal(t, "CRDR", actions("patient="+other), "who asks for what is gone is noted once")
		boss.read("AuditEvent?action=X").Expect(http.StatusBadRequest)
		boss.read("AuditEvent?date=x").Expect(http.StatusBadRequest)
		boss.read("AuditEvent?entity=x").Expect(http.StatusBadRequest)

		all := boss.read("AuditEvent?_count=100&_total=accurate").Expect(http.StatusOK)
		assert.EqualValues(t, len(entries(all)), all.JSON["total"])
		seen := 0
		for path := "AuditEvent?_count=3&date=ge2020"; path != ""; {
			page := boss.read(path).Expect(http.StatusOK)
			assert.NotContains(t, page.JSON, "total")
			seen += len(entries(page))
			path = link(boss, page, "next")
		}
		assert.Equal(t, len(entries(all)), seen)
		first := entries(all)[0]
		assert.Equal(t, first, boss.read("AuditEvent/"+first["id"].(string)).Expect(http.StatusOK).JSON)
		boss.read("AuditEvent/4711000").Expect(http.StatusNotFound)
		for query, want := range map[string]int{"_id=" + first["id"].(string): 1, fmt.Sprint("altid=", boss.ID, "&_count=100"): 0, fmt.Sprint("agent=", boss.ID): 0} {
			assert.Len(t, entries(boss.read("AuditEvent?"+query).Expect(http.StatusOK)), want, query)
		}
		assert.EqualValues(t, len(entries(all)), boss.read("AuditEvent?_count=0").Expect(http.StatusOK).JSON["total"])
		summary := entries(boss.read("AuditEvent?_summary=true&_count=1").Expect(http.StatusOK))[0]
		assert.NotNil(t, summary["agent"], "which each AuditEvent must have")
		assert.NotContains(t, all.Raw, "Petra", "the trail has no names of patients")
	})
}

func TestAFHIRCreateMayBeSentTwice(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		first := ana.do("POST", "Patient", named("Petra"), "Idempotency-Key", "a").Expect(http.StatusCreated)
		again := ana.do("POST", "Patient", named("Petra"), "Idempotency-Key", "a").Expect(http.StatusCreated)
		assert.Equal(t, []string{"", "true"}, []string{first.Header.Get("Idempotent-Replayed"), again.Header.Get("Idempotent-Replayed")})
		assert.Equal(t, first.JSON, again.JSON)
		ana.do("POST", "Patient", named("Olga"), "Idempotency-Key", "a").Expect(http.StatusUnprocessableEntity)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients"))
	})
}

func TestAnAccountsRateIsOneForBoth(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		answers := kit.AtOnce(12, func(i int) *kit.Response {
			if i%2 == 0 {
				return ana.read("Patient")
			}
			return ana.Get("/api/patients/")
		})
		tally := kit.Tally(answers)
		assert.Equal(t, map[int]int{http.StatusOK: 10, http.StatusTooManyRequests: 2}, tally)
		for i, a := range answers {
			if i%2 == 0 && a.Status == http.StatusTooManyRequests {
				require.Equal(t, "throttled", issues(a))
			}
		}
	}, func(cfg *config.Config) { cfg.AccountRateLimit = 10 })
}

func TestNoNameOfAPatientIsLogged(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.do("POST", "Patient", named("Petronella"), "If-None-Exist", "name=Petronella").Expect(http.StatusCreated).JSON["id"].(string)
		ana.read("Patient?name=Petronella").Expect(http.StatusOK)
		ana.read("Patient?nme=Petronella").Expect(http.StatusBadRequest)
		ana.do("PUT", "Patient/"+id, kit.With(named("Petronella"), "id", id)).Expect(http.StatusOK)
		ana.do("POST", "Patient", `{"resourceType":"Patient","Petronella":1}`).Expect(http.StatusBadRequest)
		kit.Absent(t, api.Log.String(), "Petronella")
	})
}
