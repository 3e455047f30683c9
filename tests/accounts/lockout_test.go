package accounts

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// from is the header by which a proxy tells the client's address.
func from(address string) []string { return []string{"X-Forwarded-For", address} }

// assertLocked asserts a lock that ends within seconds, and returns the answer without its request id.
func assertLocked(t *testing.T, r *kit.Response, seconds int) kit.Object {
	t.Helper()
	r.Expect(http.StatusTooManyRequests)
	wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
	require.NoError(t, err)
	assert.InDelta(t, seconds, wait, 60)
	assert.Equal(t, "throttled", r.JSON["code"])
	assert.Equal(t, fmt.Sprintf("Too many failed logins. Try again in %d seconds.", wait), r.JSON["detail"])
	assert.Nil(t, r.JSON["errors"])
	return kit.Object{"title": r.JSON["title"], "code": r.JSON["code"], "type": r.JSON["type"], "fields": len(r.JSON)}
}

func TestFiveFailuresLockAnAccountFromOneAddress(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		api.FailLogins(5, "ana", from("192.0.2.1")...)
		assertLocked(t, api.TryLogin("ana", kit.Password, from("192.0.2.1")...), 15*60)
		assertLocked(t, api.TryLogin("ana", "a wrong guess", from("192.0.2.1")...), 15*60)
		assert.Equal(t, 5, api.Failures(), "what the lock refuses is not counted")
		api.TryLogin("ana", kit.Password, from("192.0.2.2")...).Expect(http.StatusOK)
		ana.AssertIn() // a lock is for logins: who is in stays in
		api.User("eve")
		api.TryLogin("eve", kit.Password, from("192.0.2.1")...).Expect(http.StatusOK)
		// A success elsewhere does not lift it.
		assertLocked(t, api.TryLogin("ana", kit.Password, from("192.0.2.1")...), 15*60)
	}, kit.BehindProxy)
}

func TestALockAnswersBeforeAnyPasswordIsHashed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.FailLogins(5, "ana")
		// A stored hash that cannot even be read makes no difference to what is refused without reading it.
		api.Exec("UPDATE users SET password_hash = 'no hash'")
		assertLocked(t, api.TryLogin("ana", kit.Password), 15*60)
		api.Exec("DELETE FROM login_failures")
		api.TryLogin("ana", kit.Password).Expect(http.StatusInternalServerError)
	})
}

func TestUsernameAndEmailCountAsOneAccount(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		for _, name := range []string{"ana", "ana@example.org", "ANA", "Ana@Example.ORG", "ana"} {
			api.TryLogin(name, "a wrong guess").Expect(http.StatusUnauthorized)
		}
		assertLocked(t, api.TryLogin("ana", kit.Password), 15*60)
		assertLocked(t, api.TryLogin("ana@example.org", kit.Password), 15*60)
		assert.Equal(t, 1, api.Count("SELECT count(DISTINCT account) FROM login_failures"))
	})
}

func TestUnknownNamesCountAndLockAlike(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.User("gone")
		api.Exec("UPDATE users SET is_active = false WHERE username = 'gone'")
		answers := map[string][]string{}
		for _, name := range []string{"ana", "nobody", "nobody@example.org", "gone"} {
			guess := "a wrong guess"
			if name == "gone" {
				guess = kit.Password
			}
			for i := range 7 {
				r := api.TryLogin(name, guess)
				text := strings.ReplaceAll(r.Raw, r.Header.Get("X-Request-ID"), "")
				if i >= 5 {
					text = fmt.Sprint(assertLocked(t, r, 15*60))
				}
				answers[name] = append(answers[name], fmt.Sprint(r.Status, " ", text))
			}
			assert.Equal(t, answers["ana"], answers[name], name)
		}
		assert.Equal(t, 20, api.Failures())
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM login_failures WHERE account LIKE '%nobody%'"), "names are not kept")
	})
}

func TestASuccessResetsThePair(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.FailLogins(4, "ana", from("192.0.2.1")...)
		api.FailLogins(4, "ana", from("192.0.2.2")...)
		api.TryLogin("ana", kit.Password, from("192.0.2.1")...).Expect(http.StatusOK)
		assert.Equal(t, 4, api.Failures(), "only the pair is reset")
		api.FailLogins(4, "ana", from("192.0.2.1")...)
		api.TryLogin("ana", kit.Password, from("192.0.2.1")...).Expect(http.StatusOK)
		api.FailLogins(1, "ana", from("192.0.2.2")...)
		assertLocked(t, api.TryLogin("ana", kit.Password, from("192.0.2.2")...), 15*60)
	}, kit.BehindProxy)
}

func TestALockEndsAfterFifteenMinutes(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.FailLogins(5, "ana")
		api.Exec("UPDATE login_failures SET at = " + kit.Ago(14*time.Minute))
		assertLocked(t, api.TryLogin("ana", kit.Password), 60)
		api.Exec("UPDATE login_failures SET at = " + kit.Ago(15*time.Minute+time.Second))
		api.FailLogins(4, "ana") // and the old ones count no more
		api.TryLogin("ana", kit.Password).Expect(http.StatusOK)
	})
}

func TestFailuresFarApartDoNotLock(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.FailLogins(4, "ana")
		api.Exec("UPDATE login_failures SET at = " + kit.Ago(16*time.Minute))
		api.FailLogins(4, "ana")
		api.TryLogin("ana", kit.Password).Expect(http.StatusOK)
	})
}

func TestAHundredFailuresLockTheAccountFromEverywhere(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.User("eve")
		account := api.Text("SELECT 'user ' || id FROM users WHERE username = 'ana'")
		api.InsertFailures(98, account, time.Minute)
		api.TryLogin("ana", "a wrong guess", from("203.0.113.1")...).Expect(http.StatusUnauthorized)
		api.TryLogin("ana", kit.Password, from("203.0.113.2")...).Expect(http.StatusOK) // 99 do not lock
		api.TryLogin("ana", "a wrong guess", from("203.0.113.3")...).Expect(http.StatusUnauthorized)
		for _, address := range []string{"203.0.113.1", "203.0.113.4", "2001:db8::1"} {
			assertLocked(t, api.TryLogin("ana", kit.Password, from(address)...), 60*60)
		}
		api.TryLogin("eve", kit.Password, from("203.0.113.1")...).Expect(http.StatusOK)
		assert.Equal(t, 100, api.Failures())

		api.Exec("DELETE FROM login_failures")
		api.InsertFailures(100, account, 59*time.Minute)
		assertLocked(t, api.TryLogin("ana", kit.Password), 60)
		api.Exec("DELETE FROM login_failures")
		api.InsertFailures(100, account, time.Hour+time.Second)
		api.TryLogin("ana", kit.Password).Expect(http.StatusOK)
	}, kit.BehindProxy)
}

func TestAHundredFailuresInMoreThanADayDoNotLock(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		account := api.Text("SELECT 'user ' || id FROM users")
		api.InsertFailures(50, account, 25*time.Hour)
		api.InsertFailures(50, account, time.Minute)
		api.TryLogin("ana", kit.Password).Expect(http.StatusOK)
	})
}
