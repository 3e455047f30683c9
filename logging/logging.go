// Package logging makes the server's log. Begin with New.
package logging

import (
	"io"
	"log"
	"log/slog"
	"strings"
)

// New writes lines of a format, text or json, from a level on. An error that repeats itself is written once a second at most,
// with the number of times; flush writes the numbers that are still open.
func New(to io.Writer, format string, level slog.Level) (out *slog.Logger, flush func()) {
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(to, options)
	if format == "json" {
		handler = slog.NewJSONHandler(to, options)
	}
	seldom := &repeats{Handler: handler, shared: &seen{open: map[string]*repeat{}}}
	return slog.New(seldom), seldom.shared.flush
}

// ForServer is what net/http logs to. Most of that are broken connections, which only who debugs wants to see; but when
// it cannot take a connection, no client can be served, and it is the only one who knows.
func ForServer(to *slog.Logger) *log.Logger { return log.New(serverLog{to}, "", 0) }

type serverLog struct{ to *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if reason, cannot := strings.CutPrefix(text, "http: Accept error: "); cannot {
		reason, _, _ = strings.Cut(reason, "; retrying") // after a time that differs
		l.to.Error("no connection can be taken", "error", reason)
	} else {
		l.to.Debug(text)
	}
	return len(line), nil
}
