package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// yesterday is the first day whose events stay in these tests, and archivable says which rows would go.
var yesterday = time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)

const archivable = "SELECT count(*) FROM events WHERE (action IN ('read', 'list') OR outcome <> 'ok')"

// withOldReads is an instance whose events are ten days old: 5 of a patient's history and 768 that no history needs, in two seals.
func withOldReads(api *kit.API) (ana, boss *kit.Client) {
	api.T.Helper()
	ana, boss = api.User("ana"), api.Staff("boss")
	eve := api.User("eve")
	for _, phone := range []string{"+49 30 1", "+49 30 2"} {
		id := ana.Patient("Ana")
		ana.Patch(kit.Path("patients", id), kit.Object{"phone": phone}).Expect(http.StatusOK)
		ana.Get(kit.Path("patients", id)).Expect(http.StatusOK)
		ana.Get(kit.Path("patients")).Expect(http.StatusOK)
		eve.Delete(kit.Path("patients", id)).Expect(http.StatusNotFound)
		boss.Get("/api/audit/").Expect(http.StatusOK) // which stores the reads
		for range 7 {
			api.Exec("INSERT INTO events (" + eventColumns + ") SELECT " + eventColumns + " FROM events WHERE at > " + kit.Ago(time.Hour) +
				" AND (action IN ('read', 'list') OR outcome <> 'ok')")
		}
		api.LiftAppendOnly()
		api.Exec("UPDATE events SET at = " + kit.Ago(10*24*time.Hour) + " WHERE at > " + kit.Ago(time.Hour))
		api.Seal()
	}
	require.Equal(api.T, 768, api.Count(archivable))
	return ana, boss
}

func newest(api *kit.API) string {
	api.T.Helper()
	return api.Text("SELECT mac FROM seals ORDER BY id DESC LIMIT 1")
}

// archive runs the command. The events are older than their seals, so a person has looked at them and noted a seal.
func archive(api *kit.API, dir string, says ...string) {
	api.T.Helper()
	code, out := api.RunCommand("", "audit", "archive", "--before", yesterday, "--seal", newest(api), dir)
	require.Zero(api.T, code, out)
	for _, words := range says {
		assert.Contains(api.T, out, words)
	}
}

// provedWith runs audit verify, in a folder if there is one.
func provedWith(api *kit.API, says string, dir ...string) {
	api.T.Helper()
	code, out := api.RunCommand("", append([]string{"audit", "verify", "--seal", newest(api)}, dir...)...)
	require.Zero(api.T, code, out)
	assert.Contains(api.T, out, says)
}

// linesIn counts the events in the archives of a folder.
func linesIn(t *testing.T, dir string) (lines int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl.gz"))
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		z, err := gzip.NewReader(bytes.NewReader(content))
		require.NoError(t, err)
		text, err := io.ReadAll(z)
		require.NoError(t, err)
		lines += bytes.Count(text, []byte("\n"))
	}
	return lines
}

func TestArchivedEventsAreProvedAndHistoriesStay(t *testing.T) {
	kit.NeedSlow(t)
	for name, before := range map[string]func(*kit.API){"not packed": func(*kit.API) {}, "packed": pack} {
		t.Run(name, func(t *testing.T) {
			kit.OnBoth(t, func(t *testing.T, api *kit.API) {
				ana, boss := withOldReads(api)
				ana.Patient("newest")
				api.Seal()
				before(api)
				first := boss.Get("/api/audit/").Expect(http.StatusOK).JSON
				assert.NotContains(t, first, "reads_since")
				history := ana.Get(kit.Path("patients", 1, "history")).Expect(http.StatusOK).JSON
				events, dir := api.Count("SELECT count(*) FROM events WHERE action NOT IN ('read', 'list')"), t.TempDir()

				archive(api, dir, "Events archived: 768.")
				assert.Equal(t, 768, linesIn(t, dir))
				assert.Equal(t, 0, api.Count(archivable+" AND at < "+kit.Ago(24*time.Hour)))
				left := api.Count("SELECT count(*) FROM events WHERE action NOT IN ('read', 'list')")
				assert.Equal(t, events-256+1, left, "the refused went; one event tells of it")
				provedWith(api, "archived: 768; to prove")
				provedWith(api, "archived: 768, and unchanged in their files.", dir)
				pack(api) // what was archived unpacked
				provedWith(api, "archived: 768, and unchanged in their files.", dir)

				assert.Equal(t, history, ana.Get(kit.Path("patients", 1, "history")).Expect(http.StatusOK).JSON)
				assert.Equal(t, yesterday+"T00:00:00Z", boss.Get("/api/audit/?action=archive").Expect(http.StatusOK).JSON["reads_since"])
				assert.Equal(t, yesterday+"T00:00:00Z", ana.Get("/api/patients/1/export/").Expect(http.StatusOK).JSON["seen_since"])
				assert.Contains(t, ana.Get("/api/patients/1/export/?format=html").Expect(http.StatusOK).Raw, "what was before is in an archive")
				archive(api, dir, "Events archived: 0.")
				if !api.IsPostgres() { // the index of who was shown a patient has followed
					api.Exec("INSERT INTO events_patients(events_patients) VALUES ('integrity-check')")
					assert.Zero(t, api.Count("SELECT count(*) FROM events_patients WHERE events_patients MATCH '1' AND rowid NOT IN (SELECT id FROM events)"))
				}
			})
		})
	}
}

