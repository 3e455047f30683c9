package tests

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/apierror"
	"healthcare/models"
)

func TestALockOutlivesARestartAndIsSeenByAnotherInstance(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		api.fail(3, "ana")
		other := start(t, api.Config)
		other.fail(2, "ana")
		assertLocked(t, api.tryLogin("ana", password), 15*60)
		assertLocked(t, other.tryLogin("ana", password), 15*60)
		assertLocked(t, start(t, api.Config).tryLogin("ana", password), 15*60)
	})
}

func TestWrongGuessesAtOnceAreAllCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		instances := []*API{api, start(t, api.Config)}
		answers := together(12, func(i int) *Response { return instances[i%2].tryLogin("ana", "a wrong guess") })
		seen := tally(answers)
		assert.Equal(t, 5, seen[http.StatusUnauthorized], "guessing at once tells no more than guessing in turn")
		assert.Equal(t, 12, seen[http.StatusUnauthorized]+seen[http.StatusTooManyRequests])
		// Each guess that reached the hash left a row; those that came later met the lock.
		assert.GreaterOrEqual(t, api.failures(), 5)
		assertLocked(t, api.tryLogin("ana", password), 15*60)
	})
}

func TestFewerWrongGuessesAtOnceThanLockAreEachARow(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		api.User("ana")
		answers := together(4, func(int) *Response { return api.tryLogin("ana", "a wrong guess") })
		assert.Equal(t, map[int]int{http.StatusUnauthorized: 4}, tally(answers))
		answers = together(40, func(i int) *Response {
			return api.tryLogin("ana", "a wrong guess", from(fmt.Sprintf("192.0.2.%d", i))...)
		})
		assert.Equal(t, map[int]int{http.StatusUnauthorized: 40}, tally(answers))
		assert.Equal(t, 44, api.failures())
	}, behindProxy)
}

func TestStaffLiftALock(t *testing.T) {
	onBoth(t, func(t *testing.T, api *API) {
		boss, ana, eve := api.Staff("boss"), api.User("ana"), api.User("eve")
		api.fail(5, "ana", from("192.0.2.1")...)
		api.fail(5, "eve", from("192.0.2.1")...)
		unlock := fmt.Sprintf("/api/users/%d/unlock/", ana.ID)
		eve.Post(unlock, nil).Expect(http.StatusForbidden)
		assertLocked(t, api.tryLogin("ana", password, from("192.0.2.1")...), 15*60)
		r := boss.Post(unlock, nil).Expect(http.StatusOK)
		assert.Equal(t, boss.Get(fmt.Sprintf("/api/users/%d/", ana.ID)).JSON, r.JSON)
		api.tryLogin("ana", password, from("192.0.2.1")...).Expect(http.StatusOK)
		assertLocked(t, api.tryLogin("eve", password, from("192.0.2.1")...), 15*60)

		api.insertFailures(100, fmt.Sprintf("user %d", eve.ID), time.Minute)
		boss.Post(fmt.Sprintf("/api/users/%d/unlock/", eve.ID), nil).Expect(http.StatusOK)
		api.tryLogin("eve", password).Expect(http.StatusOK)
		boss.Post(fmt.Sprintf("/api/users/%d/unlock/", eve.ID), nil).Expect(http.StatusOK) // nothing to lift is fine
		boss.Post("/api/users/77/unlock/", nil).Expect(http.StatusNotFound)
	}, behindProxy)
}

// held keeps everybody else from counting a login of an account until release is called; waiting tells whether
// somebody tries to.
func held(t *testing.T, api *API, account string) (waiting func() bool, release func()) {
	tx, err := api.sql().BeginTx(context.Background(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "login "+account)
	require.NoError(t, err)
	waiting = func() bool {
		return api.count(`SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
			WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted`) > 0
	}
	return waiting, func() { require.NoError(t, tx.Rollback()) }
}

func TestAGuessIsCountedAlsoWhenTheClientHangsUp(t *testing.T) {
	t.Parallel()
	api := start(t, baseConfig(freshPostgres(t)))
	ana := api.User("ana")
	waiting, release := held(t, api, fmt.Sprintf("user %d", ana.ID))
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := api.DB.Login(ctx, models.Actor{Network: "192.0.2.1"}, func(in *models.Credentials) apierror.Fields {
			*in = models.Credentials{Username: "ana", Password: "a wrong guess"}
			return apierror.Fields{}
		})
		ended <- err
	}()
	require.Eventually(t, waiting, waitLimit, time.Millisecond)
	hangUp()
	release()
	assert.ErrorContains(t, <-ended, string(apierror.NoActiveAccount))
	assert.Equal(t, 1, api.failures())
}

func TestALoginThatWasOvertakenByANewPasswordOrADisablingFails(t *testing.T) {
	for name, change := range map[string]string{
		"new password": "UPDATE users SET password_hash = 'another'",
		"disabled":     "UPDATE users SET is_active = false",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := start(t, baseConfig(freshPostgres(t)))
			ana := api.User("ana")
			sessions := api.count("SELECT count(*) FROM sessions")
			waiting, release := held(t, api, fmt.Sprintf("user %d", ana.ID))
			answer := make(chan *Response, 1)
			go func() { answer <- api.tryLogin("ana", password) }()
			require.Eventually(t, waiting, waitLimit, time.Millisecond) // the password was right
			api.exec(change)
			release()
			r := <-answer
			assert.Equal(t, http.StatusUnauthorized, r.Status, r.Raw)
			assert.Equal(t, "no_active_account", r.JSON["code"])
			assert.Equal(t, sessions, api.count("SELECT count(*) FROM sessions"))
		})
	}
}
