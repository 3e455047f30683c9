package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAPatientIsSeenByItsCreatorOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana, eve := api.User("ana"), api.User("eve")
		p := ana.Post("/api/patients/", map[string]any{"name": "Jürgen"}).Expect(http.StatusCreated)
		path := "/api/patients/1/"
		assert.Equal(t, p.JSON, ana.Get(path).Expect(http.StatusOK).JSON)
		assert.Equal(t, http.StatusNotFound, eve.Get(path).Status)
		assert.Empty(t, eve.Get("/api/patients/").Results())
		assert.Equal(t, http.StatusUnauthorized, api.Nobody().Get(path).Status)
	})
}