func TestATamperedArchiveIsNamed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		ana, dir := api.User("zoe"), t.TempDir()
		archive(api, dir)
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.Len(t, files, 2)
		verify := func() (int, string) { return api.RunCommand("", "audit", "verify", dir) }
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, other := range [][]byte{content[:len(content)-1], bytes.Replace(content, content[20:24], []byte("7777"), 1), {}} {
				require.NoError(t, os.WriteFile(file, other, 0o600))
				code, out := verify()
				assert.NotZero(t, code)
				assert.Contains(t, out, "THE AUDIT TRAIL IS BROKEN: "+filepath.Base(file)+" was changed")
			}
			require.NoError(t, os.Remove(file))
			code, out := verify()
			assert.NotZero(t, code)
			assert.Contains(t, out, "cannot be proved")
			assert.Contains(t, out, filepath.Base(file))
			require.NoError(t, os.WriteFile(file, content, 0o600))
		}
		ana.Patient("Zoe")
		api.Seal()
		provedWith(api, "", dir)
	})
}

func TestNobodyWithoutTheKeyCanSayThatEventsWereArchived(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		archive(api, t.TempDir())
		for says, statements := range map[string][]string{
			"event 1 was removed": {"DELETE FROM events WHERE id = 1", "UPDATE archives SET first_id = 1; DELETE FROM events WHERE id = 1"},
			"event 3 was removed": {
				"DELETE FROM archives", "UPDATE archives SET mac = 'ab'", "UPDATE archives SET file = 'other'", "UPDATE archives SET first_id = 1",
				"UPDATE archives SET key_id = 'ab'", "UPDATE archives SET row_ma_cs = ''",
			},
			" was changed": {"UPDATE events SET changes = '{}' WHERE action = 'archive'"},
			" was removed": {"DELETE FROM events WHERE action = 'archive'"},
		} {
			brokenSince(api, newest(api), says, statements...)
		}
	})
}

func TestANoteThatNoSealedEventTellsOfIsWorthNothing(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		before := newest(api)
		archive(api, t.TempDir())
		api.LiftAppendOnly()
		// The end of the trail is cut off; the note is a true one.
		api.Exec("DELETE FROM events WHERE action = 'archive'")
		api.Exec("DELETE FROM seals WHERE id > (SELECT id FROM seals WHERE mac = '" + before + "')")
		code, out := api.RunCommand("", "audit", "verify", "--seal", before)
		assert.NotZero(t, code)
		assert.Contains(t, out, "is not part of the trail")
	})
}

// quiet tells nobody how far something is.
func quiet(int64, int64) {}

// toArchive is where an archive goes, the seal that its operator has noted, and until when events go into it.
func toArchive(api *kit.API) (dir, noted string, until time.Time) {
	api.T.Helper()
	until, err := time.Parse(time.DateOnly, yesterday)
	require.NoError(api.T, err)
	return api.T.TempDir(), newest(api), until
}

// countdown is a context that ends at the n-th time that somebody asks for its end.
type countdown struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func (c *countdown) Done() <-chan struct{} {
	if c.left.Add(-1) < 0 {
		c.cancel()
	}
	return c.Context.Done()
}

