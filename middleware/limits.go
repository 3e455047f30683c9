package middleware

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"

	"healthcare/apierror"
)

// Timeout gives each request a time limit, which also ends its work in the database.
func Timeout(limit time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), limit)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}

// maxBody is the size that a request's body may have, in bytes.
const maxBody = 1 << 20

// Body takes a request's body off the line, so that what comes after never waits for a slow client.
func Body(c *gin.Context) {
	if c.Request.Body == http.NoBody {
		return
	}
	raw, err := io.ReadAll(io.LimitReader(c.Request.Body, maxBody+1))
	if err != nil {
		fail(c, &apierror.Error{Code: apierror.ParseError, Detail: "JSON parse error - the body ended too soon."})
		return
	}
	if len(raw) > maxBody {
		// The rest too, within reason: a client that is still sending would never see the answer.
		_, _ = io.CopyN(io.Discard, c.Request.Body, 8*maxBody)
		fail(c, &apierror.Error{Code: apierror.RequestTooLarge, Detail: "The body must not be larger than 1 MiB."})
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(raw))
}

// LimitConcurrency lets so many requests be at work at once, and turns the others away at once: they would only wait for those,
// and make everybody wait longer.
func LimitConcurrency(most int) gin.HandlerFunc {
	slots := make(chan struct{}, most)
	return func(c *gin.Context) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			c.Next()
		default:
			fail(c, &apierror.Error{Code: apierror.Unavailable, Detail: "The server is busy. Try again soon.", RetryAfter: 1})
		}
	}
}

// RateLimit lets each client make so many requests a minute; 0 is no limit. It counts in memory, so each instance
// counts for itself.
func RateLimit(perMinute int64) gin.HandlerFunc {
	counter := limiter.New(memory.NewStore(), limiter.Rate{Period: time.Minute, Limit: perMinute})
	return func(c *gin.Context) {
		if perMinute == 0 {
			return
		}
		state, err := counter.Get(c.Request.Context(), clientNetwork(c.ClientIP()))
		if err != nil {
			fail(c, err)
			return
		}
		if state.Reached {
			wait := retryAfter(time.Until(time.Unix(state.Reset, 0)))
			fail(c, &apierror.Error{
				Code: apierror.Throttled, RetryAfter: wait,
				Detail: fmt.Sprintf("Request was throttled. Expected available in %d seconds.", wait),
			})
		}
	}
}

// retryAfter is a duration in whole seconds, at least one.
func retryAfter(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// clientNetwork is what counts as one client: an IPv4 address, or the /64 that an IPv6 address is in, of which one
// subscriber has 2^64.
func clientNetwork(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Unmap().Is4() {
		return addr.Unmap().String()
	}
	network, _ := addr.Prefix(64)
	return network.String()
}
