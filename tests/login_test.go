package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLoginTakesTheUsernameOrTheEmail(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		user := api.Nobody().Post(register, with(somebody, "username", "Müller")).Expect(http.StatusCreated).JSON["user"]
		for _, name := range []string{"Müller", "MÜLLER", " müller ", "mu\u0308ller", "ana@example.org", "Ana@EXAMPLE.org"} {
			r := api.Nobody().Post(login, object{"username": name, "password": password})
			if !assert.Equal(t, http.StatusOK, r.Status, name) {
				continue
			}
			assert.Equal(t, user, r.JSON["user"])
			assert.Equal(t, "Bearer", r.JSON["token_type"])
			assert.Equal(t, 900.0, r.JSON["expires_in"])
			absent(t, r.Raw, password, "argon2")
			c := api.Nobody()
			c.Token = r.JSON["access"].(string)
			assert.Equal(t, user, c.Get(me).Expect(http.StatusOK).JSON)
		}
	})
}

func TestARefusedLoginDoesNotTellWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.User("gone")
		api.exec("UPDATE users SET is_active = false WHERE username = 'gone'")
		before := api.contents()
		for _, c := range []object{
			{"username": "ana", "password": "wrong password"},
			{"username": "ana", "password": password + "\n"},
			{"username": "ana@example.org", "password": "wrong password"},
			{"username": "nobody", "password": password},
			{"username": "nobody@example.org", "password": password},
			{"username": "gone", "password": password},
			{"username": "gone", "password": "wrong password"},
			{"username": "' OR 1=1 --", "password": password},
			{"username": "%", "password": password},
		} {
			r := api.Nobody().Post(login, c).Expect(http.StatusUnauthorized)
			delete(r.JSON, "request_id")
			assert.Equal(t, object{
				"type": "about:blank", "title": "Unauthorized", "status": 401.0, "code": "no_active_account",
				"detail": "No active account found with the given credentials",
			}, r.JSON, c)
		}
		assert.Equal(t, before, api.contents())
	})
}

func TestLoginNamesItsWrongFields(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		for _, c := range []struct {
			body   object
			fields []string
		}{
			{object{}, []string{"password", "username"}},
			{object{"username": "ana"}, []string{"password"}},
			{object{"password": password}, []string{"username"}},
			{object{"username": "", "password": ""}, []string{"password", "username"}},
			{object{"username": nil, "password": 5}, []string{"password", "username"}},
			{object{"username": "ana", "password": password, "email": "ana@example.org"}, []string{"email"}},
		} {
			r := api.Nobody().Post(login, c.body).Expect(http.StatusBadRequest)
			assert.Equal(t, c.fields, keysOf(r.JSON["errors"].(object)), c.body)
			absent(t, r.Raw, "access", password)
		}
	})
}

func TestTokensOfOneInstanceAreGoodAtAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		user := api.User("ana")
		user.At(start(t, api.Config)).Get(me).Expect(http.StatusOK)
		cfg := *api.Config
		cfg.JWTSecret = "another-secret-of-another-clinic-9876543210"
		user.At(start(t, &cfg)).Get(me).Expect(http.StatusUnauthorized)
	})
}
