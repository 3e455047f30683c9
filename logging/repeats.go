package logging

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// every is how often the same error is written at most.
const every = time.Second

// repeats writes warnings and errors that tell an error or a cause once, counts those that are the same, and writes the last
// of them a second later, with "repeated", the number.
type repeats struct {
	slog.Handler
	shared *seen
	of     string // what WithAttrs and WithGroup have made of it
}

// seen is what was written within the last second.
type seen struct {
	mu   sync.Mutex
	open map[string]*repeat
}

type repeat struct {
	count int
	last  slog.Record
	to    slog.Handler
}

// WithAttrs keeps what is repeated apart.
func (h *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	of := h.of
	for _, a := range attrs {
		of += "\x00" + a.String()
	}
	return &repeats{h.Handler.WithAttrs(attrs), h.shared, of}
}

// WithGroup keeps what is repeated apart.
func (h *repeats) WithGroup(name string) slog.Handler {
	return &repeats{h.Handler.WithGroup(name), h.shared, h.of + "\x00" + name}
}

// Handle writes a record, or counts it.
func (h *repeats) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.Handler.Handle(ctx, r)
	}
	key, tells := keyOf(r)
	if !tells {
		return h.Handler.Handle(ctx, r)
	}
	key += h.of
	h.shared.mu.Lock()
	if again := h.shared.open[key]; again != nil {
		again.count++
		again.last = r.Clone()
		h.shared.mu.Unlock()
		return nil
	}
	h.shared.open[key] = &repeat{to: h.Handler}
	h.shared.mu.Unlock()
	time.AfterFunc(every, func() { h.shared.tell(key) })
	return h.Handler.Handle(ctx, r)
}

// keyOf is what records have in common that are the same to a reader: not the request, nor how long it took, nor where a
// panic's memory was. It is false for one that tells no error.
func keyOf(r slog.Record) (key string, tells bool) {
	var b strings.Builder
	b.WriteString(r.Level.String() + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "error", "cause":
			tells = true
			first, _, _ := strings.Cut(a.Value.String(), "\n")
			b.WriteString("\x00" + first)
		case "reason", "route", "status":
			b.WriteString("\x00" + a.Value.String())
		}
		return true
	})
	return b.String(), tells
}

// tell writes what was counted for a second, and counts on, until there is nothing to write.
func (s *seen) tell(key string) {
	s.mu.Lock()
	r := s.open[key]
	if r == nil || r.count == 0 {
		delete(s.open, key)
		s.mu.Unlock()
		return
	}
	s.open[key] = &repeat{to: r.to}
	s.mu.Unlock()
	time.AfterFunc(every, func() { s.tell(key) })
	r.write()
}

// flush writes all that was counted.
func (s *seen) flush() {
	s.mu.Lock()
	open := s.open
	s.open = map[string]*repeat{}
	s.mu.Unlock()
	for _, r := range open {
		if r.count > 0 {
			r.write()
		}
	}
}

func (r *repeat) write() {
	r.last.AddAttrs(slog.Int("repeated", r.count))
	_ = r.to.Handle(context.Background(), r.last)
}
