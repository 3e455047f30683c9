//go:build programs

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// flood sends requests over so many connections, each its next when its last was answered, whatever the answer.
func (a *asker) flood(ctx context.Context, k kind, conns int) *outcome {
	var all outcome
	var wait sync.WaitGroup
	began := time.Now()
	for number := range conns {
		wait.Go(func() {
			c, err := dial(context.WithoutCancel(ctx), a.server.address)
			if err != nil {
				all.note(answer{}, err, request{}, 0)
				return
			}
			defer c.close()
			for n := number; err == nil && ctx.Err() == nil; n += conns {
				r, sent := k.request(a, n), time.Now()
				var got answer
				got, err = c.do(r)
				all.note(got, err, r, time.Since(sent))
			}
		})
	}
	wait.Wait()
	all.lasted = time.Since(began)
	return &all
}

// measureFlood compares reads with and without logins that come as fast as they are answered.
func measureFlood(ctx context.Context, o *options, db string) error {
	return onSite(ctx, o, db, func(a *asker) error {
		const readers = 4
		table := [][]string{{"request", "p50 ms", "p99 ms", "p50 ms in the flood", "p99 ms in the flood", "logins/s", "refused/s"}}
		for _, name := range []string{"one patient", "list, first page"} {
			k := kindNamed(name)
			quiet, err := a.run(ctx, k, readers, o.seconds)
			if err != nil {
				return err
			}
			flood, stop := context.WithCancel(ctx)
			logins := make(chan *outcome, 1)
			go func() { logins <- a.flood(flood, kindNamed("login"), o.conns) }()
			flooded, err := a.run(ctx, k, readers, o.seconds)
			stop()
			in := <-logins
			if err != nil {
				return err
			}
			table = append(table, []string{name, millis(quiet.p50), millis(quiet.p99), millis(flooded.p50), millis(flooded.p99),
				fmt.Sprintf("%.1f", in.perSecond(len(in.took))), fmt.Sprintf("%.1f", in.perSecond(in.shed+in.other+in.failed))})
		}
		fmt.Printf("\n%s, %d connections that read, and %d that log in:\n\n", databaseNames[db], readers, o.conns)
		printTable(table)
		return nil
	})
}
