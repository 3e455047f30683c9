package audit

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// failCommits makes every transaction that stores an event fail when it commits.
func failCommits(api *kit.API) (repair func()) {
	api.T.Helper()
	if api.IsPostgres() {
		api.Exec("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
		api.Exec("CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()")
		return func() { api.Exec("DROP TRIGGER refuse ON events") }
	}
	api.Exec("CREATE TABLE refused (id integer REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)")
	api.Exec("CREATE TRIGGER refuse AFTER INSERT ON events BEGIN INSERT INTO refused VALUES (-1); END")
	return func() { api.Exec("DROP TRIGGER refuse") }
}

func TestReadsWaitInMemoryWhileTheAuditTrailCannotBeWritten(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p := ana.Patient("Ana")
		repair := failCommits(api)
		for range 3 {
			ana.Get(kit.Path("patients", p)).Expect(http.StatusOK)
		}
		boss.Get(kit.Path("audit")).Expect(http.StatusInternalServerError) // it wants to store them first
		ana.Patch(kit.Path("patients", p), kit.Object{"name": "X"}).Expect(http.StatusInternalServerError)
		repair()
		ana.Patient("takes the next id")
		ana.Patient("and one more")
		assert.ElementsMatch(t, []string{
			"ana create patient 1 [1] ok", "ana read patient 1 [1] ok", "ana read patient 1 [1] ok", "ana read patient 1 [1] ok",
			"ana update patient 1 [1] error", "ana create patient 2 [2] ok", "ana create patient 3 [3] ok",
		}, trail(boss, ""))
	})
}
