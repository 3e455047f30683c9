package operations

import (
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestHealthcheckAsksTheRunningServer(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	p := kit.Launch(t, t.TempDir(), nil, "DRAIN_DELAY=5m")
	address, err := url.Parse(p.Serving().URL)
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "localhost"} { // where it listens, however that is said
		code, stdout, stderr := kit.RunProgram(t, t.TempDir(), []string{"healthcheck"}, "PORT="+address.Port(), "HOST="+host)
		assert.Zero(t, code, "%s: %s", host, stderr)
		assert.Equal(t, "The server is ready.\n", stdout)
	}

	require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	p.Await(p.Err, "still taken")
	code, stdout, stderr := kit.RunProgram(t, t.TempDir(), []string{"healthcheck"}, "PORT="+address.Port())
	assert.Equal(t, 1, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "healthcare: the server is not ready: 503 Service Unavailable: This instance is stopping.\n", stderr)
	require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM)) // now
	p.ExitCode()

	code, _, stderr = kit.RunProgram(t, t.TempDir(), []string{"healthcheck"}, "PORT="+address.Port())
	assert.Equal(t, 1, code)
	assert.Regexp(t, `^healthcare: the server cannot be reached: .*\n$`, stderr)
	code, _, stderr = kit.RunProgram(t, t.TempDir(), []string{"healthcheck"}, "PORT=web")
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "PORT: ")
}

func TestHealthcheckWaitsForNoSilentServer(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	_, port, err := net.SplitHostPort(silent.Addr().String())
	require.NoError(t, err)
	code, _, stderr := kit.RunProgram(t, t.TempDir(), []string{"healthcheck"}, "PORT="+port)
	assert.Equal(t, 1, code)
	assert.Equal(t, "healthcare: the server at 127.0.0.1:"+port+" did not answer within 3s\n", stderr)
}
