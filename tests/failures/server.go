//go:build programs

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// instance is one configuration of the product, on a port of its own; it can be started again and again.
type instance struct {
	program string
	env     []string
	port    int
	user    *syscall.Credential // nil is who runs this

	cmd    *exec.Cmd
	stderr *log
}

// log keeps the end of what the product says.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > 1<<20 {
		l.b.Next(l.b.Len() / 2)
	}
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lab) newInstance(database string, more ...string) (*instance, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	env := append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "DATABASE_URL=" + database, "JWT_SECRET=only-for-the-failures-0123456789abcdef", "ACCOUNT_RATE_LIMIT=0",
		"LOG_LEVEL=warn", fmt.Sprint("PORT=", port),
	}, more...)
	return &instance{program: l.program, env: env, port: port}, nil
}

func (s *instance) url() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

func (s *instance) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.program, args...) //nolint:gosec // the product
	cmd.Env, cmd.Dir = s.env, "/"
	if s.user != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	}
	return cmd
}

// start runs the server and waits until it is ready.
func (s *instance) start(ctx context.Context) error {
	s.cmd, s.stderr = s.command(), &log{}
	s.cmd.Stderr = s.stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	if err := s.await(ctx, "/readyz", http.StatusOK, 20*time.Second); err != nil {
		return errors.Join(fmt.Errorf("the server does not start: %w\n%s", err, s.stderr), s.kill())
	}
	return nil
}

// kill is kill -9.
func (s *instance) kill() error {
	if s.cmd.Process == nil || s.cmd.ProcessState != nil { // it never began, or has ended already
		return nil
	}
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // which says that it was killed
	return nil
}

// stop asks the server to stop, and fails unless it does so properly.
func (s *instance) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(45*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server did not stop properly: %w\n%s", err, s.stderr)
	}
	return nil
}

// await asks for a path until it answers with this status.
func (s *instance) await(ctx context.Context, path string, status int, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := "nothing"
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+path, nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == status {
				return nil
			}
			said = res.Status
		} else if ctx.Err() == nil {
			said = err.Error()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer %d: %s", path, status, said)
		}
	}
}

// cli runs one of the product's subcommands.
func (s *instance) cli(stdin string, args ...string) error {
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
