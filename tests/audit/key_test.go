package audit

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

const (
	newSecret = "the-secret-that-took-its-place-after-a-leak-5172"
	newKey    = "the-key-that-took-its-place-after-a-leak-60184"
	lastKey   = "and-the-one-that-came-after-that-one-7730915"
)

// change is the configuration with something else in it.
func change(cfg *config.Config, with func(*config.Config)) *config.Config {
	other := *cfg
	with(&other)
	return &other
}

// at is the same database with another configuration, not opened yet.
func at(api *kit.API, with func(*config.Config)) *kit.API {
	return &kit.API{T: api.T, Config: change(api.Config, with)}
}

// opens tells whether the server would start.
func opens(api *kit.API) error {
	db, err := models.Open(api.T.Context(), api.Config)
	if err != nil {
		return err
	}
	return db.Close()
}

// proved runs audit verify, which must succeed.
func proved(api *kit.API, says string) {
	api.T.Helper()
	code, out := api.RunCommand("", "audit", "verify")
	require.Zero(api.T, code, out)
	assert.Contains(api.T, out, says)
}

// refused runs a command that must fail, without calling the trail broken.
func refused(api *kit.API, says string, args ...string) {
	api.T.Helper()
	code, out := api.RunCommand("", args...)
	require.NotZero(api.T, code, out)
	assert.Contains(api.T, out, says)
	kit.Absent(api.T, out, "BROKEN", newSecret, newKey, lastKey, kit.JWTSecret, kit.AuditKey)
}

// keep copies tables, and returns what makes them as they were: it touches only rows that differ.
func keep(api *kit.API, tables ...string) (putBack func()) {
	api.T.Helper()
	var copies, back, drops strings.Builder
	for _, table := range tables {
		kept := "kept_" + table
		drops.WriteString("DROP TABLE IF EXISTS " + kept + ";")
		copies.WriteString("CREATE TABLE IF NOT EXISTS " + kept + " AS SELECT * FROM " + table + " WHERE false;" +
			"DELETE FROM " + kept + "; INSERT INTO " + kept + " SELECT * FROM " + table + ";")
		back.WriteString("DELETE FROM " + table + " WHERE id IN (SELECT id FROM (SELECT * FROM " + table + " EXCEPT SELECT * FROM " + kept + ") AS other);" +
			"INSERT INTO " + table + " SELECT * FROM " + kept + " EXCEPT SELECT * FROM " + table + ";")
	}
	api.Exec(copies.String())
	api.T.Cleanup(func() { api.Exec(drops.String()) })
	return func() {
		api.T.Helper()
		api.LiftAppendOnly() // which opening had put back
		api.Exec(back.String())
	}
}

// broken changes something of the database by hand, and expects audit verify to name it.
func broken(api *kit.API, says string, statements ...string) {
	api.T.Helper()
	brokenSince(api, "", says, statements...)
}

// brokenSince does so for a trail that was looked at up to a seal.
func brokenSince(api *kit.API, seal, says string, statements ...string) {
	api.T.Helper()
	putBack := keep(api, "events", "seals", "archives")
	verify := []string{"audit", "verify"}
	if seal != "" {
		verify = append(verify, "--seal", seal)
	}
	for _, s := range statements {
		api.LiftAppendOnly()
		api.Exec(s)
		code, out := api.RunCommand("", verify...)
		assert.NotZero(api.T, code, s)
		assert.Contains(api.T, out, says, s)
		putBack()
		code, out = api.RunCommand("", verify...)
		require.Zero(api.T, code, out)
	}
}

func TestAnotherJWTSecretChangesNothingForTheTrail(t *testing.T) {
	for name, option := range map[string]func(*config.Config){
		"with an AUDIT_KEY": func(*config.Config) {},
		"with a kept key": func(cfg *config.Config) {
			if cfg.Database.SQLite != "" {
				cfg.AuditKey = ""
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			kit.OnBoth(t, func(t *testing.T, api *kit.API) {
				sealed(api)
				after := at(api, func(cfg *config.Config) { cfg.JWTSecret = newSecret })
				proved(after, "unchanged: 9 ")
				broken(after, "THE AUDIT TRAIL IS BROKEN: event 5 was changed", "UPDATE events SET user_id = 77 WHERE id = 5")
				server := kit.Start(t, after.Config)
				server.User("eve").Patient("one more")
				server.Seal()
				proved(after, "unchanged: 10 ")
			}, option)
		})
	}
}

