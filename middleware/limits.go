package middleware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"

	"healthcare/apierror"
	"healthcare/timing"
)

// exportLimit is how long an export may take: it is as large as the clinic.
const exportLimit = time.Hour

// Timeout gives each request a time limit, which also ends its work in the database. If it is measured, where the time goes
// is noted from here on.
func Timeout(usual time.Duration, measured bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		limit := usual
		if strings.HasSuffix(c.FullPath(), "/export") {
			limit = exportLimit
		}
		ctx, cancel := context.WithTimeout(c.Request.Context(), limit)
		defer cancel()
		if measured {
			ctx = timing.With(ctx)
		}
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}

// Sizes that a request's body may have, in bytes. Whoever signs in, or wants to, needs no large ones.
const (
	maxBody     = 1 << 20
	maxAuthBody = 16 << 10
	smallBody   = 16 << 10
)

// largeBodies are the bodies beyond smallBody that are on their way, by account. A client that begins one and never ends
// it holds its place, and maxBody in memory, until the server's read timeout.
var largeBodies = struct {
	sync.Mutex
	total     int
	byAccount map[int64]int
}{byAccount: map[int64]int{}}

// How many large bodies may be on their way at once: of all, and of one account.
const (
	largeBodiesAtOnce    = 32
	largeBodiesOfAccount = 8
)

// beginLargeBody takes a place, and tells whether there was one.
func beginLargeBody(account int64) bool {
	largeBodies.Lock()
	defer largeBodies.Unlock()
	if largeBodies.total >= largeBodiesAtOnce || largeBodies.byAccount[account] >= largeBodiesOfAccount {
		return false
	}
	largeBodies.total++
	largeBodies.byAccount[account]++
	return true
}

func endLargeBody(account int64) {
	largeBodies.Lock()
	defer largeBodies.Unlock()
	largeBodies.total--
	largeBodies.byAccount[account]--
	if largeBodies.byAccount[account] == 0 {
		delete(largeBodies.byAccount, account)
	}
}

// Body takes a request's body off the line, so that what comes after never waits for a slow client.
func Body(c *gin.Context) {
	if c.Request.Body == http.NoBody {
		return
	}
	most, size := maxBody, "1 MiB"
	if strings.HasPrefix(c.FullPath(), "/api/auth/") {
		most, size = maxAuthBody, "16 KiB"
	}
	began := time.Now()
	raw, err := readBody(c.Request.Body, most, Actor(c).ID)
	timing.Of(c.Request.Context()).Read(began)
	if errors.Is(err, errBusy) {
		fail(c, err)
		return
	}
	if err != nil {
		fail(c, &apierror.Error{Code: apierror.ParseError, Detail: "JSON parse error - the body ended too soon."})
		return
	}
	if len(raw) > most {
		// The rest too, within reason: a client that is still sending would never see the answer.
		_, _ = io.CopyN(io.Discard, c.Request.Body, 8*maxBody)
		fail(c, &apierror.Error{Code: apierror.RequestTooLarge, Detail: "The body must not be larger than " + size + "."})
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(raw))
}

// readBody reads at most one byte more than a body may have. A large one gets all of its memory at once: growing would
// leave as much again behind.
func readBody(body io.Reader, most int, account int64) ([]byte, error) {
	small, err := io.ReadAll(io.LimitReader(body, smallBody+1))
	if err != nil || len(small) <= smallBody || most <= smallBody {
		return small, err
	}
	if !beginLargeBody(account) {
		return nil, errBusy
	}
	defer endLargeBody(account)
	raw := bytes.NewBuffer(make([]byte, 0, most+1+bytes.MinRead))
	raw.Write(small)
	_, err = raw.ReadFrom(io.LimitReader(body, int64(most-len(small))+1))
	return raw.Bytes(), err
}

var errBusy = apierror.NewUnavailable(apierror.Shed, 1, "The server is busy. Try again soon.")

// RateLimit lets each address make so many requests a minute; 0 is no limit. It counts in memory, so each instance
// counts for itself.
func RateLimit(perMinute int64) gin.HandlerFunc {
	return rateLimit(perMinute, apierror.AddressRate, func(c *gin.Context) string { return clientNetwork(c.ClientIP()) })
}

// AccountRateLimit does the same for each account.
func AccountRateLimit(perMinute int64) gin.HandlerFunc {
	return rateLimit(perMinute, apierror.AccountRate, func(c *gin.Context) string { return strconv.FormatInt(Actor(c).ID, 10) })
}

func rateLimit(perMinute int64, cause apierror.Cause, who func(*gin.Context) string) gin.HandlerFunc {
	counter := limiter.New(memory.NewStore(), limiter.Rate{Period: time.Minute, Limit: perMinute})
	return func(c *gin.Context) {
		if perMinute == 0 {
			return
		}
		state, err := counter.Get(c.Request.Context(), who(c))
		if err != nil {
			fail(c, err)
			return
		}
		if state.Reached {
			wait := retryAfter(time.Until(time.Unix(state.Reset, 0)))
			fail(c, apierror.NewThrottled(cause, wait, fmt.Sprintf("Request was throttled. Expected available in %d seconds.", wait)))
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
