package audit

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

	"healthcare/models"
	"healthcare/tests/kit"
)

// who is a patient whose values are like nothing else, and were others before. In each text, traces are what to look for.
var (
	who = kit.Object{
		"name": "Zörgiebel Quastenflosser", "phone": "+49 30 7755331", "email": "quast@flosser.example", "address": "Muschelkalkweg 1",
		"medical_history": strings.Repeat("Hummelallergie ", 600), "date_of_birth": "1931-12-07",
		"identifiers": []kit.Object{{"system": "urn:oid:1.2.276", "value": "KV-55667788"}},
	}
	was    = kit.Object{"identifiers": []kit.Object{{"system": "urn:oid:1.2.276", "value": "AOK-11223344"}}, "name": "Wunderlich Tiefseewels", "phone": "+49 40 6644220", "allergies": "Bernsteinstaub"}
	traces = []string{
		"Quastenflosser", "quastenflosser", "7755331", "quast@flosser", "Muschelkalk", "Hummelallergie", "1931-12-07", "KV-55667788", "AOK-11223344",
		"Tiefseewels", "tiefseewels", "6644220", "Bernsteinstaub",
	}
)

// bytesOf are the bytes of all files of an instance's database.
func bytesOf(api *kit.API) string {
	api.T.Helper()
	var all strings.Builder
	if !api.IsPostgres() {
		for _, side := range []string{"", "-wal", "-shm"} {
			content, err := os.ReadFile(api.Config.Database.SQLite + side)
			require.NoError(api.T, err)
			all.Write(content)
		}
		return all.String()
	}
	api.Exec("CHECKPOINT")
	const folder = "'base/' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || name"
	found, err := api.SQL().Query("SELECT pg_read_binary_file(" + folder + ", 0, 1000000000, true) FROM pg_ls_dir('base/' || (SELECT oid FROM pg_database WHERE datname = current_database())) AS name")
	require.NoError(api.T, err)
	defer func() { _ = found.Close() }()
	for found.Next() {
		var content []byte
		require.NoError(api.T, found.Scan(&content))
		all.Write(content)
	}
	require.NoError(api.T, found.Err())
	return all.String()
}

// uncompressed keeps PostgreSQL from making a long text smaller, so that nobody could look for it in the files.
func uncompressed(api *kit.API) {
	api.T.Helper()
	if api.IsPostgres() {
		api.Exec("ALTER TABLE patients ALTER COLUMN medical_history SET STORAGE EXTERNAL")
		api.Exec("ALTER TABLE events ALTER COLUMN changes SET STORAGE EXTERNAL")
	}
}

func tracesIn(content string) []string {
	found := []string{}
	for _, trace := range traces {
		if strings.Contains(content, trace) {
			found = append(found, trace)
		}
	}
	return found
}

// withHistory makes a patient, id 10, who was another, with a doctor, two remembered answers and a history in three seals of a format.
func withHistory(api *kit.API, format int) (ana *kit.Client) {
	api.T.Helper()
	sealer, err := models.Open(api.T.Context(), api.Config) // so that api remembers no seal that is made anew
	require.NoError(api.T, err)
	ana = api.User("ana")
	seal := func() { require.NoError(api.T, sealer.SealAll(api.T.Context())) }
	for i := range 9 {
		ana.Patient(fmt.Sprint(i))
	}
	seal()
	id := ana.Once(kit.Path("patients"), was, "a-key").Expect(http.StatusCreated).ID()
	require.Equal(api.T, 10, id)
	seal()
	ana.Patch(kit.Path("patients", id), who).Expect(http.StatusOK)
	doctor := ana.Doctor("Dora")
	ana.Once(kit.Path("mappings"), kit.Object{"patient_id": id, "doctor_id": doctor}, "b-key").Expect(http.StatusCreated)
	ana.Assign(1, doctor).Expect(http.StatusCreated)
	seal()
	require.NoError(api.T, sealer.Close())
	api.LiftAppendOnly()
	if format < 3 {
		resealed(api, kit.AuditKey, format)
	}
	ana.Patient("newest")
	api.Seal()
	return ana
}

const reason = "asked for it by letter on 2026-11-24"

