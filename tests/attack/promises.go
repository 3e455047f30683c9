//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// scene is one attack on one server, and what everybody saw.
type scene struct {
	attack
	during, after, attackers tally
	peak                     int // of memory, in MiB
}

// What is promised to the others: so many of a hundred answers may be 503, the rest are as without the attack; and 99 of
// a hundred come within the patience of the command line, or, where the machine is slow, within so many times what it was
// before.
const (
	busyPercent = 1
	slower      = 10
)

// play starts a server, lets the others work without and with the attack, and reads back what they wrote.
func (s *scene) play(ctx context.Context, o *options, at *site) (err error) {
	server, err := startServer(ctx, o, at.db, strings.Fields(s.env)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	for _, w := range at.others {
		w.caller = newCaller(server.address, w.token)
	}
	work(ctx, at.others, 1200*time.Millisecond, &at.before)
	attacking, stop := context.WithTimeout(ctx, s.lasts)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run(attacking, &attacker{at, server.address, &s.attackers})
	}()
	work(ctx, at.others, s.lasts, &s.during)
	<-ended
	if _, err := must(ctx, newCaller(server.address, ""), http.MethodGet, "/readyz", nil, http.StatusOK); err != nil {
		return err
	}
	for _, w := range at.others {
		w.readBack(ctx, &s.after)
	}
	s.peak, err = server.peakMemory()
	return err
}

// judge prints what everybody saw, as Markdown, and gives the promises that were not kept.
func judge(kind string, patience time.Duration, before *tally, scenes []*scene) (broken []string) {
	limit := max(patience, slower*before.quantile(0.99))
	fmt.Printf("\n%s: before the attacks, the others got %s; p50 %s ms, p99 %s ms, so that p99 may be %s ms during them.\n\n", kind, before,
		millis(before.quantile(0.5)), millis(before.quantile(0.99)), millis(limit))
	fmt.Println("| attack | others' answers | p50 ms | p99 ms | attackers' answers | slowest ms | peak MiB | kept |")
	fmt.Println("|---|---|---:|---:|---|---:|---:|---|")
	for _, b := range brokenToOthers(before) {
		broken = append(broken, kind+", before the attacks: "+b)
	}
	for _, s := range scenes {
		kept := "yes"
		for _, b := range s.broken(limit) {
			broken, kept = append(broken, kind+", "+s.name+": "+b), "NO"
		}
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %d | %s |\n", s.name, &s.during, millis(s.during.quantile(0.5)), millis(s.during.quantile(0.99)),
			&s.attackers, millis(s.attackers.quantile(1)), s.peak, kept)
	}
	return broken
}

// brokenToOthers are the promises about what the others get.
func brokenToOthers(t *tally) []string {
	if t.others("200", "201", "503") > 0 {
		return []string{fmt.Sprintf("the others got %s, such as %s", t, t.example)}
	}
	if 100*t.by["503"] > busyPercent*t.others() {
		return []string{fmt.Sprintf("the others got %s, more than %d %% of 503", t, busyPercent)}
	}
	return nil
}

// broken are the promises that were not kept, with how badly.
func (s *scene) broken(limit time.Duration) []string {
	all := brokenToOthers(&s.during)
	for _, b := range brokenToOthers(&s.after) {
		all = append(all, "reading back, "+b)
	}
	if p99 := s.during.quantile(0.99); !s.slow && p99 > limit {
		all = append(all, fmt.Sprintf("the others' p99 is %s ms, more than %s ms", millis(p99), millis(limit)))
	}
	if s.memory > 0 && s.peak >= s.memory {
		all = append(all, fmt.Sprintf("the memory peaked at %d MiB, not below %d MiB", s.peak, s.memory))
	}
	return append(all, s.brokenToAttackers(limit)...)
}

// brokenToAttackers are the promises about what attackers get.
func (s *scene) brokenToAttackers(limit time.Duration) (all []string) {
	t := &s.attackers
	for _, end := range slices.Sorted(maps.Keys(t.by)) {
		if end == wrongAnswer || strings.HasSuffix(end, withoutRetry) || strings.HasPrefix(end, "5") && end != "503" {
			all = append(all, fmt.Sprintf("the attackers got %d × %s %s", t.by[end], end, t.example))
		}
	}
	if slowest := t.quantile(1); s.within > 0 && slowest > max(s.within, limit) {
		all = append(all, fmt.Sprintf("the attackers' slowest answer took %s ms, p50 %s ms, p99 %s ms, more than %s ms", millis(slowest),
			millis(t.quantile(0.5)), millis(t.quantile(0.99)), millis(max(s.within, limit))))
	}
	if answered := t.others("429", stillSilent); s.limit > 0 && (answered > s.limit || t.by["429"] == 0) {
		all = append(all, fmt.Sprintf("the attacker got %d answers and %d × 429, though %d a minute are allowed", answered, t.by["429"], s.limit))
	}
	return all
}