func TestAnArchiveThatIsInterruptedAnywhereGoesOn(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		dir, noted, until := toArchive(api)
		interrupted, halfDone, step := 0, 0, int64(9)
		if !kit.Whole {
			step = 45
		}
		for n := int64(100); ; n += step {
			ctx, cancel := context.WithCancel(t.Context())
			counted := &countdown{Context: ctx, cancel: cancel}
			counted.left.Store(n)
			_, err := api.DB.ArchiveAudit(counted, until, noted, dir, quiet)
			report, broken := api.DB.VerifyAuditAndFiles(t.Context(), noted, dir, quiet)
			require.NoError(t, broken, n)
			require.LessOrEqual(t, linesIn(t, dir), 768, n)
			assert.EqualValues(t, 768, report.Archived+int64(api.Count(archivable)), n)
			if err == nil {
				cancel()
				break
			}
			require.Error(t, ctx.Err(), "%d: %v", n, err)
			interrupted++
			if report.Archived > 0 {
				halfDone++
			}
		}
		assert.Greater(t, interrupted, 3)
		assert.Positive(t, halfDone, "some rows were removed, and some not")
		assert.Zero(t, api.Count(archivable))
		assert.Equal(t, 768, linesIn(t, dir))
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM archives"))
		parts, err := filepath.Glob(filepath.Join(dir, "*.part"))
		require.NoError(t, err)
		assert.Empty(t, parts)
	})
}

func TestArchivesOfSeveralKeysAndRunsAreProved(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		dir := t.TempDir()
		archive(api, dir)
		after := rotated(api)
		provedWith(after, "archived: 768, and", dir)
		server := kit.Start(t, after.Config)
		eve := server.User("zoe")
		eve.Get(kit.Path("patients", 1)).Expect(http.StatusNotFound)
		server.Staff("admin").Get("/api/audit/").Expect(http.StatusOK)
		server.LiftAppendOnly()
		server.Exec("UPDATE events SET at = " + kit.Ago(9*24*time.Hour) + " WHERE id = (SELECT max(id) FROM events)")
		server.Seal()
		archive(server, dir, "Events archived: 1.")
		provedWith(after, "archived: 769, and", dir)

		server.LiftAppendOnly()
		server.Exec("DELETE FROM events WHERE id = 1")
		code, out := after.RunCommand("", "audit", "verify", "--seal", newest(server))
		assert.NotZero(t, code)
		assert.Contains(t, out, "event 1 was removed")
	})
}

func TestTwoArchivesAtOnceAreOne(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		dir, noted, until := toArchive(api)
		var work sync.WaitGroup
		var ended atomic.Int64
		for range 2 {
			work.Go(func() {
				if _, err := api.DB.ArchiveAudit(t.Context(), until, noted, dir, quiet); err == nil {
					ended.Add(1)
				}
			})
		}
		work.Wait()
		assert.Positive(t, ended.Load())
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM archives"))
		provedWith(api, "archived: 768, and", dir)
	})
}

func TestArchivingAtOnceWhileOthersProveAndPack(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, _ := withOldReads(api)
		dir, noted, until := toArchive(api)
		done := make(chan struct{})
		var work sync.WaitGroup
		work.Go(func() {
			defer close(done)
			_, err := api.DB.ArchiveAudit(t.Context(), until, noted, dir, quiet)
			assert.NoError(t, err)
		})
		for _, what := range []func() error{
			func() error { _, err := api.DB.VerifyAudit(t.Context(), noted, quiet); return err },
			func() error { return api.DB.PackSeals(t.Context(), muchLater()) },
			func() error { ana.Patient("Ana"); return api.DB.SealAll(t.Context()) },
		} {
			work.Go(func() {
				for {
					assert.NoError(t, what())
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		work.Wait()
		provedWith(api, "archived: 768, and", dir)
	})
}

func TestAnArchiveIsRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withOldReads(api)
		dir := t.TempDir()
		for says, args := range map[string][]string{
			"older than a day":        {"--before", time.Now().UTC().Format(time.DateOnly), dir},
			"needs a day":             {"--before", "yesterday", dir},
			"there is no folder":      {"--before", yesterday, filepath.Join(dir, "nowhere")},
			"nothing is archived":     {"--before", yesterday, dir}, // the events are older than their seals
			"is not part of the cha":  {"--before", yesterday, "--seal", strings.Repeat("0123", 16), dir},
			"a seal has 64 of the d":  {"--before", yesterday, "--seal", "0123", dir},
			"accepts 1 arg(s)":        {"--before", yesterday},
			"needs a day like 2026-0": {dir},
		} {
			code, out := api.RunCommand("", append([]string{"audit", "archive"}, args...)...)
			assert.NotZero(t, code, says)
			assert.Contains(t, out, says)
		}
		api.LiftAppendOnly()
		api.Exec("UPDATE events SET user_id = 77 WHERE id = 1")
		code, out := api.RunCommand("", "audit", "archive", "--before", yesterday, "--seal", newest(api), dir)
		assert.NotZero(t, code)
		assert.Contains(t, out, "event 1 was changed")
		assert.Equal(t, 768, api.Count(archivable))
		assert.Zero(t, linesIn(t, dir))
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, files)
	})
}
