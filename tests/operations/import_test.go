package operations

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestACommandImportsAFileAndTakesItBack(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		dir := t.TempDir()
		file, rest := filepath.Join(dir, "clinic.csv"), filepath.Join(dir, "rest.csv")
		require.NoError(t, os.WriteFile(file, []byte("Aktennummer;Name;Telefon;Geb.\n17;Petra;030 1;29.02.1984\n18;Ali;'+49 30 2;31.02.1984\n"), 0o600))
		args := []string{"import", "patients", file, "--owner", "ana", "--map", "Geb.=date_of_birth", "--date-format", "DD.MM.YYYY"}

		code, printed := api.RunCommand("", append(args, "--dry-run")...)
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "Row 3: Geb.: Date has wrong format. Use one of these formats instead: DD.MM.YYYY.")
		assert.Contains(t, printed, "To be created: 1, updated: 0. Unchanged: 0, possible duplicates: 0, refused: 1.")
		code, printed = api.RunCommand("", args...)
		assert.Equal(t, 1, code, printed)
		assert.Contains(t, printed, "nothing is imported, because of these rows")
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM patients"))

		code, printed = api.RunCommand("", append(args, "--skip-refused", "--refused", rest)...)
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "is done. To take it back: healthcare import undo ")
		assert.Equal(t, []any{"Petra"}, ana.Get("/api/patients/").Column("name"), "it belongs to ana")
		left, err := os.ReadFile(rest)
		require.NoError(t, err)
		assert.Equal(t, "Aktennummer,Name,Telefon,Geb.,reason\n18,Ali,'+49 30 2,31.02.1984,Geb.: Date has wrong format. Use one of these formats instead: DD.MM.YYYY.\n", string(left))

		mended := filepath.Join(dir, "mended.csv")
		require.NoError(t, os.WriteFile(mended, []byte("Aktennummer,Name,Telefon,Geb.,reason\n18,Ali,'+49 30 2,28.02.1984,was wrong\n"), 0o600))
		args[2] = mended
		code, printed = api.RunCommand("", args...)
		assert.Equal(t, 0, code, printed)
		assert.Equal(t, []string{"+49 30 2"}, api.Rows("SELECT phone FROM patients WHERE name = 'Ali'"))

		undo := printed[strings.LastIndex(strings.TrimSpace(printed), " ")+1:]
		code, printed = api.RunCommand("", "import", "undo", strings.TrimSpace(undo))
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "Deleted: 1.")
		assert.Equal(t, []any{"Petra"}, ana.Get("/api/patients/").Column("name"))
	})
}

func TestACommandSaysWhatItNeedsToImport(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		for _, c := range []struct {
			code int
			want string
			args []string
		}{
			{2, "--owner NAME", []string{"patients", "x.csv"}},
			{2, "--refused goes with --skip-refused", []string{"patients", "x.csv", "--owner", "ana", "--refused", "y"}},
			{2, "has no =", []string{"patients", "x.csv", "--owner", "ana", "--map", "y"}},
			{1, "there is no active account of that name", []string{"patients", "x.csv", "--owner", "nobody"}},
			{1, "x.csv: no such file or directory", []string{"patients", "x.csv", "--owner", "ana"}},
			{1, "Use one of: patients, doctors, mappings.", []string{"cats", "import_test.go", "--owner", "ana"}},
			{2, "is no number of an import", []string{"undo", "x"}},
			{1, "Not found.", []string{"undo", "7"}},
		} {
			code, printed := api.RunCommand("", append([]string{"import"}, c.args...)...)
			assert.Equal(t, c.code, code, printed)
			assert.Contains(t, printed, c.want)
		}
	})
}
