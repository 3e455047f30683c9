package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/logging"
	"healthcare/tests/kit"
)

// loggedOf awaits the line of an answer, as text.
func loggedOf(api *kit.API, r *kit.Response) (line string) {
	api.T.Helper()
	found := func() bool {
		for l := range strings.Lines(api.Log.String()) {
			if strings.Contains(l, "request_id="+r.Header.Get("X-Request-ID")) {
				line = strings.TrimSuffix(l, "\n")
				return strings.HasSuffix(l, "\n")
			}
		}
		return false
	}
	require.Eventually(api.T, found, kit.WaitLimit, time.Millisecond)
	return line
}

// timeIn is one of the times in a line of the log.
func timeIn(t *testing.T, line, name string) time.Duration {
	t.Helper()
	_, value, found := strings.Cut(line, " "+name+"=")
	require.True(t, found, line)
	value, _, _ = strings.Cut(value, " ")
	d, err := time.ParseDuration(value)
	require.NoError(t, err, line)
	return d
}

func TestASlowRequestSaysWhereItsTimeWent(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		patient := ana.Patient("Petra")
		for _, r := range []*kit.Response{
			ana.Get("/api/patients/?search=Petra").Expect(http.StatusOK),
			ana.Get(kit.Path("patients", patient)).Expect(http.StatusOK),
			ana.Patch(kit.Path("patients", patient), kit.Object{"name": "Paula"}).Expect(http.StatusOK),
		} {
			line := loggedOf(api, r)
			assert.Contains(t, line, "level=WARN")
			assert.Contains(t, line, "slow=true")
			assert.Positive(t, timeIn(t, line, "database"), line)
			assert.Positive(t, timeIn(t, line, "writing"), line)
			assert.Less(t, timeIn(t, line, "database")+timeIn(t, line, "waiting"), timeIn(t, line, "took"), line)
		}
		release := holdDatabase(t, api)
		answered := make(chan *kit.Response)
		go func() { answered <- ana.Patch(kit.Path("patients", patient), kit.Object{"name": "Petra"}) }()
		waits := func() bool {
			now, _ := api.Scrape()
			return now["healthcare_writes_waiting"]+now[`healthcare_pool_waits_total{pool="all"}`] > 0
		}
		require.Eventually(t, waits, kit.WaitLimit, time.Millisecond)
		time.Sleep(20 * time.Millisecond) // what is measured, at least
		release()
		line := loggedOf(api, (<-answered).Expect(http.StatusOK))
		assert.GreaterOrEqual(t, timeIn(t, line, "waiting"), 20*time.Millisecond, line)
	}, kit.WithMetrics, func(cfg *config.Config) { cfg.MaxConns, cfg.SlowRequest = 1, time.Nanosecond })
}

func TestAFastRequestIsNoWarning(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		line := loggedOf(api, api.User("ana").Get("/api/patients/").Expect(http.StatusOK))
		assert.Contains(t, line, "level=INFO")
		kit.Absent(t, line, "slow", "database=")
	}, func(cfg *config.Config) { cfg.SlowRequest = time.Hour })
}

func TestNothingIsSlowWhereThatIsOff(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		kit.Absent(t, loggedOf(api, api.User("ana").Get("/api/patients/").Expect(http.StatusOK)), "WARN", "slow", "database=")
	}, func(cfg *config.Config) { cfg.SlowRequest = 0 })
}

