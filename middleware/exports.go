package middleware

import (
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/timing"
)

// How many exports may be on their way at once, and how long a client may take to read 32 KiB of one.
const (
	exportsAtOnce = 4
	exportStalls  = 30 * time.Second
)

// Exports lets few exports run at once, and one of each account. The answer goes to the client while it is made, and the
// time limits of the connection are those of an export: of each piece, not of the whole.
func Exports() gin.HandlerFunc {
	var mu sync.Mutex
	running := map[int64]bool{}
	begin := func(account int64) error {
		mu.Lock()
		defer mu.Unlock()
		if running[account] {
			return apierror.NewThrottled(apierror.AccountBusy, 10, "Another export of this account is running. Let it end.")
		}
		if len(running) >= exportsAtOnce {
			return errBusy
		}
		running[account] = true
		return nil
	}
	return func(c *gin.Context) {
		account := Actor(c).ID
		if err := begin(account); err != nil {
			fail(c, err)
			return
		}
		defer func() { mu.Lock(); defer mu.Unlock(); delete(running, account) }()
		w := &piecewise{c.Writer, http.NewResponseController(c.Writer), timing.Of(c.Request.Context())}
		_ = w.control.SetReadDeadline(time.Time{}) // else the server takes it for the end of the connection
		c.Writer = w
		c.Next()
	}
}

// piecewise gives each piece of an answer its own time.
type piecewise struct {
	gin.ResponseWriter
	control *http.ResponseController
	spent   *timing.Spent
}

func (w *piecewise) Write(b []byte) (int, error) {
	began := time.Now()
	defer w.spent.Wrote(began)
	_ = w.control.SetWriteDeadline(began.Add(exportStalls)) // the writer of a test has none
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *piecewise) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Cut ends the connection in the middle of an answer, so that nobody takes it for a whole one, and tells the log.
func Cut(c *gin.Context, err error) {
	if c.Request.Context().Err() == nil { // else the client has gone, or time is up
		logError(c, "the answer was cut off: "+err.Error())
	}
	panic(http.ErrAbortHandler)
}
