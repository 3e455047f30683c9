package audit

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
	"healthcare/tests/kit"
)

// formats are those that seals have had.
var formats = []int{0, 2, 3}

// muchLater is when all seals of a test but the newest are old enough to be packed.
func muchLater() time.Time { return time.Now().Add(30 * 24 * time.Hour) }

// sealedAs is an instance with three events in each of three seals of a format, and one event in the newest seal.
func sealedAs(api *kit.API, format int) *kit.Client {
	api.T.Helper()
	sealer, err := models.Open(api.T.Context(), api.Config) // so that api remembers no seal that is made anew
	require.NoError(api.T, err)
	ana := api.User("ana")
	for i := range 9 {
		ana.Patient(fmt.Sprint(i))
		if i%3 == 2 {
			require.NoError(api.T, sealer.SealAll(api.T.Context()))
		}
	}
	require.NoError(api.T, sealer.Close())
	api.LiftAppendOnly()
	if format < 3 {
		resealed(api, kit.AuditKey, format)
	}
	ana.Patient("newest")
	api.Seal()
	return ana
}

func pack(api *kit.API) {
	api.T.Helper()
	require.NoError(api.T, api.DB.PackSeals(api.T.Context(), muchLater()))
	api.LiftAppendOnly()
}

// onEachFormat runs a test on both databases for each format of seals, or with the newest if the slow tests do not run.
func onEachFormat(t *testing.T, test func(t *testing.T, api *kit.API, format int)) {
	which := formats
	if !kit.Slow {
		which = formats[len(formats)-1:]
	}
	for _, format := range which {
		t.Run(fmt.Sprint("format ", format), func(t *testing.T) {
			kit.OnBoth(t, func(t *testing.T, api *kit.API) { test(t, api, format) }, endFile(t))
		})
	}
}

func TestPackedSealsProveTheSameAsBefore(t *testing.T) {
	onEachFormat(t, func(t *testing.T, api *kit.API, format int) {
		ana := sealedAs(api, format)
		before, err := api.VerifyAudit()
		require.NoError(t, err)
		noted := api.Rows("SELECT mac FROM seals ORDER BY id")
		require.NoError(t, api.DB.PackSeals(t.Context(), time.Now().Add(-time.Hour)))
		assert.Equal(t, 4, api.Count("SELECT count(*) FROM seals"), "they are too new")
		for range 2 {
			pack(api)
			assert.Equal(t, 2, api.Count("SELECT count(*) FROM seals"))
		}
		after, err := api.VerifyAudit()
		require.NoError(t, err)
		assert.Equal(t, before, after)
		assert.Equal(t, models.AuditReport{Events: 10, Seals: 4, Last: noted[3]}, *after)
		for _, mac := range noted {
			_, err := api.DB.VerifyAudit(t.Context(), mac, func(int64, int64) {})
			require.NoError(t, err, "a seal that was noted still is part of the chain")
		}
		ana.Patient("one more")
		api.Seal()
		proved(api, "unchanged: 11 (in seals: 5)")
	})
}

func TestTamperingWithWhatIsPackedIsNamed(t *testing.T) {
	kit.NeedSlow(t)
	onEachFormat(t, func(t *testing.T, api *kit.API, format int) {
		sealedAs(api, format)
		pack(api)
		for says, statements := range map[string][]string{
			"event 5 was changed": {
				"UPDATE events SET user_id = 77 WHERE id = 5",
				"UPDATE events SET changes = replace(changes, '4', '5') WHERE id = 5",
				`UPDATE events SET changes = '{"erased":"00"}' WHERE id = 5`,
				`UPDATE events SET changes = '{"erased":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}' WHERE id = 5`,
			},
			"event 4 was removed":  {"DELETE FROM events WHERE id IN (4, 5, 6)"},
			"event 10 was changed": {"UPDATE events SET address = '::1' WHERE id = 10"},
			"1 events were put in": {"INSERT INTO events (id, " + eventColumns + ") SELECT 0, " + eventColumns + " FROM events WHERE id = 1"},
			"seal 3, ":             {"UPDATE seals SET last_id = 7 WHERE id = 3", "UPDATE seals SET mac = 'ab' WHERE id = 3", "UPDATE seals SET packed = NULL WHERE id = 3"},
			"seal 4, ":             {"DELETE FROM seals WHERE id = 3"},
		} {
			broken(api, "THE AUDIT TRAIL IS BROKEN: "+says, statements...)
		}
	})
}

