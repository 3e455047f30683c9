package operations

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestTheProgramServesWithoutAnySetting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := kit.Launch(t, dir, nil)
	api := p.Serving()
	assert.Regexp(t, `^Healthcare API \d+\.\d+\.\d+ on http://127\.0\.0\.1:\d+/ with SQLite, file /.*/healthcare\.db\n`, p.Out)
	ana := api.User("ana")
	ana.Post("/api/patients/", kit.Object{"name": kit.Marker}).Expect(http.StatusCreated)
	for _, file := range []string{"healthcare.db", "healthcare.db-wal", "healthcare.db-shm", "healthcare.db.secret", "healthcare.db.audit-keys"} {
		info, err := os.Stat(filepath.Join(dir, file))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode(), file)
	}
	require.NoError(t, p.Cmd.Process.Signal(os.Interrupt))
	assert.Zero(t, p.ExitCode())

	again := kit.Launch(t, dir, nil)
	after := ana.At(again.Serving()) // the token and the data outlive the restart
	assert.Equal(t, []any{kit.Marker}, after.Get("/api/patients/").Expect(http.StatusOK).Column("name"))
	after.Get("/api/patients/?search=" + kit.Marker + ";x").Expect(http.StatusBadRequest)
	kept, err := os.ReadFile(filepath.Join(dir, "healthcare.db.secret"))
	require.NoError(t, err)
	keys, err := os.ReadFile(filepath.Join(dir, "healthcare.db.audit-keys"))
	require.NoError(t, err)
	kit.Absent(t, string(keys), string(kept))
	kit.Absent(t, p.Out.String()+p.Err.String()+again.Out.String()+again.Err.String(), kit.Marker, kit.Password, ana.Token, string(kept), string(keys)[15:79])
	again.Err.Lines(t, 2) // one for each request
}

func TestFilesThatOthersMayReachAreNamedAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), []byte("PORT=0\n"), 0o600))
	p := kit.Launch(t, dir, nil)
	p.Serving()
	assert.Empty(t, p.Err.String())
	require.NoError(t, p.Cmd.Process.Signal(os.Interrupt))
	p.ExitCode()
	modes := map[string]os.FileMode{".env": 0o644, "healthcare.db": 0o640, "healthcare.db.secret": 0o602, "healthcare.db.audit-keys": 0o660}
	for name, mode := range modes {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	modes["healthcare.db-wal"], modes["healthcare.db-shm"] = 0o640, 0o640 // as SQLite makes them
	p = kit.Launch(t, dir, nil)
	p.Serving().User("ana") // it is no reason not to serve
	for name, mode := range modes {
		assert.Regexp(t, fmt.Sprintf(`level=WARN msg="others than its owner may reach %s \(mode %#o\), which holds .*; run: chmod 600 %[1]s"\n`, name, mode), p.Err.String())
	}
	assert.Equal(t, len(modes), strings.Count(p.Err.String(), "WARN"))
}

func TestAWrongConfigurationEndsWithCode2(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, stdout, stderr := kit.RunProgram(t, dir, nil, "PORT=web", "JWT_SECRET=hunter2", "DATABASE_URL=mysql://root:swordfish@x", "LOG_LEVEL=loud")
	assert.Equal(t, 2, code)
	assert.Empty(t, stdout)
	for _, name := range []string{"PORT:", "JWT_SECRET:", "DATABASE_URL:", "LOG_LEVEL:"} {
		assert.Contains(t, stderr, "\n  "+name)
	}
	kit.Absent(t, stderr, "hunter2", "swordfish", "web", "loud")

	code, _, stderr = kit.RunProgram(t, dir, nil, "DATABASE_URL=postgres://root:swordfish@x/y")
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "JWT_SECRET: required")
	kit.Absent(t, stderr, "swordfish")

	require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), []byte("LOG_LEVEL=info\nJWT_SECRET hunter2\n"), 0o600))
	code, _, stderr = kit.RunProgram(t, dir, nil)
	assert.Equal(t, 2, code)
	assert.Equal(t, "The configuration is wrong:\n  .env: line 2 is not of the form NAME=value\n", stderr)

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1) // neither database nor secret was made
}

func TestTheFileSetsWhatTheEnvironmentDoesNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), []byte("DATABASE_URL=sqlite:from-file.db\nREGISTRATION=closed\nPORT=nonsense\n"), 0o600))
	p := kit.Launch(t, dir, nil, "REGISTRATION=open")
	api := p.Serving()
	assert.Contains(t, p.Out.String(), "SQLite, file "+filepath.Join(dir, "from-file.db"))
	api.User("ana")
}

