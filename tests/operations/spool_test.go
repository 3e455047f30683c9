package operations

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// holdEvents keeps every other process from storing an event, but not from reading, until it is let go.
func holdEvents(api *kit.API) (letGo func()) {
	api.T.Helper()
	conn, err := api.SQL().Conn(api.T.Context())
	require.NoError(api.T, err)
	statements := []string{"BEGIN IMMEDIATE"}
	if api.IsPostgres() {
		statements = []string{"BEGIN", "LOCK TABLE events IN SHARE MODE"}
	}
	for _, s := range statements {
		_, err := conn.ExecContext(api.T.Context(), s)
		require.NoError(api.T, err)
	}
	return func() {
		_, err := conn.ExecContext(api.T.Context(), "ROLLBACK")
		require.NoError(api.T, err)
		require.NoError(api.T, conn.Close())
	}
}

func endProperly(p *kit.Process) {
	p.T.Helper()
	require.NoError(p.T, p.Cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(p.T, p.ExitCode(), "%s", p.Err)
}

func TestReadsThatCouldNotBeStoredAreStoredAtTheNextStart(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		patient := kit.Path("patients", ana.Patient(kit.Marker))
		spool := t.TempDir()
		launch := func() *kit.Process {
			return kit.Launch(t, t.TempDir(), nil, append(api.Environ(), "SPOOL_DIR="+spool)...)
		}
		reads := func() []string {
			return api.Rows("SELECT at, user_id, object_id, patient_id, patient_ids, changes, address, outcome, request_id FROM events WHERE action = 'read' ORDER BY id")
		}
		p := launch()
		there := ana.At(p.Serving())
		letGo := holdEvents(api)
		var ids []string
		for range 3 {
			ids = append(ids, there.Get(patient).Expect(http.StatusOK).Header.Get("X-Request-ID"))
		}
		ended := time.Now()
		endProperly(p)
		letGo()
		assert.Contains(t, p.Err.String(), "audit events could not be stored; the next start does it")
		assert.Empty(t, reads())

		files, err := filepath.Glob(filepath.Join(spool, "*"))
		require.NoError(t, err)
		require.Len(t, files, 1)
		info, err := os.Stat(files[0])
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
		kept, err := os.ReadFile(files[0])
		require.NoError(t, err)
		kit.Absent(t, string(kept), kit.Marker, ana.Token)

		foreign := map[string]string{ // what is refused, and why
			files[0] + "CHANGED": "or it was changed since",
			files[0] + "CUT":     "or it was changed since",
			files[0] + "EMPTY":   "or it was changed since",
			files[0] + "LINK":    "it is no file of this program's",
			files[0] + "FOLDER":  "it is no file of this program's",
			files[0] + ".1.part": "its writer was killed before it was whole",
		}
		changed := bytes.Clone(kept)
		changed[len(changed)-8] ^= 1
		for suffix, content := range map[string][]byte{"CHANGED": changed, "CUT": kept[:len(kept)/2], "EMPTY": nil, ".1.part": kept[:9]} {
			require.NoError(t, os.WriteFile(files[0]+suffix, content, 0o600))
		}
		require.NoError(t, os.Chtimes(files[0]+".1.part", ended.Add(-time.Hour), ended.Add(-time.Hour)))
		require.NoError(t, os.Symlink("/etc/passwd", files[0]+"LINK"))
		require.NoError(t, os.Mkdir(files[0]+"FOLDER", 0o700))
		p = launch()
		p.Serving()
		p.Await(p.Err, "audit events of an earlier run are stored")
		for file, why := range foreign {
			p.Await(p.Err, "file="+file+" error")
			assert.Regexp(t, `the file stays where it is" file=`+regexp.QuoteMeta(file)+` error=".*`+why, p.Err.String())
			_, err := os.Lstat(file)
			assert.NoError(t, err)
		}
		assert.NoFileExists(t, files[0])
		endProperly(p)
		stored := reads()
		require.Len(t, stored, 3)
		for i, e := range boss.Get("/api/audit/?action=read").Expect(http.StatusOK).Results() { // newest first
			assert.Equal(t, ids[2-i], e["request_id"])
			assert.Contains(t, string(kept), fmt.Sprintf(`"at":%q`, e["at"])) // it happened before the restart
			assert.Equal(t, "ana", e["user"].(kit.Object)["username"])
		}

		require.NoError(t, os.WriteFile(files[0], kept, 0o600)) // as after a crash between storing and removing it
		p = launch()
		p.Serving()
		endProperly(p)
		assert.Equal(t, stored, reads())
		assert.NoFileExists(t, files[0])
		_, err = api.VerifyAudit()
		require.NoError(t, err)
	})
}

func TestAHangupEndsNothing(t *testing.T) {
	t.Parallel()
	p := kit.Launch(t, t.TempDir(), nil)
	api := p.Serving()
	for range 2 {
		require.NoError(t, p.Cmd.Process.Signal(syscall.SIGHUP))
		p.Await(p.Err, "SIGHUP changes nothing")
		api.Nobody().Get("/readyz").Expect(http.StatusOK)
	}
	endProperly(p)
}
