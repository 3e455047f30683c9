package operations

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestExportWritesTheWholeClinicIntoANewFile(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		_, ben, boss := kit.EveryTable(api), api.User("ben"), api.Staff("boss")
		ben.Patient("Ben's")
		file := filepath.Join(t.TempDir(), "patients.csv")
		code, out := api.RunCommand("", "export", "patients", file)
		assert.Equal(t, 0, code, out)
		assert.Contains(t, out, "Exported 2 patients into "+file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(text), "Petra")
		assert.Contains(t, string(text), "Ben's")
		if info, err := os.Stat(file); assert.NoError(t, err) && runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode())
		}
		event := boss.Get("/api/audit/?action=export").Expect(http.StatusOK).Results()[0]
		assert.Nil(t, event["user"])
		assert.Len(t, event["patient_ids"], 2)
		assert.Equal(t, string(text), boss.Get("/api/patients/export/").Expect(http.StatusOK).Raw)
		for _, what := range []string{"doctors", "mappings"} {
			for _, ext := range []string{".csv", ".xlsx", ".jsonl"} {
				file := filepath.Join(t.TempDir(), what+ext)
				code, out := api.RunCommand("", "export", what, file)
				assert.Equal(t, 0, code, out)
				assert.FileExists(t, file)
			}
		}
		code, out = api.RunCommand("", "export", "patients", file)
		assert.Equal(t, 1, code)
		assert.Contains(t, out, "exists")
		again, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(again), "a file that was there is left alone")
	})
}

func TestExportRefusesWhatItCannotWriteAndLeavesNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		dir := t.TempDir()
		for _, wrong := range [][]string{{"patients"}, {"users", filepath.Join(dir, "a.csv")}, {"patients", filepath.Join(dir, "a.pdf")}, {"patients", filepath.Join(dir, "a")}} {
			code, out := api.RunCommand("", append([]string{"export"}, wrong...)...)
			assert.Equal(t, 2, code, out)
		}
		kit.EveryTable(api)
		if api.IsPostgres() {
			api.Exec("ALTER TABLE events ADD CONSTRAINT refuse CHECK (action <> 'export') NOT VALID")
		} else {
			api.Exec("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.action = 'export' BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
		code, out := api.RunCommand("", "export", "patients", filepath.Join(dir, "a.csv"))
		assert.Equal(t, 1, code, out)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}
