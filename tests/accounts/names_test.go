package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// invisible are characters of each range of Default_Ignorable_Code_Point, and every control of the direction of writing.
var invisible = []rune{
	0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x180f, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e,
	0x2060, 0x2065, 0x2066, 0x2067, 0x2068, 0x2069, 0x206f, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff0, 0x1bca0, 0x1d173, 0xe0001, 0xe0100, 0xe01ef, 0xe0fff,
}

func TestAnySpellingOfANameFindsItsAccount(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		body := kit.With(kit.Somebody, "username", "ｆｉle", "email", "ﬁle@Example.org")
		user := api.Nobody().Post(kit.RegisterPath, body).Expect(http.StatusCreated).JSON["user"].(kit.Object)
		assert.Equal(t, []any{"file", "file@Example.org"}, []any{user["username"], user["email"]})
		assert.Equal(t, []string{"file file@Example.org file file@example.org"}, api.Rows("SELECT username || ' ' || email || ' ' || username_key || ' ' || email_key FROM users"))
		for _, name := range []string{"file", "ﬁle", "ＦＩＬＥ", "file@example.org", "ﬁle@EXAMPLE.org", "ｆile@example.org", "file＠example．org"} {
			assert.Equal(t, user, api.TryLogin(name, kit.Password).Expect(http.StatusOK).JSON["user"], name)
		}
		long := strings.Repeat("u\u0308", 150) // 300 characters as they are sent, 150 as they are stored
		api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", long)).Expect(http.StatusCreated)
		api.TryLogin(long, kit.Password).Expect(http.StatusOK)
		small := "ꮳꮃꭹ" // a script whose capital letters are the older ones
		api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", "ᏣᎳᎩ", "email", "c@example.org")).Expect(http.StatusCreated)
		api.TryLogin(small, kit.Password).Expect(http.StatusOK)
		r := api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", small, "email", "ｃ@example.org")).Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"email", "username"}, kit.Keys(r.JSON["errors"].(kit.Object)))
	})
}

// Else five failures with another spelling of an e-mail would tell whether it is registered.
func TestAnySpellingOfANameCountsAsTheSame(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		answers := map[string]string{}
		for _, name := range []string{"ana@example.org", "nobody@example.org"} {
			for i := range 7 {
				spelling := []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "n", "ｎ")}[i%3]
				r := api.TryLogin(spelling, "a wrong guess")
				answers[name] += fmt.Sprint(r.Status, " ")
			}
			assertLocked(t, api.TryLogin(name, kit.Password), 15*60)
		}
		assert.Equal(t, "401 401 401 401 401 429 429 ", answers["ana@example.org"])
		assert.Equal(t, answers["ana@example.org"], answers["nobody@example.org"])
		assert.Equal(t, 2, api.Count("SELECT count(DISTINCT account) FROM login_failures"))
		assertLocked(t, api.TryLogin("ana", kit.Password), 15*60)
	})
}

func TestAnEmailIsOnesOwnInEverySpelling(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		api.User("eve")
		for _, taken := range []string{"ｅve@example.org", "EVE@example.org"} {
			r := ana.Patch(kit.MePath, kit.Object{"email": taken}).Expect(http.StatusBadRequest)
			assert.Equal(t, "A user with that email already exists.", r.Error("email"))
		}
		assert.Equal(t, "new@example.org", ana.Patch(kit.MePath, kit.Object{"email": "ｎew@example.org"}).Expect(http.StatusOK).JSON["email"])
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users WHERE email = 'new@example.org' AND email_key = 'new@example.org'"))
		api.TryLogin("ana@example.org", kit.Password).Expect(http.StatusUnauthorized)
		api.TryLogin("NEW@example.org", kit.Password).Expect(http.StatusOK)
	})
}

func TestNamesHoldNothingThatNobodySees(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		before := api.Contents()
		for _, c := range invisible {
			for field, value := range map[string]string{"username": "an" + string(c) + "a", "email": "an" + string(c) + "a@example.org"} {
				says := map[string]string{"username": "Enter a valid username: letters, digits and . + - _ only.", "email": "Enter a valid email address."}[field]
				r := api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", "other", "email", "other@example.org", field, value))
				assert.Equal(t, http.StatusBadRequest, r.Status, "%s %U", field, c)
				assert.Equal(t, kit.Object{field: []any{says}}, r.JSON["errors"], "%s %U", field, c)
			}
			r := ana.Patch(kit.MePath, kit.Object{"email": "new@exam" + string(c) + "ple.org"})
			assert.Equal(t, kit.Object{"email": []any{"Enter a valid email address."}}, r.JSON["errors"], "%U", c)

			nothing := string(c) + " " + string(c) + string(c)
			r = api.Nobody().Post(kit.RegisterPath, kit.With(kit.Somebody, "username", nothing, "email", nothing))
			blank := []any{"This field may not be blank."}
			assert.Equal(t, kit.Object{"username": blank, "email": blank}, r.JSON["errors"], "%U", c)
		}
		assert.Equal(t, before, api.Contents())

		code, out := api.RunCommand(kit.Password+"\n", "createadmin", "--username", "bo\u200bss", "--email", "\u3164 \u200b", "--password-stdin")
		assert.Equal(t, 1, code)
		assert.Contains(t, out, "username: Enter a valid username")
		assert.Contains(t, out, "email: This field may not be blank.")

		r := ana.Patch(kit.MePath, kit.Object{"first_name": "\u200b \ufe0f", "last_name": "क्\u200dष"}).Expect(http.StatusOK)
		assert.Equal(t, []any{"", "क्\u200dष"}, []any{r.JSON["first_name"], r.JSON["last_name"]})
	})
}
