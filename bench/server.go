//go:build programs

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// build makes the server's program in dir, as a release is made.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "healthcare")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "healthcare")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return binary, cmd.Run()
}

// server is one running instance of the product.
type server struct {
	cmd     *exec.Cmd
	log     string
	address string        // host:port
	startUp time.Duration // from exec to the first 200 of /healthz, migration included
}

const jwtSecret = "a secret that only this measurement uses"

var announced = regexp.MustCompile(`http://([^/]+)/`)

// startServer runs the product on a free port and waits until it answers. Its log goes to a file in dir.
func startServer(ctx context.Context, binary, dir, database string, env ...string) (*server, error) {
	log, err := os.CreateTemp(dir, "*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	s := &server{cmd: exec.CommandContext(ctx, binary), log: log.Name()}
	s.cmd.Dir = dir // where no .env is
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 30 * time.Second
	s.cmd.Env = slices.Concat([]string{
		"DATABASE_URL=" + database, "JWT_SECRET=" + jwtSecret, "AUTH_RATE_LIMIT=0", "HOST=127.0.0.1", "PORT=0", "ACCESS_TOKEN_TTL=24h",
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
	}, env)
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := announced.FindStringSubmatch(line)
	if err != nil || found == nil {
		said, _ := os.ReadFile(s.log)
		return nil, errors.Join(fmt.Errorf("the server did not start: %.500s", said), err, s.stop())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s.address = found[1]
	c, err := dial(ctx, s.address)
	if err == nil {
		defer c.close()
		_, err = c.must(newRequest("GET", "/healthz", "", nil, 200))
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.startUp = time.Since(began)
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop asks the server to end and waits until it has.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := s.cmd.Wait()
	return errors.Join(err, os.Remove(s.log))
}
