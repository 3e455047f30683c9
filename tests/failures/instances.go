//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// instances starts eight servers at once on one empty database: all must be ready, and serve the same data.
func instances(ctx context.Context, l *lab) (err error) {
	const n = 8
	pg, err := l.postgres()
	if err != nil {
		return err
	}
	database, err := pg.database("instances")
	if err != nil {
		return err
	}
	began := time.Now()
	servers, started := make([]*instance, n), make(chan error, n)
	for i := range servers {
		if servers[i], err = l.newInstance(database, "DB_MAX_CONNS=4"); err != nil {
			return err
		}
		go func() { started <- servers[i].start(ctx) }()
	}
	for range servers {
		err = errors.Join(err, <-started)
	}
	defer func() {
		for _, s := range servers {
			if s.cmd.ProcessState == nil {
				err = errors.Join(err, s.stop())
			}
		}
	}()
	if err != nil {
		return err
	}
	fmt.Printf("  %d instances were ready after %.1f s\n", n, time.Since(began).Seconds())
	c, err := newClient(ctx, servers[0], "ana", &stats{})
	if err != nil {
		return err
	}
	for i, s := range servers {
		c.url = s.url()
		a, err := c.call(ctx, http.MethodPost, "/api/patients/", object{"name": "Ana"}, "the same")
		if err != nil || a.status != http.StatusCreated || a.replayed != (i > 0) || a.number("id") != 1 {
			return fmt.Errorf("instance %d: %s %w", i, a, err)
		}
	}
	return nil
}
