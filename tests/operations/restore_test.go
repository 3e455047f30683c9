package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/backup"
	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

// A database that another program uses too, or in our place.
func TestARestoreOnPostgresTakesNoNameThatIsInUse(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	api := kit.Start(t, migrating(kit.FreshPostgres(t)))
	api.User("ana").Patient("Petra")
	file := filepath.Join(t.TempDir(), "backup.zip")
	backUp(api, file)
	taken := map[string]string{"append_only": "FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"}
	for table := range backUp(api, file+".2").Tables {
		taken[table] = "TABLE " + table + " AS SELECT 'kept' AS theirs"
	}
	taken["seals"] = "VIEW seals AS SELECT 'kept' AS theirs"
	require.Len(t, taken, len(models.Tables)+1)
	other := elsewhere(api)
	for name, object := range taken {
		other.Exec("CREATE " + object)
		code, says := other.RunCommand("", "restore", file)
		assert.Equal(t, 1, code, name)
		assert.Contains(t, says, "not empty: it has "+name)
		if name != "append_only" {
			assert.Equal(t, []string{"kept"}, other.Rows("SELECT theirs FROM "+name))
		}
		assert.Len(t, leftIn(other), 1, name)
		kind, _, _ := strings.Cut(object, " ")
		other.Exec("DROP " + kind + " " + name)
		assert.Empty(t, leftIn(other), name)
	}

	other.Exec("CREATE TABLE invoices (theirs text); INSERT INTO invoices VALUES ('kept'); CREATE SCHEMA theirs; CREATE TABLE theirs.patients (name text)")
	code, says := other.RunCommand("", "restore", file)
	require.Zero(t, code, says)
	assert.Equal(t, []string{"kept"}, other.Rows("SELECT theirs FROM invoices"))
	assert.Equal(t, []string{"Petra"}, other.Rows("SELECT name FROM patients"))
	assert.Zero(t, other.Count("SELECT count(*) FROM theirs.patients"))
}

func TestARestoreOnSQLiteReplacesNoOtherProgramsFile(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, migrating(kit.FreshSQLite(t)))
	api.User("ana")
	file := filepath.Join(t.TempDir(), "backup.zip")
	backUp(api, file)
	other := elsewhere(api)
	other.Exec("CREATE TABLE invoices (theirs text)")
	code, says := other.RunCommand("", "restore", file)
	assert.Equal(t, 1, code)
	assert.Contains(t, says, "not empty")
	assert.Zero(t, other.Count("SELECT count(*) FROM invoices"))
	other.Exec("DROP TABLE invoices")
	code, says = other.RunCommand("", "restore", file)
	require.Zero(t, code, says)
}

// altered makes a backup with another manifest.
func altered(t *testing.T, good string, change func(*backup.Manifest)) string {
	t.Helper()
	content, err := os.ReadFile(good)
	require.NoError(t, err)
	m := &backup.Manifest{}
	require.NoError(t, json.Unmarshal(manifestOf(t, content), m))
	change(m)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "altered.zip")
	require.NoError(t, os.WriteFile(file, rezip(t, content, map[string][]byte{"manifest.json": text}), 0o600))
	return file
}

func TestARestoreThatDiffersFromItsManifestLeavesNothing(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		ana.Patient("Petra")
		good := filepath.Join(t.TempDir(), "good.zip")
		backUp(api, good)
		file := altered(t, good, func(m *backup.Manifest) {
			m.Tables["patients"] = backup.TableSum{Rows: 2, SHA256: m.Tables["patients"].SHA256}
			m.Tables["users"] = backup.TableSum{Rows: 1, SHA256: "other"}
		})
		other := elsewhere(api)
		for _, args := range [][]string{{"backup", "--check", file}, {"restore", file}} {
			code, says := other.RunCommand("", args...)
			assert.Equal(t, 1, code)
			assert.Contains(t, says, "table patients has 1 rows, not 2, table users has other content")
			assert.Empty(t, leftIn(other))
		}
		code, says := other.RunCommand("", "restore", good) // and the right one finds room
		require.Zero(t, code, says)
		assert.Equal(t, []any{"Petra"}, ana.At(kit.Start(t, other.Config)).Get("/api/patients/").Expect(http.StatusOK).Column("name"))
	}, kit.MigrateAgain)
}

