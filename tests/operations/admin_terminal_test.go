package operations

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// terminal runs a command of the shell on a terminal of its own, which script of util-linux gives it.
type terminal struct {
	t        *testing.T
	cmd      *exec.Cmd
	screen   *kit.Buffer
	keyboard interface{ Write([]byte) (int, error) }
}

func onTerminal(t *testing.T, command string, environ ...string) *terminal {
	t.Helper()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("script is not installed")
	}
	x := &terminal{t: t, cmd: exec.CommandContext(t.Context(), script, "-qec", "tty; "+command, "/dev/null"), screen: &kit.Buffer{}}
	x.cmd.Dir, x.cmd.Env, x.cmd.Stdout, x.cmd.Stderr = t.TempDir(), environ, x.screen, x.screen
	x.keyboard, err = x.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, x.cmd.Start())
	return x
}

var ttyName = regexp.MustCompile(`/dev/\S+`)

// answer types a line as soon as a prompt is there and the terminal does not echo.
func (x *terminal) answer(prompt, line string) {
	x.t.Helper()
	silent := func() bool {
		if !strings.Contains(x.screen.String(), prompt) {
			return false
		}
		settings, err := exec.Command("stty", "-a", "-F", ttyName.FindString(x.screen.String())).Output()
		return err == nil && strings.Contains(string(settings), " -echo ")
	}
	require.Eventually(x.t, silent, kit.WaitLimit, 5*time.Millisecond, prompt)
	_, err := x.keyboard.Write([]byte(line + "\n"))
	require.NoError(x.t, err)
}

func TestATerminalIsAskedTwiceWithoutEcho(t *testing.T) {
	t.Parallel()
	path, err := kit.Program()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		again   string
		code    int
		printed string
	}{
		"the same": {kit.Password, 0, "Staff account boss created."},
		"another":  {kit.NewPassword, 1, "the passwords differ"},
	} {
		t.Run(name, func(t *testing.T) {
			api := kit.Start(t, kit.BaseConfig(kit.FreshSQLite(t)))
			x := onTerminal(t, fmt.Sprintf("%s createadmin --username boss --email boss@example.org", path), api.Environ()...)
			x.answer("Password: ", kit.Password)
			x.answer("Password (again): ", c.again)
			_ = x.cmd.Wait() // the exit code tells
			assert.Equal(t, c.code, x.cmd.ProcessState.ExitCode(), x.screen.String())
			assert.Contains(t, x.screen.String(), c.printed)
			assert.NotContains(t, x.screen.String(), kit.Password)
			assert.NotContains(t, x.screen.String(), kit.NewPassword)
			assert.Equal(t, 1-c.code, api.Count("SELECT count(*) FROM users WHERE is_staff"))
		})
	}
}