func TestWhatStopsTheStartIsTold(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	free, err := kit.FreePort()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		args    []string
		environ []string
		code    int
		says    string
	}{
		"port in use":        {nil, []string{"PORT=" + port}, 1, "address already in use"},
		"no database":        {nil, []string{"JWT_SECRET=" + secret, "DATABASE_URL=postgres://u:swordfish@127.0.0.1:" + strconv.Itoa(free) + "/x"}, 1, "PostgreSQL cannot be reached"},
		"no folder":          {nil, []string{"SPOOL_DIR=/nowhere"}, 2, "SPOOL_DIR: no file can be made there"},
		"no folder of seals": {nil, []string{"AUDIT_SEAL_FILE=/nowhere/seal"}, 2, "AUDIT_SEAL_FILE: no file can be made there"},
		"a folder as seal":   {nil, []string{"AUDIT_SEAL_FILE=/"}, 2, "AUDIT_SEAL_FILE: cannot be read"},
		"unknown subcommand": {[]string{"sevre"}, nil, 2, `there is no command "sevre"`},
		"unknown of audit":   {[]string{"audit", "verfiy"}, nil, 2, `there is no command "audit verfiy"; see: healthcare help audit`},
		"unknown of erase":   {[]string{"erase", "patinet", "5"}, nil, 2, `there is no command "erase patinet"; see: healthcare help erase`},
		"audit alone":        {[]string{"audit"}, nil, 2, "audit needs a command; see: healthcare help audit"},
		"unknown flag":       {[]string{"--prot"}, nil, 2, "unknown flag: --prot"},
	} {
		code, stdout, stderr := kit.RunProgram(t, t.TempDir(), c.args, c.environ...)
		assert.Equal(t, c.code, code, name)
		assert.Empty(t, stdout, name)
		assert.Contains(t, stderr, c.says, name)
		kit.Absent(t, stderr, "swordfish")
		assert.LessOrEqual(t, strings.Count(stderr, "\n"), 3, name)
	}
	code, stdout, _ := kit.RunProgram(t, t.TempDir(), []string{"--help"})
	assert.Zero(t, code)
	assert.Contains(t, stdout, "Usage:")
}

func TestARunningRequestMayFinishWhenTheProgramIsStopped(t *testing.T) {
	t.Parallel()
	p := kit.Launch(t, t.TempDir(), nil)
	api := p.Serving()
	ana := api.User("ana")
	host := strings.TrimPrefix(api.URL, "http://")
	conn, err := net.Dial("tcp", host)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	body := `{"name": "Petra"}`
	_, err = io.WriteString(conn, "POST /api/patients/ HTTP/1.1\r\nHost: "+host+"\r\nAuthorization: Bearer "+ana.Token+
		"\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	answer := bufio.NewReader(conn)
	interim, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	require.NoError(t, interim.Body.Close())
	require.Equal(t, http.StatusContinue, interim.StatusCode) // the handler is reading the body
	_, err = io.WriteString(conn, body[:5])
	require.NoError(t, err)

	require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	p.Await(p.Err, "stopping")
	refused := func() bool {
		other, err := net.Dial("tcp", host)
		if err == nil {
			_ = other.Close()
		}
		return err != nil
	}
	require.Eventually(t, refused, kit.WaitLimit, time.Millisecond)
	_, err = io.WriteString(conn, body[5:])
	require.NoError(t, err)
	res, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusCreated, res.StatusCode)
	_ = res.Body.Close()
	assert.Zero(t, p.ExitCode(), "%s", p.Err)

	again := kit.Launch(t, p.Dir, nil)
	assert.Equal(t, 1.0, ana.At(again.Serving()).Get("/api/patients/").Expect(http.StatusOK).JSON["count"])
}

func TestAServerThatStopsTakesRequestsUntilItsClientsKnow(t *testing.T) {
	t.Parallel()
	p := kit.Launch(t, t.TempDir(), nil, "DRAIN_DELAY=2s")
	api := p.Serving()
	ana := api.User("ana")
	closes := func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+"/healthz", http.NoBody)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, http.StatusOK, res.StatusCode)
		return res.Close
	}
	assert.False(t, closes())
	require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	p.Await(p.Err, "still taken")
	for range 3 { // each on a connection of its own
		api.Nobody().Get("/readyz").Expect(http.StatusServiceUnavailable)
		ana.Post("/api/patients/", kit.Object{"name": "Petra"}).Expect(http.StatusCreated)
		assert.True(t, closes())
	}
	assert.Zero(t, p.ExitCode(), "%s", p.Err)
	again := kit.Launch(t, p.Dir, nil)
	assert.Equal(t, 3.0, ana.At(again.Serving()).Get("/api/patients/").Expect(http.StatusOK).JSON["count"])
}

func TestAClientThatStopsSendingIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	api := kit.Launch(t, t.TempDir(), nil, "REQUEST_TIMEOUT=100ms").Serving()
	host := strings.TrimPrefix(api.URL, "http://")
	conn, err := net.Dial("tcp", host)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /api/auth/login/ HTTP/1.1\r\nHost: "+host+"\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	answer, err := io.ReadAll(conn) // ends when the server closes
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 400 Bad Request\r\n"), "%s", answer)
	assert.Contains(t, string(answer), "the body ended too soon")
}

func TestTwoInstancesThatStartAtOnceOnOnePostgresServeTheSame(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	environ := (&kit.API{Config: kit.BaseConfig(kit.FreshPostgresFrom(t, ""))}).Environ()
	first, second := kit.Launch(t, t.TempDir(), nil, environ...), kit.Launch(t, t.TempDir(), nil, environ...)
	ana := first.Serving().User("ana")
	there := ana.At(second.Serving())
	kit.Absent(t, first.Out.String(), kit.JWTSecret)
	assert.Contains(t, first.Out.String(), " at "+kit.Server.URL.Hostname())
	patient := ana.Patient("Petra")
	there.Patch(kit.Path("patients", patient), kit.Object{"name": "Paula"}).Expect(http.StatusOK)
	there.Assign(patient, ana.Doctor("Dora")).Expect(http.StatusCreated)
	ana.Assign(patient, 1).Expect(http.StatusConflict)
	for _, list := range kit.Lists {
		assert.Equal(t, ana.Get(list).Expect(http.StatusOK).JSON, there.Get(list).Expect(http.StatusOK).JSON)
	}
	for _, p := range []*kit.Process{first, second} {
		require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM))
		assert.Zero(t, p.ExitCode())
	}
}