func TestARestoreThatIsInterruptedLeavesNothing(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana").Patient("Petra")
		file := filepath.Join(t.TempDir(), "backup.zip")
		backUp(api, file)
		target := elsewhere(api)
		for last := int64(0); last <= int64(len(models.Tables)); last++ {
			ctx, cancel := context.WithCancel(t.Context())
			if last == 0 {
				cancel()
			}
			_, err := backup.Restore(ctx, target.Config, file, func(done, _ int64) {
				if done == last {
					cancel()
				}
			})
			require.ErrorIs(t, err, context.Canceled)
			gone := func() bool { return len(leftIn(target)) == 0 } // the server may still be rolling back
			require.Eventually(t, gone, kit.WaitLimit, kit.WaitLimit/1000, "after %d tables: %v", last, leftIn(target))
		}
	}, kit.MigrateAgain)
}

func TestAManifestOfOtherTablesIsRefused(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana").Patient("Petra")
		good := filepath.Join(t.TempDir(), "good.zip")
		tables := backUp(api, good).Tables
		changes := map[string]func(*backup.Manifest){
			`has an unknown table "invoices"`:                 func(m *backup.Manifest) { m.Tables["invoices"] = backup.TableSum{} },
			"lacks the table users, lacks the table sessions": func(m *backup.Manifest) { m.Tables = nil },
			"does not tell of which database":                 func(m *backup.Manifest) { m.Kind = "" },
		}
		for table := range tables {
			changes["manifest lacks the table "+table+";"] = func(m *backup.Manifest) { delete(m.Tables, table) }
		}
		target := elsewhere(api)
		for says, change := range changes {
			file := altered(t, good, change)
			for _, do := range []func(context.Context, *config.Config, string, backup.Progress) (*backup.Manifest, error){backup.Check, backup.Restore} {
				_, err := do(t.Context(), target.Config, file, func(int64, int64) { t.Error("it was restored before it was refused") })
				require.ErrorContains(t, err, says)
				assert.Empty(t, leftIn(target))
			}
		}
	}, kit.MigrateAgain)
}

// What pg_restore writes is read line by line: these look like its ends, are longer than any buffer, or are empty.
func TestTextsOfAnyShapeAreRestoredOnPostgres(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	api := kit.Start(t, migrating(kit.FreshPostgres(t)))
	ana := api.User("ana")
	texts := []string{"", `\.`, "\\.\n", "a\n\\.\nb", "COPY public.users (id) FROM stdin;\n", `\restrict x`, `\N`, "tab\tand\r\n", strings.Repeat("é", 300_000), strings.Repeat("x", 4093)}
	for _, text := range texts {
		_, err := api.SQL().Exec("UPDATE patients SET medical_history = $1 WHERE id = $2", text, ana.Patient("Petra"))
		require.NoError(t, err)
	}
	file := filepath.Join(t.TempDir(), "backup.zip")
	made := backUp(api, file)
	target := elsewhere(api)
	restored, err := backup.Restore(t.Context(), target.Config, file, silent)
	require.NoError(t, err)
	assert.Equal(t, made, restored)
	for i, text := range texts {
		assert.True(t, text == target.Text(fmt.Sprint("SELECT medical_history FROM patients WHERE id = ", i+1)), i)
	}
}

// The keys that clients choose are sorted in another order in another language.
func TestABackupRestoresIntoADatabaseOfAnotherLanguage(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	kit.NeedPostgres(t)
	name := "clinic_test_" + kit.RunID + "_language"
	if _, err := kit.Server.Admin.Exec("CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"); err != nil {
		t.Skip("this server has no ICU: ", err)
	}
	t.Cleanup(func() {
		_, err := kit.Server.Admin.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
		require.NoError(t, err)
	})
	u := *kit.Server.URL
	u.Path = "/" + name
	api := kit.Start(t, kit.BaseConfig(u.String()))
	ana := api.User("ana")
	for _, key := range []string{"a", "B", "_"} {
		ana.Once(kit.Path("patients"), kit.Object{"name": "Petra"}, "key-of-"+key).Expect(http.StatusCreated)
	}
	file := filepath.Join(t.TempDir(), "backup.zip")
	backUp(api, file)
	code, says := api.RunCommand("", "backup", "--check", file)
	require.Zero(t, code, says)
	_, err := backup.Restore(t.Context(), elsewhere(api).Config, file, silent)
	require.NoError(t, err)
}
