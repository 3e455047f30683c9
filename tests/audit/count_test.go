package audit

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// manyEvents puts so many events of an account in, all of one moment.
func manyEvents(api *kit.API, user, n int) {
	api.T.Helper()
	api.Exec(fmt.Sprintf("INSERT INTO events (%s) WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d)"+
		" SELECT %s, %d, 'read', 'patient', 1, 1, NULL, '', '', 'ok', '' FROM g", eventColumns, n, kit.Ago(0), user))
}

func TestTheCountOfTheAuditTrailEndsAndItsPagesGoOn(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		page := func(query string) kit.Object { return boss.Get("/api/audit/?" + query).Expect(http.StatusOK).JSON }
		manyEvents(api, ana.ID, 10_000)
		all := page("page_size=100&page=100")
		assert.EqualValues(t, 10_000, all["count"])
		assert.NotContains(t, all, "more_than_count")
		assert.Nil(t, all["next"])

		manyEvents(api, ana.ID, 150)
		for _, query := range []string{"", fmt.Sprint("&user_id=", ana.ID), "&action=read", "&patient_id=1"} {
			for number, full := range map[int]bool{1: true, 99: true, 100: true, 101: true, 102: false} {
				p := page(fmt.Sprint("page_size=100&page=", number, query))
				assert.EqualValues(t, 10_000, p["count"], number)
				assert.Equal(t, true, p["more_than_count"], number)
				assert.Equal(t, full, p["next"] != nil, "page %d%s has a next one", number, query)
				assert.Len(t, p["results"], map[bool]int{true: 100, false: 50}[full], number)
			}
			boss.Get("/api/audit/?page_size=100&page=103" + query).Expect(http.StatusNotFound)
		}
		few := page(fmt.Sprint("user_id=", boss.ID))
		assert.EqualValues(t, 0, few["count"])
		assert.NotContains(t, few, "more_than_count")
		beside := page("cursor=")
		assert.NotContains(t, beside, "count")
		assert.NotContains(t, beside, "more_than_count")
		api.Seal() // for which Close has less time than so many take under the race detector
	})
}

// The statements are those of the list, for the planner's sake without their columns. PostgreSQL reads so small a table as
// it is, so this is of SQLite.
func TestTheAuditTrailOfAnAccountIsReadFromAnIndex(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
	of := " FROM events LEFT JOIN users ON users.id = events.user_id WHERE (events.user_id = 7)"
	for _, statement := range []string{
		"SELECT events.address, (SELECT count(*) FROM (SELECT 1 FROM events WHERE (events.user_id = 7) LIMIT 20001) AS counted) AS total" + of +
			" ORDER BY events.at DESC, events.id DESC LIMIT 20",
		"SELECT events.address" + of + " AND ((events.at, events.id) < ('2026-01-01', 9)) ORDER BY events.at DESC, events.id DESC LIMIT 21",
	} {
		plan := strings.Join(api.Rows("EXPLAIN QUERY PLAN "+statement), "\n")
		require.Contains(t, plan, "events_by_user")
		kit.Absent(t, plan, "SCAN events", "TEMP B-TREE")
	}
	rare := "SELECT events.address FROM events LEFT JOIN users ON users.id = events.user_id" +
		" WHERE (events.action <> 'read' AND events.action <> 'list') AND (events.action = 'export') ORDER BY events.at DESC, events.id DESC LIMIT 20"
	plan := strings.Join(api.Rows("EXPLAIN QUERY PLAN "+rare), "\n")
	require.Contains(t, plan, "events_by_action")
	kit.Absent(t, plan, "SCAN events", "TEMP B-TREE")
}
