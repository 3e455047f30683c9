package tests

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

// tell walks through what one does with records, and spells every answer but for times and the ids of events, which depend
// on when the events of reads are stored.
func tell(t *testing.T, api *kit.API) []string {
	var told []string
	times := regexp.MustCompile(`"id":[0-9]+,"at"|"20[0-9-]+T[0-9:.]+Z"|"request_id":"[^"]*"|http://[0-9.:]+`)
	step := func(r *kit.Response) *kit.Response {
		told = append(told, fmt.Sprint(r.Status, " ", r.Header.Get("ETag"), " ", times.ReplaceAllString(r.Raw, "…")))
		return r
	}
	ana, bob, staff := api.User("ana"), api.User("bob"), api.Staff("boss")
	full := kit.Records[0].Full
	patient := kit.Path("patients", step(ana.Post("/api/patients/", full)).ID())
	doctor := kit.Path("doctors", step(ana.Post("/api/doctors/", kit.Records[1].Full)).ID())
	step(ana.Post("/api/doctors/", kit.Records[1].Full)) // the licence number is taken
	step(ana.Post("/api/patients/", full))               // the identifier is taken
	step(ana.Once("/api/patients/", known("Paul", insurer, "7"), "key"))
	step(ana.Once("/api/patients/", known("Paul", insurer, "7"), "key"))
	step(ana.Patch(patient, kit.Object{"phone": "1", "email": "wrong"}))
	step(ana.Patch(patient, kit.Object{"phone": "1"}))
	step(ana.Patch(patient, kit.Object{"phone": "1"}))
	step(ana.Do("PATCH", patient, kit.Object{"phone": "2"}, "If-Match", `"1"`))
	step(bob.Get(patient))
	step(bob.Patch(doctor, kit.Object{"phone": "2"}))
	step(ana.Assign(1, 1))
	step(ana.Assign(1, 1))
	step(ana.Get("/api/mappings/1/"))
	step(staff.Patch(patient, kit.Object{"created_by": bob.ID}))
	step(bob.Get("/api/mappings/"))
	step(bob.Delete(patient))
	step(bob.Get(patient))
	step(staff.Post(patient+"restore/", nil))
	step(bob.Get("/api/mappings/1/"))
	step(bob.Get("/api/patients/?search=" + full["name"].(string)[:3] + "&ordering=name&cursor="))
	step(staff.Get(patient + "history/"))
	step(staff.Get("/api/audit/?patient_id=1&page_size=100"))
	return told
}

func TestWithoutThePluginTheAnswersAreTheSame(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		fresh := kit.FreshSQLite
		if api.IsPostgres() {
			fresh = kit.FreshPostgres
		}
		cfg := kit.BaseConfig(fresh(t))
		cfg.StockGORM = true
		stock := kit.Start(t, cfg)
		assert.Equal(t, tell(t, api), tell(t, stock))
		require.NoError(t, stock.DB.SealAll(t.Context()))
		for _, query := range []string{"SELECT count(*) FROM events", "SELECT count(*) FROM patients", "SELECT count(*) FROM mappings"} {
			assert.Equal(t, api.Count(query), stock.Count(query), query)
		}
		_, err := stock.DB.VerifyAudit(t.Context(), "", func(int64, int64) {})
		assert.NoError(t, err)
	}, func(cfg *config.Config) { cfg.StockGORM = false })
}

func TestARowIsNotChangedWithoutItsEvent(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		c.Patient("Ann")
		before := api.Contents()
		for name, change := range map[string]func(tx *models.Tx) error{
			"create": func(tx *models.Tx) error { return tx.Create(&models.Patient{CreatedBy: int64(c.ID)}).Error },
			"update": func(tx *models.Tx) error {
				return tx.Model(&models.Patient{}).Where("id = 1").Update("name", "Eve").Error
			},
			"columns": func(tx *models.Tx) error {
				return tx.Model(&models.Patient{}).Where("id = 1").UpdateColumn("name", "Eve").Error
			},
			"hidden and shown": func(tx *models.Tx) error {
				return tx.Model(&models.Patient{}).Where("id = 1").UpdateColumns(map[string]any{"name_key": "eve", "name": "Eve"}).Error
			},
			"undelete": func(tx *models.Tx) error {
				return tx.Unscoped().Model(&models.Mapping{}).Where("id = 1").UpdateColumn("deleted_at", nil).Error
			},
			"delete": func(tx *models.Tx) error { return tx.Where("id = 1").Delete(&models.Patient{}).Error },
		} {
			err := api.DB.Write(t.Context(), models.Actor{}, change)
			assert.ErrorContains(t, err, "must store its event", name)
		}
		assert.Equal(t, before, api.Contents())
	})
}
