package operations

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/backup"
	"healthcare/tests/kit"
)

const (
	lastBackup = "healthcare_backup_last_success_timestamp_seconds"
	lastCheck  = "healthcare_backup_last_check_timestamp_seconds"
	notNoted   = "not noted in the database"
)

// saysOfBackups is what an instance tells Prometheus of its backups, as soon as its database has answered.
func saysOfBackups(api *kit.API) (made, checked float64) {
	api.T.Helper()
	told := func() bool {
		now, _ := api.Scrape()
		_, known := now[lastBackup]
		made, checked = now[lastBackup], now[lastCheck]
		return known
	}
	require.Eventually(api.T, told, kit.WaitLimit, 10*time.Millisecond)
	return made, checked
}

func runs(api *kit.API, args ...string) (says string) {
	api.T.Helper()
	code, says := api.RunCommand("", args...)
	require.Zero(api.T, code, says)
	return says
}

func TestMetricsTellOfTheLastBackupAndItsCheck(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana").Patient("Petra")
		made, checked := saysOfBackups(api)
		assert.Zero(t, made)
		assert.Zero(t, checked)

		first, second := filepath.Join(t.TempDir(), "first.zip"), filepath.Join(t.TempDir(), "second.zip")
		elsewhere := backUp(api, first).MadeAt // as on a standby, where nothing can be noted
		began := time.Now()
		kit.Absent(t, runs(api, "backup", second), notNoted)
		made, checked = saysOfBackups(api)
		assert.GreaterOrEqual(t, made, float64(began.UnixMilli())/1000)
		assert.Zero(t, checked)

		kit.Absent(t, runs(api, "backup", "--check", first), notNoted)
		still, checked := saysOfBackups(api)
		assert.InDelta(t, made, still, 0, "the check of an older one")
		assert.GreaterOrEqual(t, checked, made)
		assert.Greater(t, made, float64(elsewhere.UnixMilli())/1000)

		code, _ := api.RunCommand("", "backup", second) // there is one of that name
		assert.Equal(t, 1, code)
		code, _ = api.RunCommand("", "backup", "--check", altered(t, first, func(m *backup.Manifest) { delete(m.Tables, "users") }))
		assert.Equal(t, 1, code)
		stillMade, stillChecked := saysOfBackups(api)
		assert.InDelta(t, made, stillMade, 0, "one that failed")
		assert.InDelta(t, checked, stillChecked, 0, "one that failed")
	}, kit.WithMetrics)
}

// What is checked with the primary's address was mostly made by a standby.
func TestTheCheckOfANewerBackupTellsOfItToo(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		file := filepath.Join(t.TempDir(), "backup.zip")
		m := backUp(api, file)
		runs(api, "backup", "--check", file)
		made, checked := saysOfBackups(api)
		assert.InDelta(t, float64(m.MadeAt.UnixMilli())/1000, made, 0)
		assert.GreaterOrEqual(t, checked, made)
	}, kit.WithMetrics)
}

// It is a day too old then, so that nobody relies on a backup that only another database had.
func TestARestoredAndAMovedDatabaseTellOfTheBackupBefore(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		dir := t.TempDir()
		runs(api, "backup", filepath.Join(dir, "before.zip"))
		before, _ := saysOfBackups(api)
		runs(api, "backup", filepath.Join(dir, "last.zip"))
		last, _ := saysOfBackups(api)
		assert.Greater(t, last, before)

		restored := elsewhere(api)
		runs(restored, "restore", filepath.Join(dir, "last.zip"))
		made, checked := saysOfBackups(kit.Start(t, restored.Config))
		assert.InDelta(t, before, made, 0)
		assert.Zero(t, checked)

		api.Stop()
		address := otherKind(t, api)
		runs(api, "move", "--to", address)
		cfg := kit.BaseConfig(address)
		kit.WithMetrics(cfg)
		made, _ = saysOfBackups(kit.Start(t, cfg))
		assert.InDelta(t, last, made, 0)
	}, kit.WithMetrics)
}

func TestABackupThatCannotBeNotedIsMadeAllTheSame(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshPostgres(t)))
	api.User("ana").Patient("Petra")
	file := filepath.Join(t.TempDir(), "backup.zip")
	api.Exec("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$") // as a standby
	says := runs(api, "backup", file)
	assert.Contains(t, says, notNoted)
	assert.Contains(t, says, "read-only transaction")
	api.Exec("SET default_transaction_read_only = off; DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' RESET default_transaction_read_only'; END $$")
	kit.Absent(t, runs(api, "backup", "--check", file), notNoted)
}

func TestACheckWithoutADatabaseMakesNone(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
	file := filepath.Join(t.TempDir(), "backup.zip")
	backUp(api, file)
	nowhere := elsewhere(api)
	assert.Contains(t, runs(nowhere, "backup", "--check", file), notNoted)
	assert.Empty(t, leftIn(nowhere))
}
