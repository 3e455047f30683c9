package operations

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/backup"
	"healthcare/tests/kit"
)

func silent(int64, int64) {}

func backUp(api *kit.API, file string) *backup.Manifest {
	api.T.Helper()
	m, err := backup.Create(api.T.Context(), api.Config, file, silent)
	require.NoError(api.T, err)
	return m
}

// elsewhere is an empty database of the same kind.
func elsewhere(api *kit.API) *kit.API {
	api.T.Helper()
	cfg := *api.Config
	if !api.IsPostgres() {
		cfg.Database.SQLite = filepath.Join(api.T.TempDir(), "restored.db")
	} else {
		cfg.Database.Postgres = kit.FreshPostgresFrom(api.T, "")
	}
	return &kit.API{T: api.T, Config: &cfg}
}

func TestABackupMadeUnderLoadRestoresWhatItTells(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		p, d := ana.Patient("Ünï \"quoted\" \\ text\nof two lines"), ana.Doctor("Cy")
		ana.Assign(p, d).Expect(http.StatusCreated)
		ana.Patch(kit.Path("patients", p), kit.Object{"date_of_birth": "1980-02-29", "allergies": "Nuts"}).Expect(http.StatusOK)
		ana.Once(kit.Path("patients"), kit.Object{"name": "Kept"}, "k").Expect(http.StatusCreated)
		ana.Delete(kit.Path("patients", ana.Patient("Gone"))).Expect(http.StatusNoContent)
		before := ana.Get(kit.Path("patients", p)).Raw
		read := func() bool { return api.Count("SELECT count(*) FROM events WHERE action = 'read'") == 1 }
		require.Eventually(t, read, kit.WaitLimit, 10*time.Millisecond)
		api.Seal()

		done := make(chan struct{})
		var writers sync.WaitGroup
		for range 3 {
			writers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						q := ana.Patient("under load")
						ana.Assign(q, d).Expect(http.StatusCreated)
					}
				}
			})
		}
		file := filepath.Join(t.TempDir(), "backup.zip")
		var steps []int64
		made, err := backup.Create(t.Context(), api.Config, file, func(done, of int64) { steps = append(steps, done, of) })
		close(done)
		writers.Wait()
		require.NoError(t, err)
		require.NotEmpty(t, steps)
		assert.Equal(t, steps[len(steps)-1], steps[len(steps)-2], "progress ends at 100 %")
		for _, table := range []string{"users", "sessions", "refresh_tokens", "patients", "doctors", "mappings", "events", "seals", "idempotency_keys"} {
			assert.Positive(t, made.Tables[table].Rows, table)
		}
		// What one transaction wrote is in the backup together: a patient and its event, no half of them. Of the events three
		// are of an update, a deletion and a read.
		assert.Equal(t, made.Tables["events"].Rows-3, made.Tables["patients"].Rows+made.Tables["mappings"].Rows+made.Tables["doctors"].Rows)
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
		entries, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		assert.Len(t, entries, 1, "nothing else is left behind")

		checked, err := backup.Check(t.Context(), api.Config, file, silent)
		require.NoError(t, err)
		assert.Equal(t, made, checked)

		target := elsewhere(api)
		restored, err := backup.Restore(t.Context(), target.Config, file, silent)
		require.NoError(t, err)
		assert.Equal(t, made, restored)
		t.Run("the restored", func(t *testing.T) {
			other := kit.Start(t, target.Config)
			there := ana.At(other)
			assert.Equal(t, before, there.Get(kit.Path("patients", p)).Expect(http.StatusOK).Raw)
			assert.Equal(t, []string{"Cy"}, there.DoctorsOf(p, ""))
			assert.Equal(t, "true", there.Once(kit.Path("patients"), kit.Object{"name": "Kept"}, "k").Header.Get("Idempotent-Replayed"))
			there.Patient("after the restore")
			_, err := other.SQL().Exec("DELETE FROM events")
			require.ErrorContains(t, err, "append-only")
			report, err := other.VerifyAudit()
			require.NoError(t, err)
			assert.Equal(t, made.Tables["seals"].Rows, report.Seals)
		})
		_, err = backup.Restore(t.Context(), target.Config, file, silent)
		require.ErrorContains(t, err, "not empty")
	}, kit.MigrateAgain)
}

