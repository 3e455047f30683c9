//go:build programs

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tally counts how requests ended: by status, or in words when there was none or it was wrong.
type tally struct {
	mu      sync.Mutex
	by      map[string]int
	took    []time.Duration // of those that were answered
	example string          // of what was wrong
}

// Ends of a request that are no status.
const (
	unanswered   = "no answer" // and the server closed the connection
	stillSilent  = "none yet"  // when the attack was over
	withoutRetry = " without Retry-After"
	wrongAnswer  = "wrong" // not what the client had written, say
	lost         = "lost"  // what was acknowledged is not there any more
)

func (t *tally) add(end string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]int{}
	}
	t.by[end]++
	if took > 0 {
		t.took = append(t.took, took)
	}
}

// fault notes what may never happen, and keeps the first example.
func (t *tally) fault(end, what string) {
	t.add(end, 0)
	t.keep(what)
}

func (t *tally) keep(example string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.example == "" {
		t.example = example
	}
}

// end is how an answer counts.
func end(status int, retryAfter bool) string {
	s := strconv.Itoa(status)
	if (status == 429 || status == 503) && !retryAfter {
		s += withoutRetry
	}
	return s
}

// others is how many ended otherwise.
func (t *tally) others(than ...string) (n int) {
	for end, of := range t.by {
		if !slices.Contains(than, end) {
			n += of
		}
	}
	return n
}

func (t *tally) String() string {
	var parts []string
	for _, end := range slices.Sorted(maps.Keys(t.by)) {
		parts = append(parts, fmt.Sprintf("%d × %s", t.by[end], end))
	}
	return strings.Join(parts, ", ")
}

// quantile is how long that share of the answers took at most.
func (t *tally) quantile(q float64) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	slices.Sort(t.took)
	return t.took[min(len(t.took)-1, int(q*float64(len(t.took))))]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
