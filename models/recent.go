package models

import (
	"sync"
	"time"
)

// recent remembers rows as this instance last read or stored them. WriteOne can build on such a row without reading it
// again: the version in its UPDATE tells whether it still was the latest.
type recent[T any] struct {
	mu   sync.Mutex
	rows map[int64]seen[T] // nil remembers nothing
}

type seen[T any] struct {
	row T
	at  time.Time
}

const (
	recentMost = 1000 // rows
	recentFor  = time.Minute
)

func (r *recent[T]) keep(id int64, row T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) >= recentMost {
		clear(r.rows)
	}
	if r.rows != nil {
		r.rows[id] = seen[T]{row, time.Now()}
	}
}

// take forgets the row, so that whoever finds it out of date reads it the next time.
func (r *recent[T]) take(id int64) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.rows[id]
	delete(r.rows, id)
	return s.row, ok && time.Since(s.at) < recentFor
}
