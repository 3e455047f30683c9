package tests

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
	"healthcare/tests/kit"
)

func TestAReportTellsAllThatIsKnownOfAPatient(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss, ben := kit.EveryTable(api), api.Staff("boss"), api.User("ben")
		other := ana.Patient("Other")
		mapping := ana.Get("/api/mappings/").Results()[0]
		id := mapping["patient_id"]
		path := kit.Path("patients", id)
		ana.Patch(path, kit.Object{"allergies": "Nuts"}).Expect(http.StatusOK)
		ana.Delete(kit.Path("mappings", mapping["id"])).Expect(http.StatusNoContent)
		boss.Get(path).Expect(http.StatusOK)
		boss.Get("/api/patients/").Expect(http.StatusOK)
		ben.Get(path).Expect(http.StatusNotFound)

		ben.Get(path + "export/").Expect(http.StatusNotFound)
		api.Nobody().Get(path + "export/").Expect(http.StatusUnauthorized)
		ana.Get(path + "export/?format=csv").Expect(http.StatusBadRequest)
		r := ana.Get(path + "export/").Expect(http.StatusOK)
		assert.Equal(t, ana.Get(path).JSON, r.JSON["patient"])
		assert.Equal(t, ana.Get(path + "history/").JSON["results"], r.JSON["history"])
		former := r.JSON["assignments"].([]any)
		require.Len(t, former, 1)
		assert.Equal(t, "Dora", former[0].(kit.Object)["doctor"].(kit.Object)["name"])
		assert.NotNil(t, former[0].(kit.Object)["removed_at"])
		var seen []string
		for _, row := range r.JSON["seen_by"].([]any) {
			access := row.(kit.Object)
			seen = append(seen, access["by"].(kit.Object)["username"].(string)+" "+access["action"].(string))
		}
		assert.Equal(t, []string{"ana export", "boss list", "boss read", "ana list"}, seen)

		assert.Empty(t, r.JSON["merged"])
		boss.Post(kit.Path("patients", other, "merge"), kit.Object{"into": id}).Expect(http.StatusOK)
		r = ana.Get(path + "export/").Expect(http.StatusOK)
		assert.Equal(t, "Other", r.JSON["merged"].([]any)[0].(kit.Object)["name"])
		assert.Equal(t, ana.Get(path + "history/?page_size=100").JSON["results"], r.JSON["history"])
		assert.Contains(t, ana.Get(path+"export/?format=html").Expect(http.StatusOK).Raw, "which was merged into it")
		ana.Delete(path).Expect(http.StatusNoContent)
		ana.Get(path + "export/").Expect(http.StatusNotFound)
		assert.NotNil(t, boss.Get(path + "export/").Expect(http.StatusOK).JSON["deleted_at"])
	})
}

func TestAReportEndsWhenTheRightToSeeThePatientDoes(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ben := api.Staff("boss"), api.User("ben")
		losesIt := map[string]func(ana *kit.Client, patient int){
			"handed over": func(_ *kit.Client, patient int) {
				boss.Patch(kit.Path("patients", patient), kit.Object{"created_by": ben.ID}).Expect(http.StatusOK)
			},
			"disabled": func(ana *kit.Client, _ int) {
				boss.Patch(ana.AccountPath(), kit.Object{"is_active": false}).Expect(http.StatusOK)
			},
		}
		for name, lose := range losesIt {
			ana := api.User(strings.ReplaceAll(name, " ", "-"))
			patient := ana.Patient("Petra")
			by := models.Actor{User: models.User{ID: int64(ana.ID)}, SessionID: int64(api.Count("SELECT max(id) FROM sessions"))}
			report, err := api.DB.PatientReport(t.Context(), by, int64(patient))
			require.NoError(t, err)
			lose(ana, patient)
			assert.Empty(t, slices.Collect(report.History), name)
			assert.Error(t, report.Err(), name)
		}
	})
}

func TestAReportCanBePrinted(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		path := kit.Path("patients", ana.Patient("<script>alert(1)</script>"), "export")
		r := ana.Do("GET", path, nil, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8").Expect(http.StatusOK)
		assert.Equal(t, r.Header.Get("Content-Type"), ana.Get(path+"?format=html").Expect(http.StatusOK).Header.Get("Content-Type"))
		assert.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
		assert.Contains(t, r.Header.Get("Content-Disposition"), ".html")
		kit.Absent(t, r.Raw, "<script")
		assert.Contains(t, r.Raw, "&lt;script&gt;alert(1)")
		assert.Contains(t, r.Raw, "</html>")
		_, style, _ := strings.Cut(r.Raw, "<style>")
		style, _, _ = strings.Cut(style, "</style>")
		sum := sha256.Sum256([]byte(style))
		assert.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		assert.Nil(t, r.JSON)
		assert.NotNil(t, ana.Do("GET", path, nil, "Accept", "*/*").Expect(http.StatusOK).JSON)
	})
}
