//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// exitLimit is how long a server may take to end, whatever its database does.
const exitLimit = 20 * time.Second

// spool freezes PostgreSQL while four clients read, and then stops the server. What the last of them were shown is in the
// audit trail after the next start, and is there once.
func spool(ctx context.Context, l *lab) (err error) {
	pg, err := l.postgres()
	if err != nil {
		return err
	}
	database, err := pg.database("spool")
	if err != nil {
		return err
	}
	dir := filepath.Join(l.dir, "spool")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s, err := l.newInstance(database, "REQUEST_TIMEOUT=2s", "SPOOL_DIR="+dir)
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()
	c, err := newClient(ctx, s, "reader", &stats{})
	if err != nil {
		return err
	}
	staff, err := newClient(ctx, s, "staff", &stats{})
	if err != nil {
		return err
	}
	if a, err := c.call(ctx, http.MethodPost, "/api/patients/", object{"name": "Ana"}, ""); err != nil || a.status != http.StatusCreated {
		return fmt.Errorf("%s %w", a, err)
	}
	var shown atomic.Int64
	errs := make(chan error)
	for range 4 {
		go func() {
			for {
				a, err := c.call(ctx, http.MethodGet, "/api/patients/1/", nil, "")
				if err != nil || a.status != http.StatusOK {
					errs <- err
					return
				}
				shown.Add(1)
			}
		}()
	}
	time.Sleep(1200 * time.Millisecond) // of reads
	if err := pg.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.signal(syscall.SIGCONT)) }()
	for range 4 {
		err = errors.Join(err, <-errs)
	}
	began := time.Now()
	if err = errors.Join(err, s.stop()); err != nil {
		return err
	}
	took := time.Since(began)
	if took > exitLimit || !strings.Contains(s.stderr.String(), "the next start does it") {
		return fmt.Errorf("the server ended after %.1f s, and said\n%s", took.Seconds(), s.stderr)
	}
	if err := errors.Join(pg.signal(syscall.SIGCONT), s.start(ctx)); err != nil {
		return err
	}
	stored, err := (&load{staff: staff}).audited(ctx, "read")
	if left, _ := os.ReadDir(dir); err != nil || stored != int(shown.Load()) || len(left) > 0 {
		return fmt.Errorf("of %d reads that were shown the audit trail holds %d; files left: %d; %w", shown.Load(), stored, len(left), err)
	}
	fmt.Printf("  frozen: the server ended after %.1f s; all of %d reads are in the trail\n", took.Seconds(), stored)
	return errors.Join(s.stop(), s.cli("", "audit", "verify"))
}