func erase(api *kit.API) {
	api.T.Helper()
	code, out := api.RunCommand("10\n", "erase", "patient", "10", "--reason", reason)
	require.Zero(api.T, code, out)
	assert.Contains(api.T, out, "Patient 10 is Zörgiebel Quastenflosser, born 1931-12-07, created ")
	assert.Contains(api.T, out, "Patient 10 is erased: rows: 3; events whose values are gone: 3.")
}

func TestAnErasedPatientIsNowhere(t *testing.T) {
	onEachFormat(t, func(t *testing.T, api *kit.API, format int) {
		uncompressed(api)
		ana, boss := withHistory(api, format), api.Staff("boss")
		assert.Equal(t, traces, tracesIn(bytesOf(api)), "so the search finds what is there")
		erase(api)
		assert.Empty(t, tracesIn(bytesOf(api)))

		for _, c := range []*kit.Client{ana, boss} {
			c.Get(kit.Path("patients", 10)).Expect(http.StatusNotFound)
			c.Get(kit.Path("patients", 10) + "history/").Expect(http.StatusNotFound)
			c.Get(kit.Path("mappings", 10)).Expect(http.StatusNotFound)
			assert.Empty(t, c.Get(kit.Path("patients")+"?search=quastenflosser").Expect(http.StatusOK).Results())
			assert.Len(t, c.Get(kit.Path("mappings")).Expect(http.StatusOK).Results(), 1, "the other patient's")
		}
		boss.Post(kit.Path("patients", 10)+"restore/", nil).Expect(http.StatusNotFound)
		assert.Equal(t, 12, ana.Once(kit.Path("patients"), was, "a-key").Expect(http.StatusCreated).ID(), "its answer is forgotten, its number is not used again")
		left := boss.Get("/api/audit/?action=erase").Expect(http.StatusOK).Results()
		require.Len(t, left, 2)
		assert.Equal(t, []any{"patient", 10.0, reason, nil}, []any{left[0]["object"], left[0]["object_id"], left[0]["reason"], left[0]["user"]})
		assert.Equal(t, []any{"mapping", 1.0, ""}, []any{left[1]["object"], left[1]["object_id"], left[1]["reason"]})
		told := boss.Get("/api/audit/?patient_id=10&action=update").Expect(http.StatusOK).Results()
		require.Len(t, told, 1, "who did what remains")
		assert.Equal(t, "ana", told[0]["user"].(map[string]any)["username"])
	})
}

func TestTheSealsOfErasedEventsHold(t *testing.T) {
	kit.NeedSlow(t)
	for _, packFirst := range []bool{false, true} {
		onEachFormat(t, func(t *testing.T, api *kit.API, format int) {
			withHistory(api, format)
			if packFirst {
				pack(api)
			}
			first, second := api.Count("SELECT min(id) FROM events WHERE patient_id = 10"), 1
			erase(api)
			proved(api, "unchanged: ")
			api.LiftAppendOnly()
			pack(api)
			proved(api, "unchanged: ")
			named := fmt.Sprintf("THE AUDIT TRAIL IS BROKEN: event %d was changed", first)
			var statements []string
			for _, changes := range []string{
				"user_id = 77", "action = 'update'", "changes = '{}'", `changes = '{"name":{"from":null,"to":"Eve"}}'`,
				`changes = '{"erased":""}'`, `changes = '{"erased":"0123"}'`,
				"changes = (SELECT changes FROM events WHERE action = 'update' AND patient_id = 10)", // erased as well, of another event
			} {
				statements = append(statements, fmt.Sprintf("UPDATE events SET %s WHERE id = %d", changes, first))
			}
			broken(api, named, statements...)
			broken(api, fmt.Sprintf("event %d was removed", first), fmt.Sprintf("DELETE FROM events WHERE id = %d", first))
			broken(api, fmt.Sprintf("event %d was changed", second), fmt.Sprintf("UPDATE events SET changes = '{\"erased\":\"00112233445566778899aabbccddeeff\"}' WHERE id = %d", second))
			broken(api, "BROKEN", "DELETE FROM events WHERE action = 'erase' AND object = 'patient'", "UPDATE events SET changes = replace(changes, 'letter', 'phone') WHERE action = 'erase'")
		})
	}
}

