package operations

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// fillEverything puts something of all kinds into a database, and seals it.
func fillEverything(api *kit.API) (ana, boss *kit.Client) {
	ana, boss = kit.EveryTable(api), api.Staff("boss")
	p := ana.Post("/api/patients/", kit.Object{
		"name": "Ünï 'Æ'\u2028", "date_of_birth": "1900-01-01", "gender": "other", "phone": "+49 30 1", "medical_history": "a\\b\n\tc",
		"identifiers": []kit.Object{{"system": "urn:clinic:file", "value": "7"}},
	}).Expect(http.StatusCreated).ID()
	ana.Patch(kit.Path("patients", p), kit.Object{"allergies": `{"x": "\\."}`}).Expect(http.StatusOK)
	gone := ana.Patient("Gone")
	ana.Assign(gone, ana.Doctor("Zoe")).Expect(http.StatusCreated)
	ana.Once("/api/patients/", kit.Object{"name": "Once"}, "a key").Expect(http.StatusCreated)
	ana.Delete(kit.Path("patients", gone)).Expect(http.StatusNoContent)
	ana.Get("/api/patients/").Expect(http.StatusOK)
	api.TryLogin("nobody", "wrong")
	boss.Post("/api/users/", kit.Object{"username": "cem", "email": "cem@example.org"}).Expect(http.StatusCreated)
	boss.Get("/api/audit/").Expect(http.StatusOK)
	api.Seal()
	return ana, boss
}

// seen is every list, history and record that the two accounts see, with its ETag, and the audit trail until a time.
func seen(ana, boss *kit.Client, until string) string {
	var all strings.Builder
	add := func(c *kit.Client, path string) {
		r := c.Get(path).Expect(http.StatusOK)
		_, _ = fmt.Fprintln(&all, path, r.Header.Get("ETag"), strings.ReplaceAll(r.Raw, c.API.URL, ""))
	}
	add(boss, "/api/audit/?page_size=100&until="+until)
	for _, path := range []string{"/api/patients/", "/api/patients/?deleted=true", "/api/patients/?search=%C3%BCni", "/api/doctors/?ordering=name", "/api/mappings/", "/api/users/", "/api/patients/?identifier=urn:clinic:file%7C7"} {
		add(boss, path)
	}
	for _, row := range ana.Get("/api/patients/?ordering=-name").Results() {
		add(ana, kit.Path("patients", row["id"]))
		add(ana, kit.Path("patients", row["id"], "history"))
		add(ana, kit.Path("mappings", row["id"]))
		add(boss, fmt.Sprintf("/api/audit/?until=%s&patient_id=%v", until, row["id"]))
	}
	return all.String()
}

// moveTo moves all data of an instance, and returns the exit code and what was printed.
func moveTo(t *testing.T, api *kit.API, address string) (code int, printed string) {
	t.Helper()
	return api.RunCommand("", "move", "--to", address)
}

// otherKind is the address of an empty database of the other kind.
func otherKind(t *testing.T, api *kit.API) string {
	t.Helper()
	if api.IsPostgres() {
		return "sqlite:" + filepath.Join(t.TempDir(), "moved.db")
	}
	kit.NeedPostgres(t)
	return kit.FreshPostgres(t)
}

func TestMoveTakesEverythingToTheOtherKindOfDatabaseAndBack(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, first *kit.API) {
		ana, boss := fillEverything(first)
		until := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		want := seen(ana, boss, until)
		at := first
		for range 2 {
			_, err := at.VerifyAudit()
			require.NoError(t, err)
			address := otherKind(t, at)
			code, out := moveTo(t, at, address)
			require.Equal(t, 1, code, out)
			assert.Contains(t, out, "in use")
			at.Stop()
			code, out = moveTo(t, at, address)
			require.Equal(t, 0, code, out)
			assert.Contains(t, out, "all as they were")
			if at.IsPostgres() {
				assert.Contains(t, out, "keep JWT_SECRET, AUDIT_KEY and AUDIT_OLD_KEYS as they are")
			}
			cfg := *at.Config
			cfg.Database, cfg.AuditSealFile = config.Database{}, ""
			require.NoError(t, cfg.Database.UnmarshalText([]byte(address)))
			at = kit.Start(t, &cfg)
			assert.Equal(t, want, seen(ana.At(at), boss.At(at), until))
			report, err := at.VerifyAudit()
			require.NoError(t, err)
			assert.Positive(t, report.Events)
			id := ana.At(at).Patient("After")
			assert.NotContains(t, want, fmt.Sprintf(`"id":%d,"name":"After"`, id))
			ana.At(at).Delete(kit.Path("patients", id)).Expect(http.StatusNoContent)
			want = seen(ana.At(at), boss.At(at), until)
			at.Seal()
		}
	}, kit.MigrateAgain)
}

