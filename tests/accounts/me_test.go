package accounts

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestAnAccountChangesItsEmailAndNames(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		before := c.Get(kit.MePath).Expect(http.StatusOK).JSON
		changes := kit.Object{"email": " New@example.org ", "first_name": "Ana", "last_name": "Öz"}
		after := kit.With(before, "email", "New@example.org", "first_name", "Ana", "last_name", "Öz")
		assert.Equal(t, after, c.Patch(kit.MePath, changes).Expect(http.StatusOK).JSON)
		assert.Equal(t, after, c.Get(kit.MePath).Expect(http.StatusOK).JSON)
		assert.Equal(t, after, c.Login().JSON["user"])

		assert.Equal(t, kit.With(after, "first_name", ""), c.Patch(kit.MePath, kit.Object{"first_name": nil}).Expect(http.StatusOK).JSON)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users WHERE email = 'New@example.org' AND email_key = 'new@example.org' AND first_name = '' AND last_name = 'Öz'"))
		api.Nobody().Post(kit.LoginPath, kit.Object{"username": "new@example.org", "password": kit.Password}).Expect(http.StatusOK)
		api.Nobody().Post(kit.LoginPath, kit.Object{"username": "ana@example.org", "password": kit.Password}).Expect(http.StatusUnauthorized)
	})
}

func TestReadOnlyFieldsOfAnAccountAreIgnored(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		before, stored := c.Get(kit.MePath).JSON, api.Contents()
		assert.Equal(t, before, c.Patch(kit.MePath, before).Expect(http.StatusOK).JSON)
		r := c.Patch(kit.MePath, kit.Object{"id": 9, "username": "root", "is_staff": true, "is_active": false, "created_at": "x"}).Expect(http.StatusOK)
		assert.Equal(t, before, r.JSON)
		assert.Equal(t, stored, api.Contents()) // updated_at included
	})
}

func TestWrongFieldsOfAnAccountAreRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("eve")
		c := api.User("ana")
		before := api.Contents()
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
			r := c.Patch(kit.MePath, kit.With(kit.Object{"first_name": "Changed"}, wrong.field, wrong.value))
			assert.Equal(t, http.StatusBadRequest, r.Status, wrong)
			assert.Contains(t, r.Error(wrong.field), wrong.says, wrong)
		}
		assert.Equal(t, before, api.Contents())
		c.Patch(kit.MePath, kit.Object{"email": "ANA@example.org"}).Expect(http.StatusOK) // one's own, spelt anew
	})
}
