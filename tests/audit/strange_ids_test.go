package audit

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// SQLite stores any text in a column; one that is no list of ids must not stop the sealer.
func TestAnEventWithAnEmptyListOfPatientsStopsNothing(t *testing.T) {
	api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
	api.User("ana").Patient("Petra")
	api.Seal()
	api.Exec("INSERT INTO events (" + eventColumns + ") SELECT at, user_id, action, object, object_id, patient_id, '', changes, address, outcome, request_id FROM events")
	api.User("ben").Patient("Olga")
	api.Seal()
	assert.Equal(t, 2, api.Count("SELECT count(*) FROM seals"))
	_, err := api.VerifyAudit()
	assert.NoError(t, err)
}
