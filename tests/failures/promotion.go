//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// promotion kills a primary under eight writers and promotes its synchronous standby: all that was acknowledged is there,
// once. Then the new primary is stopped and started: soon after, no write fails any more, although DATABASE_URL names the
// dead one first and says nothing about which of the two is meant.
func promotion(ctx context.Context, l *lab) (err error) {
	old, promoted, address, end, err := l.pair("promotion")
	defer end()
	if err != nil {
		return err
	}
	if err := old.synchronous(); err != nil {
		return err
	}
	s, err := l.newInstance(address, "REQUEST_TIMEOUT=5s")
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()
	w, err := newAcknowledged(ctx, s)
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	writing, stop := context.WithCancel(ctx)
	defer stop()
	go func() { written <- w.writeOn(writing) }()
	time.Sleep(2 * time.Second) // of writes
	before := w.count()
	if err := errors.Join(old.signal(syscall.SIGKILL), promoted.tool("pg_ctl", "-D", promoted.data(), "-w", "promote")); err != nil {
		return err
	}
	began := time.Now()
	for n := w.count(); w.count() == n; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			return errors.New("nothing is stored after the promotion")
		}
	}
	back := time.Since(began)
	time.Sleep(2 * time.Second)
	if err := errors.Join(promoted.stop("immediate"), promoted.start()); err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // after which no write may fail
	failed, n := w.failures(), w.count()
	time.Sleep(3 * time.Second)
	failed, n = w.failures()-failed, w.count()-n
	stop()
	if err := <-written; err != nil {
		return err
	}
	fmt.Printf("  %d writes before, the first %.2f s after the promotion; 2 s after a restart, %d of %d failed; %s\n", before, back.Seconds(), failed, n+failed, w.stats)
	if failed > 0 || n == 0 || before == 0 {
		return fmt.Errorf("%d writes failed, and %d did not, though the primary is back", failed, n)
	}
	if err := w.check(ctx); err != nil {
		return err
	}
	if err := promoted.queryIn("promotion", "SELECT 1 / (CASE WHEN count(*) = count(DISTINCT replace(name, ' renamed', '')) THEN 1 ELSE 0 END) FROM patients"); err != nil {
		return fmt.Errorf("something is stored twice: %w", err)
	}
	return errors.Join(s.stop(), s.cli("", "audit", "verify"))
}

// writeOn writes until it is told to stop.
func (w *acknowledged) writeOn(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.write(context.WithoutCancel(ctx), 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// failures is how many requests were not answered with success.
func (w *acknowledged) failures() int {
	w.stats.mu.Lock()
	defer w.stats.mu.Unlock()
	return w.stats.unavailable + w.stats.unanswered
}
