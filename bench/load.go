//go:build programs

package main

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// result is what one run of one kind of request gave.
type result struct {
	p50, p95, p99 time.Duration
	perSecond     float64
	cpu           time.Duration // of the server, for each request
}

// run sends one kind of request over so many connections, each sending its next when its last was answered, until the
// time is over. A wrong answer ends it.
func (a *asker) run(ctx context.Context, k kind, conns int, limit time.Duration) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var wait sync.WaitGroup
	took, failed := make([][]time.Duration, conns), make([]error, conns)
	cpu, began := cpuOf(a.server.pid()), time.Now()
	for i := range conns {
		wait.Go(func() {
			took[i], failed[i] = a.loop(ctx, k, i, conns)
			if failed[i] != nil {
				cancel()
			}
		})
	}
	wait.Wait()
	lasted := time.Since(began)
	cpu = cpuOf(a.server.pid()) - cpu
	all := slices.Concat(took...)
	for _, err := range failed {
		if err != nil {
			return result{}, err
		}
	}
	slices.Sort(all)
	return result{
		p50: quantile(all, 0.5), p95: quantile(all, 0.95), p99: quantile(all, 0.99),
		perSecond: float64(len(all)) / lasted.Seconds(), cpu: cpu / time.Duration(len(all)),
	}, nil
}

// loop is one connection's part of a run: the first'th of every step'th request.
func (a *asker) loop(ctx context.Context, k kind, first, step int) ([]time.Duration, error) {
	c, err := dial(context.WithoutCancel(ctx), a.server.address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var took []time.Duration
	for n := first; ctx.Err() == nil; n += step {
		r := k.request(a, n)
		sent := time.Now()
		if _, err := c.must(r); err != nil {
			return nil, err
		}
		took = append(took, time.Since(sent))
	}
	return took, nil
}

// quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// median of the rounds, of each figure by itself.
func median(rounds []result) result {
	middle := func(of func(result) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, of(r))
		}
		slices.Sort(all)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	duration := func(of func(result) time.Duration) time.Duration {
		return time.Duration(middle(func(r result) float64 { return float64(of(r)) }))
	}
	return result{
		p50: duration(func(r result) time.Duration { return r.p50 }), p95: duration(func(r result) time.Duration { return r.p95 }),
		p99: duration(func(r result) time.Duration { return r.p99 }), cpu: duration(func(r result) time.Duration { return r.cpu }),
		perSecond: middle(func(r result) float64 { return r.perSecond }),
	}
}