func TestAMoveThatFailsLeavesNoRow(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	kit.NeedPostgres(t)
	source, target := kit.Start(t, migrating(kit.FreshSQLite(t))), kit.Start(t, migrating(kit.FreshPostgres(t)))
	fillEverything(source)
	source.Stop()
	target.Stop()
	file, err := sql.Open("sqlite", source.Config.Database.SQLite)
	require.NoError(t, err)
	set := func(address string) {
		_, err := file.Exec("UPDATE patients SET address = " + address)
		require.NoError(t, err)
	}
	set("'a' || char(0) || 'b'") // which PostgreSQL has no texts of
	code, out := moveTo(t, source, target.Config.Database.Postgres)
	assert.Equal(t, 1, code, out)
	assert.Contains(t, out, "table patients")
	assert.Zero(t, target.Count("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM patients) + (SELECT count(*) FROM events)"))
	assert.Equal(t, 1, target.Count("SELECT count(*) FROM pg_indexes WHERE indexname = 'events_patients'"))
	set("''")
	require.NoError(t, file.Close())
	code, out = moveTo(t, source, target.Config.Database.Postgres)
	assert.Equal(t, 0, code, out)
	assert.Equal(t, 4, target.Count("SELECT count(*) FROM patients"))
}

func TestMoveKeepsWhatAnEventsNumberLacks(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	kit.NeedPostgres(t)
	source := kit.Start(t, migrating(kit.FreshPostgres(t)))
	ana, _ := fillEverything(source)
	source.Exec("SELECT nextval('events_id_seq'), nextval('events_id_seq')") // of a transaction that failed
	ana.Patient("After the gap")
	source.Seal()
	source.Stop()
	address := otherKind(t, source)
	code, out := moveTo(t, source, address)
	require.Equal(t, 0, code, out)
	cfg := *source.Config
	cfg.Database = config.Database{SQLite: strings.TrimPrefix(address, "sqlite:")}
	moved := kit.Start(t, &cfg)
	ana.At(moved).Patient("Next")
	moved.Seal()
	_, err := moved.VerifyAudit()
	require.NoError(t, err)
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestMoveRefusesATargetThatIsNotEmptyAndLeavesItAlone(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		fillEverything(api)
		target := kit.Start(t, migrating(otherKind(t, api)))
		target.User("ben")
		target.Stop()
		api.Stop()
		address := "sqlite:" + target.Config.Database.SQLite
		held := func() string { return fileText(t, target.Config.Database.SQLite) }
		if target.IsPostgres() {
			address, held = target.Config.Database.Postgres, target.Contents
		}
		before := held()
		code, out := moveTo(t, api, address)
		assert.Equal(t, 1, code, out)
		assert.Contains(t, out, "not empty")
		assert.Equal(t, before, held())
		left, err := filepath.Glob(filepath.Join(filepath.Dir(target.Config.Database.SQLite), ".move-*"))
		require.NoError(t, err)
		assert.Empty(t, left)
		code, out = moveTo(t, api, "postgres://u:secret@127.0.0.1/x")
		assert.Equal(t, 2, code)
		assert.Contains(t, out, "PGPASSWORD")
		kit.Absent(t, out, "secret@")
	}, kit.MigrateAgain)
}
