package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

func TestRegisteringOpensAnAccount(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		body := kit.With(kit.Somebody, "username", "  ana ", "id", 77, "is_staff", true, "is_active", false, "created_at", "2001-01-01T00:00:00Z")
		r := api.Nobody().Post(kit.RegisterPath, body).Expect(http.StatusCreated)
		assert.Equal(t, []string{"message", "user"}, kit.Keys(r.JSON))
		user := r.JSON["user"].(kit.Object)
		assert.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`, user["created_at"])
		assert.Equal(t, kit.Object{
			"id": 1.0, "username": "ana", "email": "ana@example.org", "first_name": "Ana", "last_name": "Öz",
			"is_staff": false, "is_active": true, "created_at": user["created_at"],
		}, user)
		kit.Absent(t, r.Raw, kit.Password, "argon2")

		var hash string
		require.NoError(t, api.SQL().QueryRow("SELECT password_hash FROM users WHERE username = 'ana' AND is_active AND NOT is_staff").Scan(&hash))
		assert.True(t, strings.HasPrefix(hash, "$argon2id$v=19$"), hash)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users"))
		assert.Equal(t, user, api.Nobody().Post(kit.LoginPath, kit.Object{"username": "ana", "password": kit.Password}).Expect(http.StatusOK).JSON["user"])
	})
}

func TestARegistrationNeedsNoNames(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		r := api.Nobody().Post(kit.RegisterPath, kit.Object{"username": "ana", "email": "ana@example.org", "password": kit.Password, "first_name": nil})
		user := r.Expect(http.StatusCreated).JSON["user"].(kit.Object)
		assert.Empty(t, user["first_name"])
		assert.Empty(t, user["last_name"])
	})
}

func TestARegistrationIsToldAllItsWrongFieldsAtOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		r := api.Nobody().Post(kit.RegisterPath, kit.Object{}).Expect(http.StatusBadRequest)
		assert.Equal(t, kit.Object{
			"username": []any{"This field is required."}, "email": []any{"This field is required."}, "password": []any{"This field is required."},
		}, r.JSON["errors"])
		assert.Equal(t, "invalid", r.JSON["code"])

		r = api.Nobody().Post(kit.RegisterPath, kit.Object{"username": "a b", "email": "x", "password": "123", "first_name": 5, "nickname": "An"}).Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"email", "first_name", "nickname", "password", "username"}, kit.Keys(r.JSON["errors"].(kit.Object)))
		assert.Zero(t, api.Count("SELECT count(*) FROM users"))
	})
}

func TestWrongFieldsOfARegistrationAreRefused(t *testing.T) {
	long := strings.Repeat("x", 151)
	cases := []struct {
		field string
		value any
		says  string
	}{
		{"username", nil, "may not be null"},
		{"username", "", "may not be blank"},
		{"username", "   ", "may not be blank"},
		{"username", "ab", "at least 3 characters"},
		{"username", long, "no more than 150 characters"},
		{"username", "ana@example.org", "valid username"},
		{"username", "ana maria", "valid username"},
		{"username", "<b>ana", "valid username"},
		{"username", 5, "Not a valid string"},
		{"username", []string{"ana"}, "Not a valid string"},
		{"email", nil, "may not be null"},
		{"email", "", "may not be blank"},
		{"email", "ana", "valid email"},
		{"email", "ana@", "valid email"},
		{"email", "ana@example.org, eve@example.org", "valid email"},
		{"email", long + "@" + strings.Repeat("example.", 13) + "org", "no more than 254 characters"},
		{"email", true, "Not a valid string"},
		{"first_name", long, "no more than 150 characters"},
		{"first_name", kit.Object{"a": 1}, "Not a valid string"},
		{"last_name", long, "no more than 150 characters"},
		{"last_name", 1.5, "Not a valid string"},
		{"password", nil, "may not be null"},
		{"password", "", "blank"},
		{"password", 12345678, "Not a valid string"},
		{"password", "short 7", "too short"},
		{"password", "12345678901", "entirely numeric"},
		{"password", strings.Repeat("ab ", 43), "too long"},
		{"password", "ANA@example.org", "too similar to the email"},
		{"password", "ana@examp", "too similar to the email"},
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, c := range cases {
			r := api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, c.field, c.value))
			if assert.Equal(t, http.StatusBadRequest, r.Status, "%s: %.60v", c.field, c.value) {
				assert.Contains(t, r.Error(c.field), c.says, "%s: %.60v", c.field, c.value)
				assert.Equal(t, []string{c.field}, kit.Keys(r.JSON["errors"].(kit.Object)), "%.60v", c.value)
			}
		}
		assert.Zero(t, api.Count("SELECT count(*) FROM users"))
	})
}

func TestAPasswordLikeTheUsernameIsRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, p := range []string{"wilhelmine", "WILHELMINE", "wilhelmine1", "1wilhelmine!"} {
			r := api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", "Wilhelmine", "password", p))
			assert.Equal(t, http.StatusBadRequest, r.Status, p)
			assert.Contains(t, r.Error("password"), "too similar to the username", p)
		}
		assert.Zero(t, api.Count("SELECT count(*) FROM users"))
	})
}

func TestUsernamesOfManyScriptsAreAccepted(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for i, name := range []string{"abc", "Ana.Öz+2-x_y", "Дмитрий", "张伟明", strings.Repeat("ü", 150)} {
			r := api.Nobody().Post(kit.RegisterPath, kit.Object{"username": name, "email": fmt.Sprintf("u%d@example.org", i), "password": kit.Password})
			if assert.Equal(t, http.StatusCreated, r.Status, name) {
				assert.Equal(t, name, r.JSON["user"].(kit.Object)["username"])
			}
		}
	})
}

func TestUsernamesAndEmailsAreUniqueRegardlessOfCase(t *testing.T) {
	taken := kit.Object{"username": "Müller", "email": "Mail@Example.org", "password": kit.Password}
	cases := []struct{ username, email, field string }{
		{"Müller", "new@example.org", "username"},
		{"MÜLLER", "new@example.org", "username"},
		{"müller", "new@example.org", "username"},
		{"mu\u0308ller", "new@example.org", "username"}, // the same letters, composed differently
		{"ｍüller", "new@example.org", "username"},       // a full-width m
		{"other", "Mail@Example.org", "email"},
		{"other", "mail@EXAMPLE.org", "email"},
	}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.Nobody().Post(kit.RegisterPath, taken).Expect(http.StatusCreated)
		for _, c := range cases {
			r := api.Nobody().Post(kit.RegisterPath, kit.Object{"username": c.username, "email": c.email, "password": kit.Password})
			assert.Equal(t, http.StatusBadRequest, r.Status, c)
			assert.Contains(t, r.Error(c.field), "already exists", c)
			assert.Len(t, r.JSON["errors"], 1, c)
		}
		r := api.Nobody().Post(kit.RegisterPath, taken).Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"email", "username"}, kit.Keys(r.JSON["errors"].(kit.Object)))
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users"))
	})
}

func TestTheWholePasswordCounts(t *testing.T) {
	secret := " päss wörd \t" + strings.Repeat("😀", 116)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "password", secret)).Expect(http.StatusCreated)
		for _, c := range []struct {
			password string
			status   int
		}{
			{secret, http.StatusOK},
			{strings.TrimSpace(secret), http.StatusUnauthorized},
			{secret[:len(secret)-4], http.StatusUnauthorized},
			{strings.ToUpper(secret), http.StatusUnauthorized},
			{secret + " ", http.StatusUnauthorized},
		} {
			assert.Equal(t, c.status, api.Nobody().Post(kit.LoginPath, kit.Object{"username": "ana", "password": c.password}).Status)
		}
	})
}

func TestTheLeastLengthOfPasswordsCanBeRaised(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		r := api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "password", "fourteen chars")).Expect(http.StatusBadRequest)
		assert.Contains(t, r.Error("password"), "at least 15 characters")
		api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "password", "fifteen letters")).Expect(http.StatusCreated)
	}, func(cfg *config.Config) { cfg.MinPassword = 15 })
}

func TestClosedRegistrationRefusesEverybody(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("eve")
		cfg := *api.Config
		cfg.Registration = "closed"
		closed := kit.Start(t, &cfg)
		r := closed.Nobody().Post(kit.RegisterPath, kit.Somebody).Expect(http.StatusForbidden)
		assert.Equal(t, "permission_denied", r.JSON["code"])
		assert.Equal(t, http.StatusForbidden, closed.Nobody().Raw("POST", kit.RegisterPath, "{").Status)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users"))
		closed.Nobody().Post(kit.LoginPath, kit.Object{"username": "eve", "password": kit.Password}).Expect(http.StatusOK)
	})
}
