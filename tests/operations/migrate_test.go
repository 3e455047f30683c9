package operations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
	"healthcare/tests/kit"
)

// schemaOf is all that the database knows of its tables. Any change of a table, an index or a check shows in it, even
// one that comes to the same: PostgreSQL's catalogue rows get a new xmin, SQLite counts its schema's versions.
func schemaOf(api *kit.API) string {
	api.T.Helper()
	queries := []string{"SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1", "SELECT 'version ' || schema_version FROM pragma_schema_version"}
	if api.IsPostgres() {
		queries = []string{
			"SELECT concat_ws(' ', 'table', relname, relkind, oid, relfilenode) FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
			"SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, a.xmin)" +
				" FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
			"SELECT concat_ws(' ', 'constraint', conrelid::regclass, pg_get_constraintdef(oid), xmin) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1",
			"SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), xmin) FROM pg_index" +
				" WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) ORDER BY 1",
		}
	}
	lines := []string{}
	for _, query := range queries {
		lines = append(lines, api.Rows(query)...)
	}
	return strings.Join(lines, "\n")
}

func TestAnotherStartChangesNeitherTablesNorData(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		schema, contents := schemaOf(api), api.Contents()
		for range 2 {
			again := kit.Start(t, api.Config)
			assert.Len(t, ana.At(again).Get("/api/mappings/").Expect(http.StatusOK).Results(), 1)
		}
		assert.Equal(t, schema, schemaOf(api))
		assert.Equal(t, contents, api.Contents())
		// The comparison would notice: the same index, made anew, is another.
		api.Exec("DROP INDEX mappings_doctor")
		api.Exec("CREATE INDEX mappings_doctor ON mappings (doctor_id) WHERE deleted_at IS NULL")
		assert.NotEqual(t, schema, schemaOf(api))
	}, kit.MigrateAgain)
}

func TestADroppedIndexComesBackAtTheNextStart(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.Exec("DROP INDEX mappings_pair")
		kit.Absent(t, schemaOf(api), "mappings_pair")
		kit.Start(t, api.Config)
		assert.Contains(t, schemaOf(api), "mappings_pair")
	}, kit.MigrateAgain)
}

func TestAnIndexOfAnEarlierVersionGoesAtTheNextStart(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.Exec("CREATE INDEX patients_owner_created ON patients (created_by, created_at, id) WHERE deleted_at IS NULL")
		kit.Start(t, api.Config)
		kit.Absent(t, schemaOf(api), "patients_owner_created")
	}, kit.MigrateAgain)
}

func TestTheListsHaveTheirIndexes(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		schema := schemaOf(api)
		for _, index := range []string{
			"users_username", "users_email", "doctors_license_key", "mappings_pair", "mappings_doctor", "mappings_owner_newest", "mappings_newest",
			"patients_owner_newest", "patients_owner_updated", "patients_owner_name", "patients_newest",
			"doctors_newest", "doctors_updated", "doctors_name",
		} {
			assert.Contains(t, schema, index)
		}
	}, kit.MigrateAgain)
}

func TestTheDatabaseItselfRefusesWhatBreaksTheRules(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		ana.Patient("Paul")
		ana.Post("/api/doctors/", kit.Records[1].Full).Expect(http.StatusCreated)
		before := api.Contents()
		for _, statement := range []string{
			// checks
			"UPDATE patients SET name = ''", "UPDATE patients SET gender = 'x'", "UPDATE patients SET blood_group = 'C+'", "UPDATE patients SET version = 0",
			"UPDATE doctors SET name = ''", "UPDATE doctors SET specialization = ''", "UPDATE doctors SET years_of_experience = 81",
			"UPDATE doctors SET years_of_experience = -1", "UPDATE doctors SET version = 0",
			// nulls
			"UPDATE users SET username_key = NULL", "UPDATE patients SET name = NULL", "UPDATE doctors SET license_number = NULL", "UPDATE mappings SET doctor_id = NULL",
			"UPDATE patients SET created_by = NULL", "UPDATE mappings SET owner_id = NULL", "UPDATE patients SET created_at = NULL",
			// references
			"UPDATE patients SET created_by = 99", "UPDATE doctors SET created_by = 99", "UPDATE mappings SET patient_id = 99", "UPDATE mappings SET doctor_id = 99",
			"UPDATE mappings SET owner_id = 99", "UPDATE mappings SET assigned_by = 99", "DELETE FROM users", "DELETE FROM patients WHERE id = 1", "DELETE FROM doctors WHERE id = 1",
			"UPDATE patients SET id = 77 WHERE id = 1",
			// unique rules
			"INSERT INTO users (username, email, first_name, last_name, username_key, email_key, search_text, password_hash, is_staff, is_active, created_at, updated_at)" +
				" SELECT username, email, '', '', username_key, 'other', '', '', false, true, created_at, updated_at FROM users",
			"INSERT INTO users (username, email, first_name, last_name, username_key, email_key, search_text, password_hash, is_staff, is_active, created_at, updated_at)" +
				" SELECT username, email, '', '', 'other', email_key, '', '', false, true, created_at, updated_at FROM users",
			"UPDATE doctors SET license_key = 'l-1'",
			"INSERT INTO mappings (patient_id, doctor_id, owner_id, assigned_by, created_at, removed_with)" +
				" SELECT patient_id, doctor_id, owner_id, assigned_by, created_at, '' FROM mappings",
		} {
			_, err := api.SQL().Exec(statement)
			assert.ErrorContains(t, err, "onstraint", statement)
		}
		assert.Equal(t, before, api.Contents())
		// Among the deleted, licences and pairs may stand twice.
		api.Exec("UPDATE doctors SET license_key = 'l-1', deleted_at = created_at WHERE id = 1")
		api.Exec("INSERT INTO mappings (patient_id, doctor_id, owner_id, assigned_by, created_at, deleted_at, removed_with)" +
			" SELECT patient_id, doctor_id, owner_id, assigned_by, created_at, created_at, '' FROM mappings")
	}, kit.MigrateAgain)
}

