//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

func crashSQLite(ctx context.Context, l *lab) error {
	return crash(ctx, l, "sqlite:"+filepath.Join(l.dir, "crash.db"))
}

func crashPostgres(ctx context.Context, l *lab) error {
	pg, err := l.postgres()
	if err != nil {
		return err
	}
	database, err := pg.database("crash")
	if err != nil {
		return err
	}
	return crash(ctx, l, database)
}

// crash kills the server under load, again and again.
func crash(ctx context.Context, l *lab, database string) (err error) {
	s, err := l.newInstance(database)
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
	for round := range l.rounds {
		load.begin(ctx)
		time.Sleep(time.Duration(300+rand.IntN(900)) * time.Millisecond) // what is killed must be different each time
		if err := s.kill(); err != nil {
			return err
		}
		if err := s.start(ctx); err != nil {
			return err
		}
		if err := load.pause(ctx); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	if err := s.stop(); err != nil {
		return err
	}
	fmt.Printf("  killed %d times; %s; %d patients\n", l.rounds, load.stats, load.patients())
	return nil
}