func TestATrailOfJWTSecretNeedsItAfterItWasReplaced(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		if !api.IsPostgres() {
			t.Skip("the embedded database keeps a key of its own")
		}
		ana := sealed(api)
		replaced := at(api, func(cfg *config.Config) { cfg.JWTSecret = newSecret })
		for _, words := range []string{
			"the audit trail is sealed with the key ", "AUDIT_KEY is not set", "set AUDIT_OLD_KEYS to what it was before", "audit rotate-key",
		} {
			require.ErrorContains(t, opens(replaced), words)
			code, _ := replaced.RunCommand("", "demo", "--force")
			assert.Equal(t, 2, code, "it is the configuration that is wrong")
			refused(replaced, words, "audit", "verify")
		}
		refused(replaced, "AUDIT_KEY is not set: set it to a new key", "audit", "rotate-key")
		proved(at(replaced, func(cfg *config.Config) { cfg.AuditKey = kit.JWTSecret }), "unchanged: 9 ") // it is a key as any other
		named := at(replaced, func(cfg *config.Config) { cfg.AuditKey, cfg.AuditOldKeys = newKey, config.Secrets{kit.JWTSecret} })
		refused(named, "has not gone over to the key", "audit", "verify")
		code, out := named.RunCommand("", "audit", "rotate-key")
		require.Zero(t, code, out)
		proved(named, "unchanged: 10 (in seals: 5)")
		broken(named, "THE AUDIT TRAIL IS BROKEN: event 5 was changed", "UPDATE events SET user_id = 77 WHERE id = 5")
		ana.Patient("stored by a server that runs on")
		refused(replaced, "the configured one is", "audit", "verify")
	}, func(cfg *config.Config) {
		if cfg.Database.Postgres != "" {
			cfg.AuditKey = ""
		}
	})
}

// rotated is a trail of nine events that has gone over to newKey, and its former configuration.
func rotated(api *kit.API) *kit.API {
	api.T.Helper()
	after := at(api, func(cfg *config.Config) { cfg.AuditKey, cfg.AuditOldKeys = newKey, config.Secrets{cfg.AuditKey} })
	refused(after, "has not gone over", "audit", "verify")
	code, out := after.RunCommand("", "audit", "rotate-key")
	require.Zero(api.T, code, out)
	assert.Regexp(api.T, `goes on from the key [0-9a-f]{16} with the key [0-9a-f]{16}\.`, out)
	kit.Absent(api.T, out, newKey, kit.AuditKey, kit.JWTSecret)
	return after
}

func TestTheTrailGoesOverToAnotherKey(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := sealed(api)
		after := rotated(api)
		proved(after, "unchanged: 10 (in seals: 5)")
		refused(after, "is sealed with this AUDIT_KEY already", "audit", "rotate-key")
		refused(after, "is not lost", "audit", "rotate-key", "--old-key-lost")

		// A server that runs with the former key goes on to serve, but seals nothing.
		seals := api.Count("SELECT count(*) FROM seals")
		ana.Patient("meanwhile")
		require.ErrorContains(t, api.DB.SealAll(t.Context()), "start this one with the same")
		assert.Equal(t, seals, api.Count("SELECT count(*) FROM seals"))
		assert.Contains(t, api.Nobody().Get("/readyz").Expect(http.StatusOK).JSON["detail"], "has gone over to another AUDIT_KEY")
		require.ErrorContains(t, opens(api), "If other servers have gone over to a new AUDIT_KEY")

		// Started again with the new one, it does, also without the former; only verify needs that.
		server := kit.Start(t, change(after.Config, func(cfg *config.Config) { cfg.AuditOldKeys = nil }))
		server.Seal()
		proved(after, "unchanged: 11 (in seals: 6)")
		refused(server, "the audit trail cannot be proved: a part of the audit trail is sealed with the key ", "audit", "verify")

		entries := server.Staff("boss").Get("/api/audit/?action=rotate").Expect(http.StatusOK).Results()
		require.Len(t, entries, 1)
		assert.Equal(t, "audit_key", entries[0]["object"])

		twice := at(after, func(cfg *config.Config) {
			cfg.AuditKey, cfg.AuditOldKeys = lastKey, config.Secrets{kit.AuditKey, newKey}
		})
		code, out := twice.RunCommand("", "audit", "rotate-key")
		require.Zero(t, code, out)
		proved(twice, "unchanged: ")
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM seals WHERE next_key_id <> ''"))
	})
}

