package accounts

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestLoginTakesTheUsernameOrTheEmail(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		user := api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", "Müller")).Expect(http.StatusCreated).JSON["user"]
		for _, name := range []string{"Müller", "MÜLLER", " müller ", "mu\u0308ller", "ana@example.org", "Ana@EXAMPLE.org"} {
			r := api.Nobody().Post(kit.LoginPath, kit.Object{"username": name, "password": kit.Password})
			if !assert.Equal(t, http.StatusOK, r.Status, name) {
				continue
			}
			assert.Equal(t, user, r.JSON["user"])
			assert.Equal(t, "Bearer", r.JSON["token_type"])
			assert.Equal(t, 900.0, r.JSON["expires_in"])
			kit.Absent(t, r.Raw, kit.Password, "argon2")
			c := api.Nobody()
			c.Token = r.JSON["access"].(string)
			assert.Equal(t, user, c.Get(kit.MePath).Expect(http.StatusOK).JSON)
		}
	})
}

func TestARefusedLoginDoesNotTellWhy(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.User("gone")
		api.Exec("UPDATE users SET is_active = false WHERE username = 'gone'")
		before := api.Contents()
		for _, c := range []kit.Object{
			{"username": "ana", "password": "wrong password"},
			{"username": "ana", "password": kit.Password + "\n"},
			{"username": "ana@example.org", "password": "wrong password"},
			{"username": "nobody", "password": kit.Password},
			{"username": "nobody@example.org", "password": kit.Password},
			{"username": "gone", "password": kit.Password},
			{"username": "gone", "password": "wrong password"},
			{"username": "' OR 1=1 --", "password": kit.Password},
			{"username": "%", "password": kit.Password},
		} {
			r := api.Nobody().Post(kit.LoginPath, c).Expect(http.StatusUnauthorized)
			delete(r.JSON, "request_id")
			assert.Equal(t, kit.Object{
				"type": "about:blank", "title": "Unauthorized", "status": 401.0, "code": "no_active_account",
				"detail": "No active account found with the given credentials",
			}, r.JSON, c)
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestLoginNamesItsWrongFields(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, c := range []struct {
			body   kit.Object
			fields []string
		}{
			{kit.Object{}, []string{"password", "username"}},
			{kit.Object{"username": "ana"}, []string{"password"}},
			{kit.Object{"password": kit.Password}, []string{"username"}},
			{kit.Object{"username": "", "password": ""}, []string{"password", "username"}},
			{kit.Object{"username": nil, "password": 5}, []string{"password", "username"}},
			{kit.Object{"username": "ana", "password": kit.Password, "email": "ana@example.org"}, []string{"email"}},
		} {
			r := api.Nobody().Post(kit.LoginPath, c.body).Expect(http.StatusBadRequest)
			assert.Equal(t, c.fields, kit.Keys(r.JSON["errors"].(kit.Object)), c.body)
			kit.Absent(t, r.Raw, "access", kit.Password)
		}
	})
}

func TestTokensOfOneInstanceAreGoodAtAnother(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		user := api.User("ana")
		user.At(kit.Start(t, api.Config)).Get(kit.MePath).Expect(http.StatusOK)
		cfg := *api.Config
		cfg.JWTSecret = "another-secret-of-another-clinic-9876543210"
		user.At(kit.Start(t, &cfg)).Get(kit.MePath).Expect(http.StatusUnauthorized)
	})
}
