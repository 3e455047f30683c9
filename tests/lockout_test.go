package tests

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fail makes n failed logins in turn, of which the last n-5 meet the lock.
func (api *API) fail(n int, name string, headers ...string) {
	api.t.Helper()
	for i := range n {
		want := http.StatusUnauthorized
		if i >= 5 {
			want = http.StatusTooManyRequests
		}
		api.tryLogin(name, "a wrong guess", headers...).Expect(want)
	}
}

// insertFailures puts n failed logins into the database, a second apart, each from another address.
func (api *API) insertFailures(n int, account string, newest time.Duration) {
	api.t.Helper()
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("('%s', '198.51.100.%d', %s)", account, i, ago(newest+time.Duration(i)*time.Second))
	}
	api.exec("INSERT INTO login_failures (account, network, at) VALUES " + strings.Join(rows, ", "))
}

func (api *API) failures() int {
	api.t.Helper()
	return api.count("SELECT count(*) FROM login_failures")
}

// assertLocked asserts a lock that ends within seconds, and returns the answer without its request id.
func assertLocked(t *testing.T, r *Response, seconds int) doc {
	t.Helper()
	r.Expect(http.StatusTooManyRequests)
	wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
	require.NoError(t, err)
	assert.InDelta(t, seconds, wait, 60)
	assert.Equal(t, "throttled", r.JSON["code"])
	assert.Equal(t, fmt.Sprintf("Too many failed logins. Try again in %d seconds.", wait), r.JSON["detail"])
	assert.Nil(t, r.JSON["errors"])
	return doc{"title": r.JSON["title"], "code": r.JSON["code"], "type": r.JSON["type"], "fields": len(r.JSON)}
}

func TestFiveFailuresLockAnAccountFromOneAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		ana := api.User("ana")
		api.fail(5, "ana", from("192.0.2.1")...)
		assertLocked(t, api.tryLogin("ana", password, from("192.0.2.1")...), 15*60)
		assertLocked(t, api.tryLogin("ana", "a wrong guess", from("192.0.2.1")...), 15*60)
		assert.Equal(t, 5, api.failures(), "what the lock refuses is not counted")
		api.tryLogin("ana", password, from("192.0.2.2")...).Expect(http.StatusOK)
		ana.assertIn() // a lock is for logins: who is in stays in
		api.User("eve")
		api.tryLogin("eve", password, from("192.0.2.1")...).Expect(http.StatusOK)
		// A success elsewhere does not lift it.
		assertLocked(t, api.tryLogin("ana", password, from("192.0.2.1")...), 15*60)
	}, behindProxy)
}

func TestALockAnswersBeforeAnyPasswordIsHashed(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.fail(5, "ana")
		// A stored hash that cannot even be read makes no difference to what is refused without reading it.
		api.exec("UPDATE users SET password_hash = 'no hash'")
		assertLocked(t, api.tryLogin("ana", password), 15*60)
		api.exec("DELETE FROM login_failures")
		api.tryLogin("ana", password).Expect(http.StatusInternalServerError)
	})
}

func TestUsernameAndEmailCountAsOneAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		for _, name := range []string{"ana", "ana@example.org", "ANA", "Ana@Example.ORG", "ana"} {
			api.tryLogin(name, "a wrong guess").Expect(http.StatusUnauthorized)
		}
		assertLocked(t, api.tryLogin("ana", password), 15*60)
		assertLocked(t, api.tryLogin("ana@example.org", password), 15*60)
		assert.Equal(t, 1, api.count("SELECT count(DISTINCT account) FROM login_failures"))
	})
}

func TestUnknownNamesCountAndLockAlike(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.User("gone")
		api.exec("UPDATE users SET is_active = false WHERE username = 'gone'")
		answers := map[string][]string{}
		for _, name := range []string{"ana", "nobody", "nobody@example.org", "gone"} {
			guess := "a wrong guess"
			if name == "gone" {
				guess = password
			}
			for i := range 7 {
				r := api.tryLogin(name, guess)
				text := strings.ReplaceAll(r.Raw, r.Header.Get("X-Request-ID"), "")
				if i >= 5 {
					text = fmt.Sprint(assertLocked(t, r, 15*60))
				}
				answers[name] = append(answers[name], fmt.Sprint(r.Status, " ", text))
			}
			assert.Equal(t, answers["ana"], answers[name], name)
		}
		assert.Equal(t, 20, api.failures())
		assert.Equal(t, 0, api.count("SELECT count(*) FROM login_failures WHERE account LIKE '%nobody%'"), "names are not kept")
	})
}

func TestASuccessResetsThePair(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.fail(4, "ana", from("192.0.2.1")...)
		api.fail(4, "ana", from("192.0.2.2")...)
		api.tryLogin("ana", password, from("192.0.2.1")...).Expect(http.StatusOK)
		assert.Equal(t, 4, api.failures(), "only the pair is reset")
		api.fail(4, "ana", from("192.0.2.1")...)
		api.tryLogin("ana", password, from("192.0.2.1")...).Expect(http.StatusOK)
		api.fail(1, "ana", from("192.0.2.2")...)
		assertLocked(t, api.tryLogin("ana", password, from("192.0.2.2")...), 15*60)
	}, behindProxy)
}

func TestALockEndsAfterFifteenMinutes(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.fail(5, "ana")
		api.exec("UPDATE login_failures SET at = " + ago(14*time.Minute))
		assertLocked(t, api.tryLogin("ana", password), 60)
		api.exec("UPDATE login_failures SET at = " + ago(15*time.Minute+time.Second))
		api.fail(4, "ana") // and the old ones count no more
		api.tryLogin("ana", password).Expect(http.StatusOK)
	})
}

func TestFailuresFarApartDoNotLock(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.fail(4, "ana")
		api.exec("UPDATE login_failures SET at = " + ago(16*time.Minute))
		api.fail(4, "ana")
		api.tryLogin("ana", password).Expect(http.StatusOK)
	})
}

func TestAHundredFailuresLockTheAccountFromEverywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.User("eve")
		account := oneText(api, "SELECT 'user ' || id FROM users WHERE username = 'ana'")
		api.insertFailures(98, account, time.Minute)
		api.tryLogin("ana", "a wrong guess", from("203.0.113.1")...).Expect(http.StatusUnauthorized)
		api.tryLogin("ana", password, from("203.0.113.2")...).Expect(http.StatusOK) // 99 do not lock
		api.tryLogin("ana", "a wrong guess", from("203.0.113.3")...).Expect(http.StatusUnauthorized)
		for _, address := range []string{"203.0.113.1", "203.0.113.4", "2001:db8::1"} {
			assertLocked(t, api.tryLogin("ana", password, from(address)...), 60*60)
		}
		api.tryLogin("eve", password, from("203.0.113.1")...).Expect(http.StatusOK)
		assert.Equal(t, 100, api.failures())

		api.exec("DELETE FROM login_failures")
		api.insertFailures(100, account, 59*time.Minute)
		assertLocked(t, api.tryLogin("ana", password), 60)
		api.exec("DELETE FROM login_failures")
		api.insertFailures(100, account, time.Hour+time.Second)
		api.tryLogin("ana", password).Expect(http.StatusOK)
	}, behindProxy)
}

func TestAHundredFailuresInMoreThanADayDoNotLock(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		account := oneText(api, "SELECT 'user ' || id FROM users")
		api.insertFailures(50, account, 25*time.Hour)
		api.insertFailures(50, account, time.Minute)
		api.tryLogin("ana", password).Expect(http.StatusOK)
	})
}
