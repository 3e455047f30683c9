package middleware

import (
	"encoding/base32"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	requestIDKey = "request_id"
	errorKey     = "error"
)

var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// RequestID gives each request an id: the client's own if it is a plain word, else a random one, which need not be secret.
func RequestID(c *gin.Context) {
	id := c.GetHeader("X-Request-Id")
	if id == "" || !goodRequestID.MatchString(id) {
		var random [16]byte
		binary.NativeEndian.PutUint64(random[:8], rand.Uint64()) //nolint:gosec // see above
		binary.NativeEndian.PutUint64(random[8:], rand.Uint64()) //nolint:gosec // see above
		id = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])
	}
	c.Set(requestIDKey, id)
	c.Header("X-Request-Id", id)
}

// RequestIDOf is the id that RequestID gave.
func RequestIDOf(c *gin.Context) string { return c.GetString(requestIDKey) }

// logError keeps an error for the line of the request in the log.
func logError(c *gin.Context, message string) { c.Set(errorKey, message) }

// Log writes one line for each request. It holds no name, token, address or query: the route is the pattern
// (/api/patients/:id), the user a number.
func Log(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		defer func() { writeLog(c, log, time.Since(start)) }() // of an answer that was cut off, too
		c.Next()
	}
}

func writeLog(c *gin.Context, log *slog.Logger, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("method", c.Request.Method), slog.String("route", c.FullPath()), slog.Int("status", c.Writer.Status()),
		slog.Duration("took", took), slog.Int("bytes", max(0, c.Writer.Size())),
		slog.Int64("user", Actor(c).ID), slog.String("request_id", RequestIDOf(c)),
	}
	level := slog.LevelInfo
	if message := c.GetString(errorKey); message != "" {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", message))
	}
	if ctx := c.Request.Context(); log.Enabled(ctx, level) {
		line := slog.NewRecord(time.Now(), level, "request", 0) // LogAttrs would look up the line of code first
		line.AddAttrs(attrs...)
		_ = log.Handler().Handle(ctx, line)
	}
}