func TestAnErasureIsConfirmedAndRepeated(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		withHistory(api, 3)
		before := api.Contents()
		for says, args := range map[string][]string{
			"nothing was erased":             {"10", "--reason", reason},
			"There is no patient 99":         {"99", "--reason", reason, "--yes"},
			"is not the number of a patient": {"Petra", "--reason", reason, "--yes"},
			"--reason is needed, of at most": {"10", "--reason", " ", "--yes"},
			"of at most 500 characters":      {"10", "--reason", strings.Repeat("x", 501), "--yes"},
			"accepts 1 arg(s), received 0":   {"--yes"},
			"not the number of a patient":    {"--reason", reason, "--", "-5"},
		} {
			code, out := api.RunCommand("11\n", append([]string{"erase", "patient"}, args...)...)
			assert.NotZero(t, code, says)
			assert.Contains(t, out, says)
		}
		assert.Equal(t, before, api.Contents())

		api.Exec("INSERT INTO import_rows (import_id, row, record) VALUES (1, 2, '{}')")
		code, out := api.RunCommand("", "erase", "patient", "10", "--reason", reason, "--yes")
		assert.Equal(t, 1, code)
		assert.Contains(t, out, "a file is being imported")
		assert.Equal(t, before, api.Contents())
		api.Exec("DELETE FROM import_rows")

		folder := t.TempDir()
		code, out = api.RunCommand("", "backup", filepath.Join(folder, "monday.zip"))
		require.Zero(t, code, out)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("no backup"), 0o600))
		erase(api)
		code, out = api.RunCommand("", "backup", filepath.Join(folder, "tuesday.zip"))
		require.Zero(t, code, out)
		events := api.Count("SELECT count(*) FROM events")
		code, out = api.RunCommand("", "erase", "patient", "10", "--reason", reason, "--yes", "--backups", folder)
		require.Zero(t, code, out)
		assert.Contains(t, out, "Patient 10 was erased at ")
		assert.Contains(t, out, "monday.zip")
		kit.Absent(t, out, "tuesday.zip", "notes.txt")
		assert.Equal(t, events, api.Count("SELECT count(*) FROM events"))
	})
}

// What waits for the patient while it is erased finds it gone.
func TestAnErasureWhileOthersWriteLeavesNothing(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		uncompressed(api)
		ana := withHistory(api, 3)
		other := kit.Start(t, api.Config)
		kit.AtOnce(9, func(i int) *kit.Response {
			at := ana.At([]*kit.API{api, other}[i%2])
			switch {
			case i == 4:
				_, err := other.DB.ErasePatient(t.Context(), 10, reason)
				assert.NoError(t, err)
				return ana.Get("/api/auth/me/")
			case i%3 == 0:
				return at.Patch(kit.Path("patients", 10), kit.Object{"address": fmt.Sprint("Muschelkalkweg ", i)})
			case i%3 == 1:
				return at.Assign(10, 1)
			}
			return at.Get(kit.Path("patients", 10))
		})
		assert.Zero(t, api.Count("SELECT count(*) FROM patients WHERE id = 10"))
		assert.Zero(t, api.Count("SELECT count(*) FROM mappings WHERE patient_id = 10"))
		assert.Zero(t, api.Count("SELECT count(*) FROM events WHERE patient_id = 10 AND changes LIKE '%Muschelkalk%'"))
		assert.Empty(t, tracesIn(bytesOf(api)))
		proved(api, "unchanged: ")
	})
}

// A backup that is being made reads as of when it began, and keeps what was there then.
func TestAnErasureWaitsForWhoStillSeesThePatient(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		uncompressed(api)
		withHistory(api, 3)
		reader, err := api.SQL().BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
		if !api.IsPostgres() {
			reader, err = api.SQL().Begin()
		}
		require.NoError(t, err)
		var n int
		require.NoError(t, reader.QueryRow("SELECT count(*) FROM doctors").Scan(&n))
		ended := make(chan error)
		go func() {
			_, err := api.DB.ErasePatient(t.Context(), 10, reason)
			ended <- err
		}()
		gone := func() bool {
			var left int
			return assert.NoError(t, api.SQL().QueryRow("SELECT count(*) FROM patients WHERE id = 10").Scan(&left)) && left == 0
		}
		require.Eventually(t, gone, kit.WaitLimit, 10*time.Millisecond)
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		require.NoError(t, reader.Rollback())
		require.NoError(t, <-ended)
		assert.Empty(t, tracesIn(bytesOf(api)))
	})
}