func TestABackupNeverReplacesAFileNorARestoreADatabase(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		p := ana.Patient("Ana")
		file := filepath.Join(t.TempDir(), "backup.zip")
		backUp(api, file)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = backup.Create(t.Context(), api.Config, file, silent)
		require.ErrorContains(t, err, "exists already")
		again, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(content, again))

		ana.Patient("Bo")
		_, err = backup.Restore(t.Context(), api.Config, file, silent)
		if api.IsPostgres() {
			require.ErrorContains(t, err, "not empty")
		} else {
			require.ErrorContains(t, err, "in use")
		}
		ana.Get(kit.Path("patients", p)).Expect(http.StatusOK)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM patients"))
	}, kit.MigrateAgain)
}

func TestADamagedBackupIsRefused(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for range 30 {
			ana.Patient("Ana")
		}
		dir := t.TempDir()
		good := filepath.Join(dir, "good.zip")
		backUp(api, good)
		content, err := os.ReadFile(good)
		require.NoError(t, err)
		flipped := bytes.Clone(content)
		flipped[len(flipped)/2] ^= 0xff
		target := elsewhere(api)
		for name, damaged := range map[string][]byte{
			"empty": nil, "text": []byte("no backup at all"), "cut": content[:len(content)/2], "flipped": flipped,
			"no database":        rezip(t, content, map[string][]byte{"database": nil}),
			"another database":   rezip(t, content, map[string][]byte{"database": []byte("garbage")}),
			"wrong manifest":     rezip(t, content, map[string][]byte{"manifest.json": []byte("{")}),
			"another's manifest": rezip(t, content, map[string][]byte{"manifest.json": []byte(`{"kind": "` + kindOf(api) + `", "tables": {"patients": {"rows": 29, "sha256": "x"}}}`)}),
			"one row less":       rezip(t, content, map[string][]byte{"manifest.json": bytes.Replace(manifestOf(t, content), []byte(`"rows": 30`), []byte(`"rows": 29`), 1)}),
		} {
			file := filepath.Join(dir, "damaged.zip")
			require.NoError(t, os.WriteFile(file, damaged, 0o600))
			_, err := backup.Check(t.Context(), api.Config, file, silent)
			require.Error(t, err, name)
			_, err = backup.Restore(t.Context(), target.Config, file, silent)
			require.Error(t, err, name)
			assert.Empty(t, leftIn(target), name)
		}
		if api.IsPostgres() {
			none := func() bool { // a test beside this one may have just made one that nobody is connected to yet
				return api.Count("SELECT count(*) FROM pg_database WHERE datname LIKE 'healthcare_check_%' AND datname NOT IN (SELECT datname FROM pg_stat_activity WHERE datname IS NOT NULL)") == 0
			}
			require.Eventually(t, none, kit.WaitLimit, 10*time.Millisecond, "a database of a check is left behind")
		}
		_, err = backup.Check(t.Context(), api.Config, filepath.Join(dir, "missing.zip"), silent)
		require.Error(t, err)
	}, kit.MigrateAgain)
}

// leftIn is what a database holds that was empty, and what is beside its file.
func leftIn(there *kit.API) (names []string) {
	there.T.Helper()
	if !there.IsPostgres() {
		entries, err := os.ReadDir(filepath.Dir(there.Config.Database.SQLite))
		require.NoError(there.T, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	return there.Rows("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace" +
		" UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION ALL SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1")
}

func kindOf(api *kit.API) string {
	if api.IsPostgres() {
		return "postgres"
	}
	return "sqlite"
}

func manifestOf(t *testing.T, file []byte) []byte {
	t.Helper()
	return unzipped(t, file)["manifest.json"]
}

func unzipped(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return files
}

// rezip makes a good zip file of a backup with other files in it; nil leaves one out.
func rezip(t *testing.T, content []byte, others map[string][]byte) []byte {
	t.Helper()
	files := unzipped(t, content)
	maps.Copy(files, others)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range files {
		if text == nil {
			continue
		}
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write(text)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}
