package accounts

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
	"healthcare/tests/kit"
)

func TestALockOutlivesARestartAndIsSeenByAnotherInstance(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		api.FailLogins(3, "ana")
		other := kit.Start(t, api.Config)
		other.FailLogins(2, "ana")
		assertLocked(t, api.TryLogin("ana", kit.Password), 15*60)
		assertLocked(t, other.TryLogin("ana", kit.Password), 15*60)
		assertLocked(t, kit.Start(t, api.Config).TryLogin("ana", kit.Password), 15*60)
	})
}

func TestWrongGuessesAtOnceAreAllCounted(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		instances := []*kit.API{api, kit.Start(t, api.Config)}
		answers := kit.AtOnce(12, func(i int) *kit.Response { return instances[i%2].TryLogin("ana", "a wrong guess") })
		seen := kit.Tally(answers)
		assert.Equal(t, 5, seen[http.StatusUnauthorized], "guessing at once tells no more than guessing in turn")
		assert.Equal(t, 12, seen[http.StatusUnauthorized]+seen[http.StatusTooManyRequests])
		// Each guess that reached the hash left a row; those that came later met the lock.
		assert.GreaterOrEqual(t, api.Failures(), 5)
		assertLocked(t, api.TryLogin("ana", kit.Password), 15*60)
	})
}

func TestFewerWrongGuessesAtOnceThanLockAreEachARow(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		answers := kit.AtOnce(4, func(int) *kit.Response { return api.TryLogin("ana", "a wrong guess") })
		assert.Equal(t, map[int]int{http.StatusUnauthorized: 4}, kit.Tally(answers))
		answers = kit.AtOnce(40, func(i int) *kit.Response {
			return api.TryLogin("ana", "a wrong guess", from(fmt.Sprintf("192.0.2.%d", i))...)
		})
		assert.Equal(t, map[int]int{http.StatusUnauthorized: 40}, kit.Tally(answers))
		assert.Equal(t, 44, api.Failures())
	}, kit.BehindProxy)
}

func TestStaffLiftALock(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana, eve := api.Staff("boss"), api.User("ana"), api.User("eve")
		api.FailLogins(5, "ana", from("192.0.2.1")...)
		api.FailLogins(5, "eve", from("192.0.2.1")...)
		unlock := fmt.Sprintf("/api/users/%d/unlock/", ana.ID)
		eve.Post(unlock, nil).Expect(http.StatusForbidden)
		assertLocked(t, api.TryLogin("ana", kit.Password, from("192.0.2.1")...), 15*60)
		r := boss.Post(unlock, nil).Expect(http.StatusOK)
		assert.Equal(t, boss.Get(fmt.Sprintf("/api/users/%d/", ana.ID)).JSON, r.JSON)
		api.TryLogin("ana", kit.Password, from("192.0.2.1")...).Expect(http.StatusOK)
		assertLocked(t, api.TryLogin("eve", kit.Password, from("192.0.2.1")...), 15*60)

		api.InsertFailures(100, fmt.Sprintf("user %d", eve.ID), time.Minute)
		boss.Post(fmt.Sprintf("/api/users/%d/unlock/", eve.ID), nil).Expect(http.StatusOK)
		api.TryLogin("eve", kit.Password).Expect(http.StatusOK)
		boss.Post(fmt.Sprintf("/api/users/%d/unlock/", eve.ID), nil).Expect(http.StatusOK) // nothing to lift is fine
		boss.Post("/api/users/77/unlock/", nil).Expect(http.StatusNotFound)
	}, kit.BehindProxy)
}

// held keeps everybody else from counting a login of an account until release is called; waiting tells whether
// somebody tries to.
func held(t *testing.T, api *kit.API, account string) (waiting func() bool, release func()) {
	tx, err := api.SQL().BeginTx(context.Background(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "login "+account)
	require.NoError(t, err)
	waiting = func() bool {
		return api.Count(`SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
			WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted`) > 0
	}
	return waiting, func() { require.NoError(t, tx.Rollback()) }
}

func TestAGuessIsCountedAlsoWhenTheClientHangsUp(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
	ana := api.User("ana")
	waiting, release := held(t, api, fmt.Sprintf("user %d", ana.ID))
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := kit.SignIn(ctx, api.DB, models.Actor{Network: "192.0.2.1"}, "ana", "a wrong guess")
		ended <- err
	}()
	require.Eventually(t, waiting, kit.WaitLimit, time.Millisecond)
	hangUp()
	release()
	assert.ErrorContains(t, <-ended, string(apierror.NoActiveAccount))
	assert.Equal(t, 1, api.Failures())
}

func TestALoginThatWasOvertakenByANewPasswordOrADisablingFails(t *testing.T) {
	for name, change := range map[string]string{
		"new password": "UPDATE users SET password_hash = 'another'",
		"disabled":     "UPDATE users SET is_active = false",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
			ana := api.User("ana")
			sessions := api.Count("SELECT count(*) FROM sessions")
			waiting, release := held(t, api, fmt.Sprintf("user %d", ana.ID))
			answer := make(chan *kit.Response, 1)
			go func() { answer <- api.TryLogin("ana", kit.Password) }()
			require.Eventually(t, waiting, kit.WaitLimit, time.Millisecond) // the password was right
			api.Exec(change)
			release()
			r := <-answer
			assert.Equal(t, http.StatusUnauthorized, r.Status, r.Raw)
			assert.Equal(t, "no_active_account", r.JSON["code"])
			assert.Equal(t, sessions, api.Count("SELECT count(*) FROM sessions"))
		})
	}
}