func TestInstancesThatStartAtOnceOnAnEmptyDatabaseAllServe(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	for name, empty := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "new.db") },
		"postgres": func() string { return kit.FreshPostgresFrom(t, "") },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := kit.BaseConfig(empty())
			cfg.MaxConns = 2
			errs := make(chan error, 6)
			for range 6 {
				go func() {
					db, err := models.Open(t.Context(), cfg)
					if err == nil {
						err = db.Ready(t.Context())
						err = errors.Join(err, db.Close())
					}
					errs <- err
				}()
			}
			for range 6 {
				assert.NoError(t, <-errs)
			}
			kit.EveryTable(kit.Start(t, cfg))
		})
	}
}

func TestServersThatStartAtOnceOnANewFileAllServe(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	dir := t.TempDir()
	servers := []*kit.Process{}
	for range 6 {
		servers = append(servers, kit.Launch(t, dir, nil))
	}
	ana := servers[0].Serving().User("ana")
	for _, p := range servers {
		ana.At(p.Serving()).Patient("Petra")
	}
	assert.Equal(t, 6.0, ana.Get("/api/patients/").Expect(http.StatusOK).JSON["count"])
}

func TestAServerThatIsKilledWhileItMigratesLeavesNoLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := kit.Launch(t, dir, nil)
	begun := func() bool {
		_, err := os.Stat(filepath.Join(dir, "healthcare.db-wal"))
		return err == nil
	}
	require.Eventually(t, begun, kit.WaitLimit, 100*time.Microsecond)
	require.NoError(t, p.Cmd.Process.Kill())
	p.ExitCode()
	kit.EveryTable(kit.Launch(t, dir, nil).Serving())
}

func TestAServerWaitsWhileAnotherMigrates(t *testing.T) {
	t.Parallel()
	cfg := migrating(kit.FreshSQLite(t))
	other, err := sql.Open("sqlite", cfg.Database.SQLite+"?_txlock=immediate")
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	migration, err := other.Begin()
	require.NoError(t, err)
	time.AfterFunc(7*time.Second, func() { _ = migration.Rollback() }) // longer than one statement waits
	db, err := models.Open(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, db.Close())

	migration, err = other.Begin()
	require.NoError(t, err)
	defer func() { _ = migration.Rollback() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // as a signal ends the start
	defer cancel()
	_, err = models.Open(ctx, cfg)
	assert.Error(t, err)
}

func TestABrokenReferenceStopsTheStart(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, migrating(kit.FreshSQLite(t)))
	kit.EveryTable(api)
	db, err := sql.Open("sqlite", api.Config.Database.SQLite) // without foreign keys
	require.NoError(t, err)
	_, err = db.Exec("UPDATE mappings SET doctor_id = 99")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = models.Open(t.Context(), api.Config)
	assert.ErrorContains(t, err, "rows of mappings refer to rows that do not exist")
}

func TestADatabaseThatCannotBeOpenedIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "not.db"), []byte(strings.Repeat("This is no database. ", 100)), 0o600))
	port, err := kit.FreePort()
	require.NoError(t, err)
	for _, database := range []string{
		"sqlite:" + filepath.Join(dir, "not.db"), fmt.Sprintf("postgres://clinic:hunter2@127.0.0.1:%d/clinic?connect_timeout=2", port),
	} {
		_, err := models.Open(t.Context(), kit.BaseConfig(database))
		if assert.Error(t, err, database) {
			kit.Absent(t, err.Error(), "hunter2")
		}
	}
}
