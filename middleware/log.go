package middleware

import (
	"crypto/rand"
	"log/slog"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	requestIDKey = "request_id"
	noteKey      = "note"
)

var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// RequestID gives each request an id: the client's own if it is a plain word, else a random one.
func RequestID(c *gin.Context) {
	id := c.GetHeader("X-Request-ID")
	if !goodRequestID.MatchString(id) {
		id = rand.Text()
	}
	c.Set(requestIDKey, id)
	c.Header("X-Request-ID", id)
}

// RequestIDOf is the id that RequestID gave.
func RequestIDOf(c *gin.Context) string { return c.GetString(requestIDKey) }

// note keeps what went wrong for the request's line in the log.
func note(c *gin.Context, says string) { c.Set(noteKey, says) }

// Log writes one line for each request. It holds no name, token, address or query: the route is the pattern
// (/api/patients/:id), the user a number.
func Log(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		attrs := []slog.Attr{
			slog.String("method", c.Request.Method), slog.String("route", c.FullPath()), slog.Int("status", c.Writer.Status()),
			slog.Duration("took", time.Since(start)), slog.Int("bytes", max(0, c.Writer.Size())),
			slog.Int64("user", Actor(c).ID), slog.String("request_id", RequestIDOf(c)),
		}
		level := slog.LevelInfo
		if says := c.GetString(noteKey); says != "" {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", says))
		}
		if ctx := c.Request.Context(); log.Enabled(ctx, level) {
			line := slog.NewRecord(time.Now(), level, "request", 0) // LogAttrs would look up the line of code first
			line.AddAttrs(attrs...)
			_ = log.Handler().Handle(ctx, line)
		}
	}
}
