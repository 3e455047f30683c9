package middleware

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/metrics"
	"healthcare/timing"
)

const (
	requestIDKey = "request_id"
	errorKey     = "error"
	refusedKey   = "refused"
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

// Log writes one line for each request, and counts it. The line holds no name, token, address or query: the route is the
// pattern (/api/patients/:id), the user a number. A 503 and a request that took slow or longer are warnings; 0 is never slow.
func Log(log *slog.Logger, counted *metrics.Metrics, slow time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		start, client := time.Now(), c.Request.Context()
		defer func() { // of an answer that was cut off, too
			took := time.Since(start)
			counted.Answered(c.FullPath(), c.Request.Method, c.Writer.Status(), took)
			refused := refusedBecause(client, c)
			if refused != nil {
				counted.Refused(refused.Code, refused.Cause)
			}
			writeLog(c, log, took, refused, slow > 0 && took >= slow)
		}()
		c.Next()
	}
}

// noteRefused keeps the error of a 503 or 429.
func noteRefused(c *gin.Context, e *apierror.Error) {
	if _, counts := apierror.Causes[e.Code]; counts {
		c.Set(refusedKey, e)
	}
}

// refusedBecause is why an answer was 503 or 429, nil for another one. The log and the metrics have the cause from here.
func refusedBecause(client context.Context, c *gin.Context) *apierror.Error {
	noted, _ := c.Value(refusedKey).(*apierror.Error)
	if noted == nil {
		return nil
	}
	refused := &apierror.Error{Code: noted.Code, Cause: noted.Cause, Reason: noted.Reason}
	switch {
	case client.Err() != nil && noted.Code == apierror.Unavailable:
		refused.Cause = apierror.ClientGone
	case !slices.Contains(apierror.Causes[noted.Code], noted.Cause):
		refused.Cause = apierror.CauseNotSet
	}
	return refused
}

func writeLog(c *gin.Context, log *slog.Logger, took time.Duration, refused *apierror.Error, slow bool) {
	attrs := []slog.Attr{
		slog.String("method", c.Request.Method), slog.String("route", c.FullPath()), slog.Int("status", c.Writer.Status()),
		slog.Duration("took", took), slog.Int("bytes", max(0, c.Writer.Size())),
		slog.Int64("user", Actor(c).ID), slog.String("request_id", RequestIDOf(c)),
	}
	level := slog.LevelInfo
	if refused != nil {
		attrs = append(attrs, slog.String("cause", string(refused.Cause)))
		if refused.Reason != "" {
			attrs = append(attrs, slog.String("reason", refused.Reason))
		}
		if refused.Code == apierror.Unavailable {
			level = slog.LevelWarn
		}
	}
	if slow {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Bool("slow", true))
		if spent := timing.Of(c.Request.Context()); spent != nil {
			attrs = append(attrs, slog.Duration("database", spent.Database.Duration()), slog.Duration("waiting", spent.Waiting.Duration()),
				slog.Duration("reading", spent.Reading.Duration()), slog.Duration("writing", spent.Writing.Duration()))
		}
	}
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
