//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// disk lets an embedded database run out of space on a small file system of its own, and makes its file read-only.
// Both need root, to mount and to become another user.
func disk(ctx context.Context, l *lab) error {
	if os.Geteuid() != 0 {
		fmt.Println("  NOT TESTED: only root can mount a small file system")
		return nil
	}
	small := filepath.Join(l.dir, "small")
	if err := os.Mkdir(small, 0o700); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=6m,mode=0711", "tmpfs", small).CombinedOutput(); err != nil { //nolint:gosec // our own folder
		fmt.Printf("  NOT TESTED: no small file system can be mounted here: %s", out)
		return nil
	}
	err := errors.Join(fullDisk(ctx, l, small), readOnly(ctx, l))
	return errors.Join(err, syscall.Unmount(small, 0))
}

func fullDisk(ctx context.Context, l *lab, dir string) (err error) {
	s, err := l.newInstance("sqlite:" + filepath.Join(dir, "full.db"))
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()
	load, err := newLoad(ctx, s, parallelWriters)
	if err != nil {
		return err
	}
	for _, restart := range []bool{false, true} {
		load.begin(ctx)
		filler := filepath.Join(dir, "filler")
		if err := fill(filler); err != nil {
			return err
		}
		w := load.writers[0]
		// The free pages of the database's files run out. Then what reads leave behind in the audit trail has to wait too.
		var full time.Time
		for full.IsZero() || time.Since(full) < 1500*time.Millisecond {
			if load.stats.unavailableSoFar() > 0 && full.IsZero() {
				full = time.Now()
			}
			if _, err := w.get(ctx, "/api/patients/?page_size=1", http.StatusOK); err != nil {
				return fmt.Errorf("reading must go on: %w", err)
			}
		}
		for _, path := range []string{"/healthz", "/api/doctors/", "/api/patients/"} {
			if _, err := w.get(ctx, path, http.StatusOK); err != nil {
				return err
			}
		}
		if restart { // killed on a full disk
			if err := s.kill(); err != nil {
				return err
			}
		}
		if err := os.Remove(filler); err != nil {
			return err
		}
		if restart {
			if err := s.start(ctx); err != nil {
				return err
			}
		}
		if err := load.pause(ctx); err != nil {
			return err
		}
		if shown, err := load.audited(ctx, "list"); !restart && (err != nil || shown < load.stats.lists) {
			return fmt.Errorf("of %d lists shown the audit trail holds %d: %w", load.stats.lists, shown, err)
		}
		fmt.Printf("  full disk: %s\n", load.stats)
		load.stats.unavailable = 0
	}
	return s.stop()
}

func (s *stats) unavailableSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unavailable
}

// fill writes a file until no space is left.
func fill(file string) error {
	f, err := os.Create(file) //nolint:gosec // our own folder
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// readOnly starts the server as somebody who may read the database's file but not write it: it must say so in words.
func readOnly(ctx context.Context, l *lab) error {
	const nobody = 65534
	dir := filepath.Join(l.dir, "readonly")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := errors.Join(os.Chown(dir, nobody, nobody), os.Chmod(l.dir, 0o711)); err != nil { //nolint:gosec // nobody must pass
		return err
	}
	file := filepath.Join(dir, "readonly.db")
	s, err := l.newInstance("sqlite:" + file)
	if err != nil {
		return err
	}
	s.user = &syscall.Credential{Uid: nobody, Gid: nobody}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := os.Chmod(file, 0o400); err != nil {
		return err
	}
	cmd := s.command()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "permission denied") || strings.Contains(string(out), "goroutine") {
		return fmt.Errorf("a read-only file is not told in words but: %w %s", err, out)
	}
	fmt.Printf("  read-only file: %s", out)
	if err := os.Chmod(file, 0o600); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.stop()
}
