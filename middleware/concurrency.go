package middleware

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
)

// concurrency limits how many requests are at work at once.
type concurrency struct {
	slots  chan struct{}
	share  int // requests of one account, from their first query until their answer is sent
	unread atomic.Int64

	mu        sync.Mutex
	byAccount map[int64]int
}

// maxUnread is how many bytes of answers may wait for clients that do not read them.
const maxUnread = 64 << 20

// LimitConcurrency lets so many requests be at work at once, and no more than a share of them for one account. Others are
// turned away at once: they would only wait, and make everybody wait longer. Requests without an account have no share.
//
// A request is at work until its answer is made, not until a slow client has read it. The answer waits in memory.
func LimitConcurrency(most, share int) gin.HandlerFunc {
	l := &concurrency{slots: make(chan struct{}, most), share: share, byAccount: map[int64]int{}}
	return func(c *gin.Context) {
		account := Actor(c).ID
		if !l.enter(account) {
			fail(c, &apierror.Error{Code: apierror.Throttled, Detail: "Too many requests of this account are at work. Try again soon.", RetryAfter: 1})
			return
		}
		defer l.leave(account)
		answer := &answerWriter{ResponseWriter: c.Writer}
		c.Writer = answer
		ok := l.work(c)
		c.Writer = answer.ResponseWriter
		if !ok {
			fail(c, errBusy)
			return
		}
		l.send(c, answer.body.Bytes())
	}
}

// work runs the handlers in a slot. It is false if there is none.
func (l *concurrency) work(c *gin.Context) bool {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
		c.Next()
		return true
	default:
		return false
	}
}

// send writes the answer, if there is room for it to wait.
func (l *concurrency) send(c *gin.Context, body []byte) {
	size := int64(len(body))
	defer l.unread.Add(-size)
	if l.unread.Add(size) > maxUnread && size > smallBody {
		fail(c, errBusy)
		return
	}
	if size > 0 {
		_, _ = c.Writer.Write(body) // the client has gone, if it fails
	}
}

func (l *concurrency) enter(account int64) bool {
	if account == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byAccount[account] >= l.share {
		return false
	}
	l.byAccount[account]++
	return true
}

func (l *concurrency) leave(account int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byAccount[account]--
	if l.byAccount[account] <= 0 {
		delete(l.byAccount, account)
	}
}

// answerWriter keeps the body of an answer in memory.
type answerWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *answerWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

// WriteString is Write for a string.
func (w *answerWriter) WriteString(s string) (int, error) { return w.body.WriteString(s) }
