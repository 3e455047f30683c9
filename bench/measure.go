//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// measure compares the sizes on one kind of database: each kind of request is sent to each size in turns.
func measure(ctx context.Context, o *options, db string) (err error) {
	wanted, err := chosen(o.only)
	if err != nil {
		return err
	}
	sites, askers, err := openSites(ctx, o, db)
	defer func() {
		for _, s := range sites {
			err = errors.Join(err, s.close(o))
		}
	}()
	if err != nil {
		return err
	}
	used, began := busy(), time.Now()
	ours := ownCPU(sites)
	var rows []row
	var failed []error
	for _, k := range wanted {
		r, err := o.compare(ctx, k, askers)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the others are measured all the same
			logf("FAILED: %v", err)
			failed = append(failed, err)
			continue
		}
		rows = append(rows, r)
		logf("%s: %s", db, k.name)
	}
	foreign := foreignLoad(busy()-used, ownCPU(sites)-ours, time.Since(began))
	printResults(db, askers, rows)
	printServers(db, sites, foreign)
	return errors.Join(failed...)
}

// compare sends one kind of request for each asker in turns, and takes the medians of the rounds.
func (o *options) compare(ctx context.Context, k kind, askers []*asker) (row, error) {
	r := row{name: k.name, results: make([]result, len(askers))}
	rounds := make([][]result, len(askers))
	for range o.rounds {
		for i, a := range askers {
			if k.writes && i > 0 && a.site == askers[i-1].site {
				continue // the same account writes
			}
			result, err := a.run(ctx, k, o.conns, o.seconds)
			if err != nil {
				return r, fmt.Errorf("%s, %s patients: %w", k.name, thousands(a.patients), err)
			}
			rounds[i] = append(rounds[i], result)
		}
	}
	for i := range askers {
		if len(rounds[i]) > 0 {
			r.results[i] = median(rounds[i])
		}
	}
	return r, nil
}

// openSites makes a site of each size, and gets those ready who ask there.
func openSites(ctx context.Context, o *options, db string) (sites []*site, askers []*asker, err error) {
	for _, n := range o.sizes {
		s, err := openSite(ctx, o, db, n)
		if err != nil {
			return sites, nil, err
		}
		sites = append(sites, s)
		accounts := []account{s.few}
		if s.isLarge() {
			accounts = append(accounts, s.many)
		}
		for _, a := range accounts {
			k, err := newAsker(ctx, s, a)
			if err != nil {
				return sites, nil, err
			}
			askers = append(askers, k)
		}
	}
	return sites, askers, nil
}

// ownCPU is the CPU time of what this measurement runs: itself, the servers, and the database's processes that serve
// them, as far as they can be seen.
func ownCPU(sites []*site) time.Duration {
	total := cpuOf(os.Getpid())
	for _, s := range sites {
		total += cpuOf(s.server.pid())
		for _, pid := range s.db.processes() {
			total += cpuOf(pid)
		}
	}
	return total
}

func foreignLoad(all, ours, lasted time.Duration) float64 {
	return max(0, float64(all-ours)/float64(lasted)/float64(cores()))
}

func medianOf(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
