package tests

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAnAccountChangesItsEmailAndNames(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		c := api.User("ana")
		before := c.Get(me).Expect(http.StatusOK).JSON
		changes := object{"email": " New@example.org ", "first_name": "Ana", "last_name": "Öz"}
		after := with(before, "email", "New@example.org", "first_name", "Ana", "last_name", "Öz")
		assert.Equal(t, after, c.Patch(me, changes).Expect(http.StatusOK).JSON)
		assert.Equal(t, after, c.Get(me).Expect(http.StatusOK).JSON)
		assert.Equal(t, after, c.Login().JSON["user"])

		assert.Equal(t, with(after, "first_name", ""), c.Patch(me, object{"first_name": nil}).Expect(http.StatusOK).JSON)
		assert.Equal(t, 1, api.count("SELECT count(*) FROM users WHERE email = 'New@example.org' AND email_key = 'new@example.org' AND first_name = '' AND last_name = 'Öz'"))
		api.Nobody().Post(login, object{"username": "new@example.org", "password": password}).Expect(http.StatusOK)
		api.Nobody().Post(login, object{"username": "ana@example.org", "password": password}).Expect(http.StatusUnauthorized)
	})
}

func TestReadOnlyFieldsOfAnAccountAreIgnored(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		c := api.User("ana")
		before, stored := c.Get(me).JSON, api.contents()
		assert.Equal(t, before, c.Patch(me, before).Expect(http.StatusOK).JSON)
		r := c.Patch(me, object{"id": 9, "username": "root", "is_staff": true, "is_active": false, "created_at": "x"}).Expect(http.StatusOK)
		assert.Equal(t, before, r.JSON)
		assert.Equal(t, stored, api.contents()) // updated_at included
	})
}

func TestWrongFieldsOfAnAccountAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("eve")
		c := api.User("ana")
		before := api.contents()
		for _, wrong := range []struct {
			field string
			value any
			says  string
		}{
			{"email", nil, "may not be null"},
			{"email", " ", "may not be blank"},
			{"email", "ana", "valid email"},
			{"email", 5, "Not a valid string"},
			{"email", "EVE@example.org", "already exists"},
			{"first_name", strings.Repeat("x", 151), "no more than 150"},
			{"last_name", []int{1}, "Not a valid string"},
			{"last_name", "a\x00b", "Null characters"},
			{"password", "new password here", "no such field"},
			{"password_hash", "x", "no such field"},
			{"Email", "ana@example.com", "no such field"},
		} {
			r := c.Patch(me, with(object{"first_name": "Changed"}, wrong.field, wrong.value))
			assert.Equal(t, http.StatusBadRequest, r.Status, wrong)
			assert.Contains(t, r.Error(wrong.field), wrong.says, wrong)
		}
		assert.Equal(t, before, api.contents())
		c.Patch(me, object{"email": "ANA@example.org"}).Expect(http.StatusOK) // one's own, spelt anew
	})
}
