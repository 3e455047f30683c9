package listing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"healthcare/timing"
)

// Turns lets few searches run at once, because each keeps a connection busy for as long as it takes: one account's use
// half of the connections at most, all of them together three quarters. The rest is left to all other requests. A
// search waits for its turn within the time limit of its request.
type Turns struct {
	running  chan struct{} // of all accounts
	each     int
	mu       sync.Mutex
	accounts map[int64]*turns // that search just now
}

// turns are the searches of one account.
type turns struct {
	running chan struct{}
	count   int // running or waiting
}

// NewTurns is for a database with so many connections for reading.
func NewTurns(connections int) *Turns {
	return &Turns{running: make(chan struct{}, max(1, connections*3/4)), each: max(1, connections/2), accounts: map[int64]*turns{}}
}

// Take waits for a turn of the account. Whoever gets one gives it back by calling done.
func (t *Turns) Take(ctx context.Context, account int64) (done func(), err error) {
	spent, began := timing.Of(ctx), time.Now()
	defer func() { spent.Waited(began) }()
	own := t.enter(account)
	if err := acquire(ctx, own.running); err != nil {
		t.leave(account)
		return nil, err
	}
	if err := acquire(ctx, t.running); err != nil {
		<-own.running
		t.leave(account)
		return nil, err
	}
	return func() { <-t.running; <-own.running; t.leave(account) }, nil
}

func acquire(ctx context.Context, running chan<- struct{}) error {
	select {
	case running <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", timing.ErrNoConnection, ctx.Err())
	}
}

// enter counts one more search of the account.
func (t *Turns) enter(account int64) *turns {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.accounts[account]
	if own == nil {
		own = &turns{running: make(chan struct{}, t.each)}
		t.accounts[account] = own
	}
	own.count++
	return own
}

func (t *Turns) leave(account int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.accounts[account]
	own.count--
	if own.count == 0 {
		delete(t.accounts, account)
	}
}
