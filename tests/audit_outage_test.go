package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// failCommits makes every transaction that stores an event fail when it commits.
func (api *API) failCommits() (repair func()) {
	api.t.Helper()
	if api.isPostgres() {
		api.exec("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
		api.exec("CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()")
		return func() { api.exec("DROP TRIGGER refuse ON events") }
	}
	api.exec("CREATE TABLE refused (id integer REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)")
	api.exec("CREATE TRIGGER refuse AFTER INSERT ON events BEGIN INSERT INTO refused VALUES (-1); END")
	return func() { api.exec("DROP TRIGGER refuse") }
}

func TestReadsWaitInMemoryWhileTheAuditTrailCannotBeWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p := ana.newPatient("Ana")
		repair := api.failCommits()
		for range 3 {
			ana.Get(at("patients", p)).Expect(http.StatusOK)
		}
		boss.Get(at("audit")).Expect(http.StatusInternalServerError) // it wants to store them first
		ana.Patch(at("patients", p), fields{"name": "X"}).Expect(http.StatusInternalServerError)
		repair()
		ana.newPatient("takes the next id")
		ana.newPatient("and one more")
		assert.ElementsMatch(t, []string{
			"ana create patient 1 [1] ok", "ana read patient 1 [1] ok", "ana read patient 1 [1] ok", "ana read patient 1 [1] ok",
			"ana update patient 1 [1] error", "ana create patient 2 [2] ok", "ana create patient 3 [3] ok",
		}, boss.trail(""))
	})
}
