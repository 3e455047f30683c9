//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// onSite runs a measurement on a site of the first size.
func onSite(ctx context.Context, o *options, db string, fn func(*asker) error) (err error) {
	s, err := openSite(ctx, o, db, o.sizes[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(o)) }()
	a, err := newAsker(ctx, s, s.few)
	if err != nil {
		return err
	}
	return fn(a)
}

func kindNamed(name string) kind {
	return kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })]
}

// measureOverload finds what the server can carry, offers four times as much, and then lets slow clients hang on.
func measureOverload(ctx context.Context, o *options, db string) error {
	return onSite(ctx, o, db, func(a *asker) error {
		k := kindNamed("list, first page")
		full, err := a.run(ctx, k, o.conns, o.seconds)
		if err != nil {
			return err
		}
		before := peakMemory(a.server.pid())
		all := a.offer(ctx, k, 4*full.perSecond, o.seconds)
		fmt.Printf("\n%s, %s: as much as it can carry, then four times that:\n\n", databaseNames[db], k.name)
		carried := fmt.Sprintf("%.0f", full.perSecond)
		printTable([][]string{
			{"", "offered/s", "200/s", "p50 ms", "p99 ms", "503/s", "of them without Retry-After", "other answers", "failed", "not sent", "peak memory MiB"},
			{"full load", carried, carried, millis(full.p50), millis(full.p99), "0", "0", "0", "0", "0", fmt.Sprintf("%.0f", before)},
			slices.Concat([]string{"four times that", fmt.Sprintf("%.0f", 4*full.perSecond)}, all.cells(),
				[]string{fmt.Sprintf("%.0f", peakMemory(a.server.pid()))}),
		})
		return a.measureSlowClients(ctx, o, db)
	})
}

// outcome counts how the requests of an open loop ended.
type outcome struct {
	mu           sync.Mutex
	took         []time.Duration // of those that were answered as they should, from when they were due
	shed         int             // 503
	noRetryAfter int             // of those
	other        int             // any other status
	failed       int             // no answer
	unsent       int             // no connection was free to send it
	lasted       time.Duration
}

func (c *outcome) perSecond(n int) float64 { return float64(n) / c.lasted.Seconds() }

func (c *outcome) cells() []string {
	slices.Sort(c.took)
	return []string{fmt.Sprintf("%.0f", c.perSecond(len(c.took))), millis(quantile(c.took, 0.5)), millis(quantile(c.took, 0.99)),
		fmt.Sprintf("%.0f", c.perSecond(c.shed)), strconv.Itoa(c.noRetryAfter), strconv.Itoa(c.other), strconv.Itoa(c.failed), strconv.Itoa(c.unsent)}
}

func (c *outcome) note(a answer, err error, k request, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		c.failed++
	case a.status == k.status:
		c.took = append(c.took, took)
	case a.status == http.StatusServiceUnavailable:
		c.shed++
		if !a.retryAfter {
			c.noRetryAfter++
		}
	default:
		c.other++
	}
}

// openConns is how many connections an open loop opens at most, which stand for as many clients that wait.
const openConns = 1000

// offer sends requests at a rate, whether or not those before were answered: each takes a free connection or a new
// one. Those that were sent are waited for.
func (a *asker) offer(ctx context.Context, k kind, perSecond float64, limit time.Duration) *outcome {
	var all outcome
	var wait sync.WaitGroup
	due := make(chan time.Time)
	conns, sent := 0, 0
	worker := func(first time.Time, number int) {
		c, err := dial(ctx, a.server.address)
		if err != nil {
			all.note(answer{}, err, request{}, 0)
			return
		}
		defer func() { c.close() }()
		for n, at := number, first; ; n += openConns {
			r := k.request(a, n)
			got, err := c.do(r)
			all.note(got, err, r, time.Since(at))
			if err != nil {
				return
			}
			var more bool
			if at, more = <-due; !more {
				return
			}
		}
	}
	began := time.Now()
	for now := began; now.Sub(began) < limit && ctx.Err() == nil; now = time.Now() {
		for ; float64(sent) < now.Sub(began).Seconds()*perSecond; sent++ {
			at := began.Add(time.Duration(float64(sent) / perSecond * float64(time.Second)))
			select {
			case due <- at:
				continue
			default:
			}
			if conns == openConns {
				all.unsent++
				continue
			}
			conns++
			number := conns
			wait.Go(func() { worker(at, number) })
		}
		time.Sleep(time.Millisecond)
	}
	close(due)
	wait.Wait()
	all.lasted = time.Since(began)
	return &all
}
