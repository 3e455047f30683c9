//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"
)

// How long a request may take, as the server is told, and how much later its answer may come.
const (
	requestLimit = 3 * time.Second
	answerMargin = 2 * time.Second
)

// pgStop stops PostgreSQL under load, as a crash does, and later freezes it so that it accepts connections but says
// nothing any more. The server must tell its clients in time, and go on by itself.
func pgStop(ctx context.Context, l *lab) (err error) {
	pg, err := l.postgres()
	if err != nil {
		return err
	}
	database, err := pg.database("pgstop")
	if err != nil {
		return err
	}
	s, err := l.newInstance(database, "REQUEST_TIMEOUT="+requestLimit.String())
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
	outages := []struct {
		name       string
		begin, end func() error
	}{
		{"stopped", func() error { return pg.stop("immediate") }, pg.start},
		{"frozen", func() error { return pg.signal(syscall.SIGSTOP) }, func() error { return pg.signal(syscall.SIGCONT) }},
	}
	for _, o := range outages {
		load.begin(ctx)
		time.Sleep(time.Second)
		if err := o.begin(); err != nil {
			return err
		}
		err := errors.Join(
			s.await(ctx, "/readyz", http.StatusServiceUnavailable, 10*time.Second),
			s.await(ctx, "/healthz", http.StatusOK, time.Second))
		time.Sleep(requestLimit) // so that requests of all ages meet their limit
		if err = errors.Join(err, s.await(ctx, "/healthz", http.StatusOK, time.Second), o.end()); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		if err := s.await(ctx, "/readyz", http.StatusOK, 20*time.Second); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		time.Sleep(time.Second) // of load, as before
		if err := load.pause(ctx); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		fmt.Printf("  %s: %s\n", o.name, load.stats)
	}
	if load.stats.slowest > requestLimit+answerMargin {
		return fmt.Errorf("a request took %s, though the limit is %s", load.stats.slowest, requestLimit)
	}
	if load.stats.unanswered > 0 || load.stats.unavailable == 0 {
		return errors.New("while the database is away every request is to be answered, with 503")
	}
	return s.stop()
}
