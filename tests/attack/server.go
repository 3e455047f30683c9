//go:build programs

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is one running instance of the product, with its default limits.
type server struct {
	cmd     *exec.Cmd
	address string // host:port
	said    bytes.Buffer
}

var announced = regexp.MustCompile(`http://([^/]+)/`)

// startServer runs the product on a free port until the context ends or it is stopped.
func startServer(ctx context.Context, o *options, db *database, env ...string) (*server, error) {
	s := &server{cmd: exec.CommandContext(ctx, o.program)} //nolint:gosec // the product
	s.cmd.Dir = o.dir                                      // where no .env is
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 5 * time.Second
	s.cmd.Env = append([]string{
		"DATABASE_URL=" + db.url, "JWT_SECRET=only-for-the-attackers-0123456789abcdef", "HOST=127.0.0.1", "PORT=0", "LOG_LEVEL=error",
		"PATH=" + os.Getenv("PATH"), "HOME=" + o.dir,
	}, env...)
	s.cmd.Stderr = &s.said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := announced.FindStringSubmatch(line)
	if err != nil || found == nil {
		return nil, errors.Join(errors.New("the server did not start"), err, s.stop())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s.address = found[1]
	return s, nil
}

// stop asks the server to end, waits until it has, and fails unless it does so properly.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.AfterFunc(25*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server did not stop properly: %w\n%.2000s", err, s.said.String())
	}
	return nil
}

// peakMemory is the most memory that the server has held at once, in MiB.
func (s *server) peakMemory() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ := strings.Cut(rest, " kB")
	kib, err := strconv.Atoi(strings.TrimSpace(line))
	return kib / 1024, err
}
