//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// promotion kills a primary under 24 clients and promotes its synchronous standby: writes are back within a second, all that
// was acknowledged is there, once, and each read has its event. Before that is looked at, the new primary is stopped and
// started: soon after, no request fails any more, although DATABASE_URL names the dead one first and says nothing about
// which is meant.
func promotion(ctx context.Context, l *lab) (err error) {
	old, promoted, address, end, err := l.pair("promotion")
	defer end()
	if err != nil {
		return err
	}
	if err := old.synchronous(); err != nil {
		return err
	}
	work, err := l.newClinic(ctx, address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.server.kill()) }()
	work.begin(ctx)
	before, err := work.measured(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(old.signal(syscall.SIGKILL), promoted.tool("pg_ctl", "-D", promoted.data(), "-w", "promote")); err != nil {
		return err
	}
	first, all, err := work.back(ctx, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("  %d requests a second before; after the promotion, the first write took %.2f s, and the last client's %.2f s\n", before, first.Seconds(), all.Seconds())
	if limit := time.Second + l.patience; all > limit {
		return fmt.Errorf("writes were not back within %s", limit)
	}
	time.Sleep(2 * time.Second) // of work
	if err := errors.Join(promoted.stop("immediate"), promoted.start()); err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // after which no request may fail
	failed := work.stats.failures()
	after, err := work.measured(ctx)
	if err != nil {
		return err
	}
	if failed = work.stats.failures() - failed; failed > 0 {
		return fmt.Errorf("%d requests failed, and %d a second did not, though the primary is back", failed, after)
	}
	fmt.Printf("  2 s after a restart, none of %d a second failed; %s\n", after, work.stats)
	return work.proved(ctx, l.patience)
}
