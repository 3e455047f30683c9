package kit

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"healthcare/commands"
)

// Program builds the program once for each run of a package, and returns its path. For a measurement of coverage it
// notes what it runs, in the folder that PROGRAM_COVERAGE names.
var Program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(sqliteFile), "healthcare")
	args := []string{"build", "-o", path}
	if coverage() != nil {
		args = append(args, "-cover", "-covermode=atomic", "-coverpkg=healthcare/...")
	}
	out, err := exec.Command("go", append(args, "healthcare")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

// coverage is what the program's environment needs for a measurement of coverage; nil if none is made.
func coverage() []string {
	if folder := os.Getenv("PROGRAM_COVERAGE"); folder != "" {
		return []string{"GOCOVERDIR=" + folder}
	}
	return nil
}

// Process is the program, run in a folder of its own with nothing but the given environment.
type Process struct {
	T        testing.TB
	Cmd      *exec.Cmd
	Dir      string
	Out, Err *Buffer
	ended    chan struct{}
}

// Launch starts the program, which is slow.
func Launch(t testing.TB, dir string, args []string, environ ...string) *Process {
	t.Helper()
	NeedSlow(t)
	path, err := Program()
	require.NoError(t, err)
	p := &Process{T: t, Dir: dir, Out: &Buffer{}, Err: &Buffer{}, ended: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p.Cmd = exec.CommandContext(ctx, path, args...)
	p.Cmd.Dir, p.Cmd.Stdout, p.Cmd.Stderr = dir, p.Out, p.Err
	p.Cmd.Env = append(append([]string{"PORT=0"}, coverage()...), environ...)
	require.NoError(t, p.Cmd.Start())
	go func() {
		_ = p.Cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// ExitCode is the code that the program ends with.
func (p *Process) ExitCode() int {
	<-p.ended
	return p.Cmd.ProcessState.ExitCode()
}

// Await waits until the program has written something.
func (p *Process) Await(to *Buffer, words string) {
	p.T.Helper()
	found := func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return strings.Contains(to.String(), words)
		}
	}
	require.Eventually(p.T, found, 30*time.Second, 2*time.Millisecond)
	require.Contains(p.T, to.String(), words, "%s", p.Err)
}

var address = regexp.MustCompile(`https?://[^/]+`)

// Serving waits until the program serves, and calls it.
func (p *Process) Serving() *API {
	p.T.Helper()
	p.Await(p.Out, "Ctrl+C")
	return &API{T: p.T, Log: p.Err, URL: address.FindString(p.Out.String())}
}

// RunProgram lets the program end by itself.
func RunProgram(t testing.TB, dir string, args []string, environ ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := Launch(t, dir, args, environ...)
	code = p.ExitCode()
	Absent(t, p.Out.String()+p.Err.String(), "goroutine", "panic", ".go:")
	return code, p.Out.String(), p.Err.String()
}

// Environ configures the program to use the instance's database.
func (api *API) Environ() []string {
	database := api.Config.Database.Postgres
	if database == "" {
		database = "sqlite:" + api.Config.Database.SQLite
	}
	var former []string
	for _, key := range api.Config.AuditOldKeys {
		former = append(former, string(key))
	}
	return append(coverage(), "DATABASE_URL="+database, "MIGRATION_DATABASE_URL="+api.Config.Database.Migration, "JWT_SECRET="+string(api.Config.JWTSecret), "AUDIT_KEY="+string(api.Config.AuditKey),
		"AUDIT_OLD_KEYS="+strings.Join(former, ","), "AUDIT_SEAL_FILE="+api.Config.AuditSealFile)
}

// RunCommand runs a command on the instance's database and returns its exit code and what it printed.
func (api *API) RunCommand(stdin string, args ...string) (code int, printed string) {
	var out Buffer
	return api.RunCommandTo(api.T.Context(), strings.NewReader(stdin), &out, args...), out.String()
}

// RunCommandTo runs a command that reads and writes what it is given.
func (api *API) RunCommandTo(ctx context.Context, in io.Reader, out io.Writer, args ...string) (code int) {
	program := commands.Program{Environ: api.Environ(), Dotenv: os.DevNull, In: in, Out: out, Err: out, Migrated: api.Config.Migrated}
	return program.Run(ctx, args, nil) // never serves
}