func TestWhatWasChangedIsNotPacked(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealedAs(api, 3)
		api.Exec("UPDATE events SET user_id = 77 WHERE id = 5")
		require.ErrorContains(t, api.DB.PackSeals(t.Context(), muchLater()), "event 5 was changed")
		assert.Equal(t, 4, api.Count("SELECT count(*) FROM seals"))
	})
}

func TestASealThatIsRememberedMayBePacked(t *testing.T) {
	onEachFormat(t, func(t *testing.T, api *kit.API, format int) {
		sealedAs(api, format)
		second := api.Text("SELECT mac FROM seals WHERE id = 2")
		pack(api)
		for mac, ok := range map[string]bool{second: true, "0123": false} {
			require.NoError(t, os.WriteFile(api.Config.AuditSealFile, []byte("2 "+mac), 0o600))
			again, err := models.Open(t.Context(), api.Config)
			require.NoError(t, err)
			err = again.SealAll(t.Context())
			if ok {
				require.NoError(t, err)
				require.NoError(t, again.Close())
				continue
			}
			require.ErrorContains(t, err, "is gone from the database")
			require.Error(t, again.Close())
		}
	})
}

func TestPackingAtOnceWhileOthersSealAndProve(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		other := kit.Start(t, api.Config)
		ana := api.User("ana")
		var work sync.WaitGroup
		work.Go(func() {
			for range 30 {
				ana.Patient("Ana")
				assert.NoError(t, api.DB.SealAll(t.Context()))
			}
		})
		for _, db := range []*models.DB{api.DB, other.DB} {
			work.Go(func() {
				for range 15 {
					assert.NoError(t, db.PackSeals(t.Context(), muchLater()))
				}
			})
			work.Go(func() {
				for range 15 {
					_, err := db.VerifyAudit(t.Context(), "", func(int64, int64) {})
					assert.NoError(t, err)
				}
			})
		}
		work.Wait()
		api.Seal()
		proved(api, "unchanged: 30 ")
	}, endFile(t))
}

func TestPackingKeepsEventsAppendOnly(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealedAs(api, 3)
		api.DropAppendOnly()
		api.Config.Migrated = false
		require.NoError(t, kit.Start(t, api.Config).DB.PackSeals(t.Context(), muchLater())) // opening has put them back
		for _, statement := range []string{"UPDATE events SET user_id = 77", "DELETE FROM events", "DELETE FROM seals", "UPDATE seals SET mac = ''"} {
			_, err := api.SQL().Exec(statement)
			require.ErrorContains(t, err, "append-only", statement)
		}
	})
}

func TestWhatSeveralKeysSealedIsPackedAndProved(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		after := rotated(api)
		server := kit.Start(t, after.Config)
		eve := server.User("eve")
		for range 2 {
			eve.Patient("Eve")
			server.Seal()
		}
		pack(server)
		assert.Equal(t, 4, api.Count("SELECT count(*) FROM seals"), "three in one, the handover, two in one, the newest")
		proved(after, "unchanged: 12 (in seals: 7)")
		broken(after, "THE AUDIT TRAIL IS BROKEN: event 5 was changed", "UPDATE events SET user_id = 77 WHERE id = 5")
		broken(after, "THE AUDIT TRAIL IS BROKEN: event 11 was changed", "UPDATE events SET user_id = 77 WHERE id = 11")
		server.Staff("boss").Get("/api/audit/").Expect(http.StatusOK)
	})
}

// A clinic's server makes a seal for every second or third event.
func TestPackedSealsTakeATwentiethOfTheEventsSpace(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		if api.IsPostgres() { // whose files may still be as large as those of the test before
			api.LiftAppendOnly()
			api.Exec("TRUNCATE events")
		}
		ana := api.User("ana")
		const events = 400
		for i := range events {
			ana.Patient(fmt.Sprint("Patient ", i))
			if i%2 == 1 {
				api.Seal()
			}
		}
		size := "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE 'events%'"
		if api.IsPostgres() {
			size = "SELECT pg_total_relation_size('events')"
		}
		const fixed = 40 // bytes of a row's numbers and of its head
		seals := "SELECT sum(length(mac) + length(row_ma_cs) + coalesce(length(packed), 0) + " + fmt.Sprint(fixed) + ") FROM seals"
		assert.Greater(t, 10*api.Count(seals), api.Count(size), "not packed yet")
		require.NoError(t, api.DB.PackSeals(t.Context(), muchLater()))
		assert.Less(t, 20*api.Count(seals), api.Count(size))
	})
}
