package tests

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary builds the program once for each run of the tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(sqliteFile), "healthcare")
	out, err := exec.Command("go", "build", "-o", path, "healthcare").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
})

// Process is the program, run in a folder of its own with nothing but the given environment.
type Process struct {
	t        *testing.T
	cmd      *exec.Cmd
	dir      string
	out, err *logBuffer
	ended    chan struct{}
}

// launch starts the program.
func launch(t *testing.T, dir string, args []string, environ ...string) *Process {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	p := &Process{t: t, dir: dir, out: &logBuffer{}, err: &logBuffer{}, ended: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p.cmd = exec.CommandContext(ctx, path, args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, append([]string{"PORT=0"}, environ...), p.out, p.err
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// exit is the code that the program ends with.
func (p *Process) exit() int {
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

// await waits until the program has written something.
func (p *Process) await(to *logBuffer, words string) {
	p.t.Helper()
	found := func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return strings.Contains(to.String(), words)
		}
	}
	require.Eventually(p.t, found, 30*time.Second, 2*time.Millisecond)
	require.Contains(p.t, to.String(), words, "%s", p.err)
}

var address = regexp.MustCompile(`http://([^/]+)/`)

// serving waits until the program serves, and calls it.
func (p *Process) serving() *API {
	p.t.Helper()
	p.await(p.out, "Ctrl+C")
	return &API{t: p.t, Log: p.err, URL: "http://" + address.FindStringSubmatch(p.out.String())[1]}
}

// run lets the program end by itself.
func run(t *testing.T, dir string, args []string, environ ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := launch(t, dir, args, environ...)
	code = p.exit()
	absent(t, p.out.String()+p.err.String(), "goroutine", "panic", ".go:")
	return code, p.out.String(), p.err.String()
}