func TestTamperingIsFoundOnBothSidesOfAHandover(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		after := rotated(api)
		broken(after, "THE AUDIT TRAIL IS BROKEN: event 5 was changed", "UPDATE events SET user_id = 77 WHERE id = 5")
		broken(after, "THE AUDIT TRAIL IS BROKEN: event 10 was changed", "UPDATE events SET changes = '{}' WHERE id = 10")
		broken(after, "THE AUDIT TRAIL IS BROKEN: seal ",
			"DELETE FROM seals WHERE next_key_id <> ''",
			"UPDATE seals SET next_key_id = key_id WHERE next_key_id <> ''",
			"UPDATE seals SET next_mac = mac WHERE next_key_id <> ''",
			"UPDATE seals SET key_id = (SELECT key_id FROM seals WHERE id = 1) WHERE id = 5",
			"UPDATE seals SET key_id = (SELECT key_id FROM seals WHERE id = 5) WHERE id = 2",
			"UPDATE seals SET key_id = '0123456789abcdef' WHERE id IN (3, 5)",
			"UPDATE seals SET format = 0 WHERE id = 2",
			"UPDATE seals SET anew = true WHERE id = 5",
		)
	})
}

// A thief of the former key and of the database's password has all seals from the handover on removed, and a forgery sealed
// with the former key.
func TestTheFormerKeyDoesNotUndoAHandover(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		after := rotated(api)
		api.LiftAppendOnly()
		putBack := keep(api, "seals")
		api.Exec("DELETE FROM seals WHERE id > 3")
		api.Exec("DELETE FROM events WHERE id > 9")
		thief := change(api.Config, func(cfg *config.Config) { cfg.AuditSealFile = filepath.Join(t.TempDir(), "seal") })
		forger := kit.Start(t, thief)
		forger.User("eve").Patient("forged")
		forger.Seal()
		refused(after, "has not gone over to the key", "audit", "verify")
		refused(after, "is gone from the database", "audit", "rotate-key")
		putBack()
	}, endFile(t))
}

func TestATrailWhoseKeyIsLostBeginsAnew(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		after := at(api, func(cfg *config.Config) { cfg.AuditKey = newKey })
		refused(after, "If the former key is lost for good", "audit", "verify")
		refused(after, "If the former key is lost for good", "audit", "rotate-key")
		code, out := after.RunCommand("", "audit", "rotate-key", "--old-key-lost")
		require.Zero(t, code, out)
		assert.Contains(t, out, "anew, as its key is lost")
		proved(after, "unchanged: 10 (in seals: 2)")
		proved(after, "what happened to it before cannot be proved (in seals: 3)")
		broken(after, "THE AUDIT TRAIL IS BROKEN: event 5 was changed", "UPDATE events SET user_id = 77 WHERE id = 5")
		broken(after, "THE AUDIT TRAIL IS BROKEN: ",
			"DELETE FROM seals WHERE id = 3", "UPDATE seals SET anew = true", "DELETE FROM events WHERE id = 1")
		broken(after, "the audit trail cannot be proved: ", "DELETE FROM seals WHERE id = 4", "UPDATE seals SET anew = false")
	})
}
