package middleware

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/timing"
)

// Places limits how many requests are at work at once.
type Places struct {
	slots  chan struct{}
	share  int
	unread atomic.Int64

	mu       sync.Mutex
	accounts map[int64]*account
}

// account is what one account has at work.
type account struct {
	places   chan struct{} // one for each of its requests, from their first query until their answer is sent
	requests int           // those and the ones that wait
}

const (
	// waitingOfAccount is how many requests of one account may wait for its others.
	waitingOfAccount = 100
	// maxUnread is how many bytes of answers may wait for clients that do not read them.
	maxUnread = 64 << 20
)

// NewPlaces makes so many places, of which one account has a share.
func NewPlaces(most, share int) *Places {
	return &Places{slots: make(chan struct{}, most), share: share, accounts: map[int64]*account{}}
}

// InUse is how many are taken.
func (l *Places) InUse() int { return len(l.slots) }

// LimitConcurrency lets as many requests as there are places be at work at once, and turns the others away at once: they would only wait, and
// make everybody wait longer. One account has no more than a share of these places. Its other requests wait for each
// other, outside, so that it keeps nobody waiting but itself. Requests without an account have no share.
//
// A request is at work until its answer is made, not until a slow client has read it. The answer waits in memory, and
// counts for the account's share.
func LimitConcurrency(l *Places) gin.HandlerFunc {
	return func(c *gin.Context) {
		if id := Actor(c).ID; id != 0 {
			if !l.enter(c.Request.Context(), id) {
				fail(c, apierror.NewThrottled(apierror.AccountBusy, 1, "Too many requests of this account are at work. Try again soon."))
				return
			}
			defer l.leave(id)
		}
		answer := answers.Get().(*answerWriter)
		answer.ResponseWriter = c.Writer
		defer answer.forget()
		if !l.work(c, answer) {
			fail(c, errBusy)
			return
		}
		l.send(c, answer.body.Bytes())
	}
}

// work runs the handlers in a slot. It is false if there is none. However they end, with a panic too, the request has its
// own writer again.
func (l *Places) work(c *gin.Context, answer *answerWriter) bool {
	select {
	case l.slots <- struct{}{}:
		c.Writer = answer
		defer func() { c.Writer = answer.ResponseWriter; <-l.slots }()
		c.Next()
		return true
	default:
		return false
	}
}

// send writes the answer, if there is room for it to wait.
func (l *Places) send(c *gin.Context, body []byte) {
	size := int64(len(body))
	defer l.unread.Add(-size)
	if l.unread.Add(size) > maxUnread && size > smallBody {
		fail(c, errBusy)
		return
	}
	if size > 0 {
		began := time.Now()
		defer func() { timing.Of(c.Request.Context()).Wrote(began) }()
		_, _ = c.Writer.Write(body) // the client has gone, if it fails
	}
}

// enter waits for a place among the account's own requests.
func (l *Places) enter(ctx context.Context, id int64) bool {
	l.mu.Lock()
	a := l.accounts[id]
	if a == nil {
		a = &account{places: make(chan struct{}, l.share)}
		l.accounts[id] = a
	}
	full := a.requests >= l.share+waitingOfAccount
	if !full {
		a.requests++
	}
	l.mu.Unlock()
	if full {
		return false
	}
	spent, began := timing.Of(ctx), time.Now()
	defer func() { spent.Waited(began) }()
	select {
	case a.places <- struct{}{}:
		return true
	case <-ctx.Done():
		l.forget(id)
		return false
	}
}

func (l *Places) leave(id int64) {
	l.mu.Lock()
	<-l.accounts[id].places
	l.mu.Unlock()
	l.forget(id)
}

func (l *Places) forget(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[id]
	a.requests--
	if a.requests == 0 {
		delete(l.accounts, id)
	}
}

// answerWriter keeps the body of an answer in memory.
type answerWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

var answers = sync.Pool{New: func() any { return new(answerWriter) }}

// forget makes the writer ready for the next answer, unless it has grown large.
func (w *answerWriter) forget() {
	if w.body.Cap() <= smallBody {
		w.ResponseWriter = nil
		w.body.Reset()
		answers.Put(w)
	}
}

func (w *answerWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

// WriteString is Write for a string.
func (w *answerWriter) WriteString(s string) (int, error) { return w.body.WriteString(s) }
