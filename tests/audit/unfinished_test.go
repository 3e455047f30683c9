package audit

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// unfinished is the exit code of a proof that came to no end.
const unfinished = 3

// stuck is an instance of which one table that only a proof reads cannot be read to its end, until it is freed.
func stuck(t *testing.T, api *kit.API) (free func()) {
	sealed(api)
	if !api.IsPostgres() {
		api.Config.Migrated = true // a view is not migrated
		api.Exec("ALTER TABLE archives RENAME TO kept")
		api.Exec("CREATE VIEW archives AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS id FROM n")
		return func() { api.Exec("DROP VIEW archives"); api.Exec("ALTER TABLE kept RENAME TO archives") }
	}
	lock, err := api.SQL().Begin()
	require.NoError(t, err)
	_, err = lock.Exec("LOCK TABLE archives")
	require.NoError(t, err)
	return func() { assert.NoError(t, lock.Rollback()) }
}

// verifyUntil runs audit verify that cannot read all, and ends it in some way.
func verifyUntil(t *testing.T, api *kit.API, end func(cancel func())) {
	t.Helper()
	free := stuck(t, api)
	ctx, cancel := context.WithTimeout(t.Context(), kit.WaitLimit)
	defer cancel()
	var out kit.Buffer
	code := make(chan int, 1)
	go func() { code <- api.RunCommandTo(ctx, strings.NewReader(""), &out, "audit", "verify") }()
	end(cancel)
	assert.Equal(t, unfinished, <-code, out.String())
	free()
	assert.Contains(t, out.String(), "the proof of the audit trail was not finished")
	kit.Absent(t, out.String(), "BROKEN", "unchanged")
	proved(api, "unchanged: 9 ")
}

// waiting is who waits for the table. Other tests' databases are copies, in which it has the same number.
const waiting = "FROM pg_locks WHERE NOT granted AND relation = 'archives'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

func waits(t *testing.T, api *kit.API) {
	t.Helper()
	assert.Eventually(t, func() bool { return api.Count("SELECT count(*) "+waiting) > 0 }, kit.WaitLimit, 10*time.Millisecond)
}

func TestAnInterruptedProofSaysNothingOfTheTrail(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		verifyUntil(t, api, func(cancel func()) {
			if api.IsPostgres() {
				waits(t, api)
			} else { // which nobody sees reading; it counts at any time
				<-time.After(200 * time.Millisecond)
			}
			cancel()
		})
	})
}

func TestAProofWhoseConnectionBreaksSaysNothingOfTheTrail(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		if !api.IsPostgres() {
			t.Skip("the embedded database has no connection that breaks")
		}
		verifyUntil(t, api, func(func()) {
			waits(t, api)
			api.Exec("SELECT pg_terminate_backend(pid) " + waiting)
		})
		away := at(api, func(cfg *config.Config) { cfg.Database.Postgres = "postgres://postgres@127.0.0.1:1/nowhere" })
		code, out := away.RunCommand("", "audit", "verify")
		assert.Equal(t, unfinished, code, out)
	})
}
