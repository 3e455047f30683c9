package audit

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// large is sealed, with so many events in five more seals that they are not read again by each proof.
func large(api *kit.API) *kit.Client {
	api.T.Helper()
	ana := sealed(api)
	manyEvents(api, ana.ID, 10_000)
	api.Seal()
	return ana
}

// goesOn runs audit verify, which must succeed, and tells whether it has gone on from the last proof.
func goesOn(api *kit.API, says string) bool {
	api.T.Helper()
	code, out := api.RunCommand("", "audit", "verify")
	require.Zero(api.T, code, out)
	assert.Contains(api.T, out, says)
	return strings.Contains(out, "were proved before")
}

// fails runs audit verify, which must call the trail broken.
func fails(api *kit.API, says string, args ...string) {
	api.T.Helper()
	code, out := api.RunCommand("", append([]string{"audit", "verify"}, args...)...)
	assert.Equal(api.T, 1, code, out)
	assert.Contains(api.T, out, "THE AUDIT TRAIL IS BROKEN: "+says)
}

func TestAProofGoesOnFromTheLastOne(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := large(api)
		assert.False(t, goesOn(api, "unchanged: 10009 (in seals: 8)"), "the first one reads all")
		assert.True(t, goesOn(api, "unchanged: 10009 (in seals: 8)"))
		for i := range 4 {
			ana.Patient(fmt.Sprint("new ", i))
			if i%2 == 1 {
				api.Seal()
			}
		}
		ana.Patient("not sealed")
		code, out := api.RunCommand("", "audit", "verify")
		require.Zero(t, code, out)
		assert.Contains(t, out, "unchanged: 10013 (in seals: 10); not sealed yet: 1.")
		assert.Contains(t, out, "Of the events, 10009 were proved before (all at ")
		assert.Contains(t, out, "only audit verify --full finds")
		proved(api, "unchanged: 10014 (in seals: 11)")
		code, out = api.RunCommand("", "audit", "verify", "--full")
		require.Zero(t, code, out)
		assert.NotContains(t, out, "proved before")

		api.LiftAppendOnly()
		api.Exec("UPDATE events SET user_id = 77 WHERE id = 5")
		assert.True(t, goesOn(api, "unchanged: 10014"), "what was read is not read again, and it says so")
		fails(api, "event 5 was changed", "--full")
		fails(api, "event 5 was changed", "--seal", newest(api))
		fails(api, "event 5 was changed", t.TempDir())
		for _, wrong := range []string{"abc", "", strings.ToUpper(newest(api)), newest(api) + "0"} {
			code, out = api.RunCommand("", "audit", "verify", "--seal", wrong)
			assert.Equal(t, 2, code, wrong)
			assert.Contains(t, out, "a seal has 64 of the digits")
			kit.Absent(t, out, "BROKEN")
		}
	}, endFile(t))
}

func TestAShortTrailIsReadAgainByEachProof(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		for range 2 {
			assert.False(t, goesOn(api, "unchanged: 9 (in seals: 3)"))
		}
		api.Exec("UPDATE events SET user_id = 77 WHERE id = 5")
		fails(api, "event 5 was changed")
	})
}

func TestTamperingSinceTheLastProofIsNamed(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := large(api)
		require.False(t, goesOn(api, "unchanged: 10009"))
		for i := range 4 {
			ana.Patient(fmt.Sprint("new ", i))
			if i%2 == 1 {
				api.Seal()
			}
		}
		putBack := keep(api, "events", "seals", "audit_proofs")
		for _, c := range []struct{ says, statement string }{
			{"event 10011 was changed", "UPDATE events SET user_id = 77 WHERE id = 10011"},
			{"event 10012 was removed", "DELETE FROM events WHERE id = 10012"},
			{"1 events were put in", "INSERT INTO events (id, " + eventColumns + ") SELECT 0, " + eventColumns + " FROM events WHERE id = 1"},
			{"seal 10", "UPDATE seals SET last_id = 10014 WHERE id = 10"},
			{"seal 10", "DELETE FROM seals WHERE id = 9"},
			{"the newest seal that the server remembers", "DELETE FROM seals WHERE id > 8"},
			{"the seal ", "DELETE FROM seals WHERE id > 7"},
			{"the seal ", "DELETE FROM seals WHERE id IN (8, 9)"},
			{"the seal ", "UPDATE seals SET mac = 'ab' WHERE id = 8"},
			{"1 events that were proved at ", "DELETE FROM events WHERE id = 3"},
		} {
			api.LiftAppendOnly()
			api.Exec(c.statement)
			fails(api, c.says)
			putBack()
		}
		assert.True(t, goesOn(api, "unchanged: 10013 (in seals: 10)"))
	}, endFile(t))
}