func TestARepeatedErrorIsLoggedOnceASecondWithItsNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where time passes at once
		out := &kit.Buffer{}
		log, flush := logging.New(out, "text", slog.LevelInfo)
		for i := range 1000 { // for a second and a half
			log.Error("broken", "error", "no\nat line "+fmt.Sprint(i), "request_id", i)
			log.Warn("request", "cause", "pool", "route", "/a", "request_id", i)
			time.Sleep(1500 * time.Microsecond)
		}
		log.Error("broken", "error", "something else")
		log.Warn("no error")
		log.Warn("no error")
		log.Info("request", "error", "at a level that says it is none")
		log.Info("request", "error", "at a level that says it is none")
		time.Sleep(3 * time.Second)
		log.Error("broken", "error", "no")
		log.Error("broken", "error", "no")
		flush()
		text := out.String()
		count := func(words string) int { return strings.Count(text, words) }
		assert.Equal(t, 5, count("msg=broken error=no")+count(`msg=broken error="no\n`), text) // 0 s, 1 s, 2 s, later, flush
		assert.Equal(t, 3, count("cause=pool"), text)
		assert.Equal(t, 1, count("something else"), text)
		assert.Equal(t, 2, count(`msg="no error"`), text)
		assert.Equal(t, 2, count("says it is none"), text)
		said := 0
		for line := range strings.Lines(text) {
			if _, n, repeated := strings.Cut(line, "repeated="); repeated && strings.Contains(line, "cause=pool") {
				var times int
				_, err := fmt.Sscan(n, &times)
				require.NoError(t, err)
				said += times
			}
		}
		assert.Equal(t, 999, said, "of a thousand, the first is a line of its own: %s", text)
	})
}

// noDescriptors is a listener that cannot accept, as in a process that has no file descriptor left, and then ends.
type noDescriptors struct {
	net.Listener
	refused int
}

func (l *noDescriptors) Accept() (net.Conn, error) {
	l.refused++
	if l.refused > 3 {
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

func TestRunningOutOfFileDescriptorsIsLogged(t *testing.T) {
	t.Parallel()
	out := &kit.Buffer{}
	log, flush := logging.New(out, "text", slog.LevelInfo)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{ErrorLog: logging.ForServer(log), ReadHeaderTimeout: time.Second}
	require.ErrorIs(t, server.Serve(&noDescriptors{Listener: listener}), net.ErrClosed)
	flush()
	require.Contains(t, out.String(), `level=ERROR msg="no connection can be taken" error="accept tcp: accept4: too many open files"`)
	assert.Contains(t, out.String(), "repeated=2")
	server.ErrorLog.Print("http: TLS handshake error from 192.0.2.1: EOF")
	kit.Absent(t, out.String(), "192.0.2.1") // what clients do
}

func TestTheLogCanBeJSON(t *testing.T) {
	t.Parallel()
	p := kit.Launch(t, t.TempDir(), nil, "LOG_FORMAT=json")
	p.Serving().Nobody().Get("/readyz").Expect(http.StatusOK)
	var line struct {
		Level, Msg, Route string
		Status            int
	}
	require.NoError(t, json.Unmarshal([]byte(p.Err.Lines(t, 1)[0]), &line))
	assert.Equal(t, "INFO request /readyz 200", fmt.Sprint(line.Level, " ", line.Msg, " ", line.Route, " ", line.Status))
}

func TestAStartThatWaitsForAnotherInstanceSaysSoAndEnds(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		held, err := api.SQL().Conn(t.Context())
		require.NoError(t, err)
		hold, letGo := fmt.Sprintf("SELECT pg_advisory_lock(%d)", 0x636c696e6963), "SELECT pg_advisory_unlock_all()"
		if !api.IsPostgres() {
			hold, letGo = "BEGIN IMMEDIATE", "ROLLBACK"
		}
		_, err = held.ExecContext(t.Context(), hold)
		require.NoError(t, err)
		dir := t.TempDir()
		environ := append(api.Environ(), "MIGRATION_TIMEOUT=4s")
		code, stdout, stderr := kit.RunProgram(t, dir, nil, environ...)
		assert.Equal(t, 1, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "waiting for another instance")
		assert.Contains(t, stderr, "healthcare: MIGRATION_TIMEOUT: another instance")
		_, err = held.ExecContext(t.Context(), letGo)
		require.NoError(t, errors.Join(err, held.Close()))
		p := kit.Launch(t, dir, nil, environ...)
		p.Serving().Nobody().Get("/readyz").Expect(http.StatusOK)
		kit.Absent(t, p.Err.String(), "waiting for another")
	})
}