// Who holds the database, but not the key, wants a change of his to be taken for proved.
func TestNobodyWithoutTheKeyCanSayThatATrailWasProved(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := large(api)
		require.False(t, goesOn(api, "unchanged: 10009"))
		older := api.Rows("SELECT text FROM audit_proofs")[0]
		ana.Patient("new")
		api.Seal()
		require.True(t, goesOn(api, "unchanged: 10010"))
		newer := api.Rows("SELECT text FROM audit_proofs")[0]
		putBack := keep(api, "audit_proofs")
		api.LiftAppendOnly()
		api.Exec("UPDATE events SET user_id = 77 WHERE id = 10010")
		require.True(t, goesOn(api, "unchanged: 10010"))
		for name, statement := range map[string]string{
			"another HMAC":    "UPDATE audit_proofs SET mac = 'ab'",
			"none":            "UPDATE audit_proofs SET mac = ''",
			"one of a seal":   "UPDATE audit_proofs SET mac = (SELECT max(mac) FROM seals)",
			"an older text":   "UPDATE audit_proofs SET text = '" + older + "'",
			"another count":   "UPDATE audit_proofs SET text = '" + strings.Replace(newer, `"Events":10010`, `"Events":10011`, 1) + "'",
			"no text":         "UPDATE audit_proofs SET text = ''",
			"no proof at all": "DELETE FROM audit_proofs",
		} {
			api.Exec(statement)
			code, out := api.RunCommand("", "audit", "verify")
			assert.Equal(t, 1, code, name)
			assert.Contains(t, out, "event 10010 was changed", name)
			putBack()
		}
	})
}

func TestAProofGoesOnThroughPackingErasingRotatingAndArchiving(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := large(api)
		ana.Patient("small")
		api.Seal()
		require.False(t, goesOn(api, "unchanged: 10010 (in seals: 9)"))
		for i := range 4 {
			ana.Patient(fmt.Sprint("new ", i))
			api.Seal()
		}
		pack(api)
		assert.Zero(t, api.Count("SELECT count(*) FROM seals WHERE id = 9"), "the seal that the proof ended at is in a pack with newer ones")
		assert.True(t, goesOn(api, "unchanged: 10014 (in seals: 13)"))
		code, out := api.RunCommand("1\n", "erase", "patient", "1", "--reason", "asked for it")
		require.Zero(t, code, out)
		assert.True(t, goesOn(api, "unchanged: 10015 (in seals: 14)"))
		code, out = api.RunCommand("", "audit", "verify", "--full")
		require.Zero(t, code, out)
		assert.Contains(t, out, "unchanged: 10015 (in seals: 14)")

		after := rotated(api)
		assert.False(t, goesOn(after, "unchanged: 1001"), "what the former key says of the trail is not believed any more")
		assert.True(t, goesOn(after, "unchanged: 1001"))
		server := kit.Start(t, after.Config)
		server.User("eve").Patient("Eve")
		server.Seal()
		assert.True(t, goesOn(after, "unchanged: 1001"))
		onlyNew := at(after, func(cfg *config.Config) { cfg.AuditOldKeys = nil })
		assert.True(t, goesOn(onlyNew, "unchanged: 1001"), "the former key has sealed nothing that is new")
	})
}

func TestAfterAnArchiveTheWholeTrailIsProved(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		manyEvents(api, 1, 10_000)
		api.Seal()
		provedWith(api, "unchanged: ")
		assert.True(t, goesOn(api, "unchanged: "))
		dir := t.TempDir()
		archive(api, dir)
		provedAgain := func() (bool, string) {
			_, out := api.RunCommand("", "audit", "verify")
			return strings.Contains(out, "were proved before"), out
		}
		again, out := provedAgain()
		assert.False(t, again, out)
		provedWith(api, "archived: 768")
		again, out = provedAgain()
		assert.True(t, again, out)
		assert.Contains(t, out, "archived: 768")
		api.LiftAppendOnly()
		api.Exec("DELETE FROM archives")
		_, out = provedAgain()
		assert.Contains(t, out, "BROKEN: event ", "the notes are looked for")
	})
}

func TestDoubtsAreToldUntilAPersonHasLookedAtThem(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api) // which are older than their seals
		manyEvents(api, 1, 10_000)
		api.Seal()
		for range 2 {
			code, out := api.RunCommand("", "audit", "verify")
			assert.Equal(t, 1, code)
			assert.Contains(t, out, "older than they should be")
		}
		provedWith(api, "unchanged: ")
		assert.True(t, goesOn(api, "unchanged: "))
	})
}

func TestARememberedSealOfBeforeTheProofIsLookedFor(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		large(api)
		require.False(t, goesOn(api, "unchanged: 10009"))
		for text, ok := range map[string]bool{"2 " + api.Text("SELECT mac FROM seals WHERE id = 2"): true, "2 0123": false, "8 0123": false} {
			require.NoError(t, os.WriteFile(api.Config.AuditSealFile, []byte(text), 0o600))
			if ok {
				assert.False(t, goesOn(api, "unchanged: 10009"))
				continue
			}
			fails(api, "the newest seal that the server remembers")
		}
		require.NoError(t, os.Remove(api.Config.AuditSealFile))
		assert.True(t, goesOn(api, "unchanged: 10009"))
	}, endFile(t))
}
