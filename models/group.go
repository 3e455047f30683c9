package models

import (
	"context"
	"slices"
	"sync"

	"gorm.io/gorm"
)

// group commits together the changes that wait for SQLite's one writing connection, so that they share the wait for the
// disk that an acknowledged change needs. (PostgreSQL commits in groups by itself.)
type group struct {
	write *gorm.DB
	turn  chan struct{} // holds one while changes are made

	mu      sync.Mutex
	waiting []*change
}

// change is the transaction of one request.
type change struct {
	ctx   context.Context
	fn    func(*gorm.DB) error
	err   error
	ended chan bool // whether err is how it ended
}

func newGroup(write *gorm.DB) *group { return &group{write: write, turn: make(chan struct{}, 1)} }

// transaction runs fn in a transaction, together with what else waits. The first request that gets the turn does so
// for all; it takes its own to the end even if its client leaves meanwhile. If the transaction fails as a whole, nothing
// of it is kept, and each has one of its own.
func (g *group) transaction(ctx context.Context, fn func(*gorm.DB) error) error {
	c := &change{ctx: ctx, fn: fn, ended: make(chan bool, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	g.mu.Unlock()
	var ended bool
	select {
	case g.turn <- struct{}{}:
		g.together(ctx)
		ended = <-c.ended
	case ended = <-c.ended:
	case <-ctx.Done():
		if g.withdraw(c) {
			return ctx.Err()
		}
		ended = <-c.ended
	}
	if !ended {
		return g.write.WithContext(ctx).Transaction(fn)
	}
	return c.err
}

// withdraw takes back a change that has not begun.
func (g *group) withdraw(c *change) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, c)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// together makes all changes that wait, and gives the turn back.
func (g *group) together(ctx context.Context) {
	g.mu.Lock()
	changes := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	ended := false
	defer func() {
		_ = recover() // a change that panics does so again, where it belongs, when it is alone
		for _, c := range changes {
			c.ended <- ended
		}
		<-g.turn
	}()
	switch len(changes) {
	case 0: // the last turn made this request's change too
	case 1:
		c := changes[0]
		c.err = g.write.WithContext(c.ctx).Transaction(c.fn)
		ended = true
	default:
		ctx, cancel := uncancelled(ctx)
		defer cancel()
		ended = g.inOne(ctx, changes, false) || g.inOne(ctx, changes, true)
	}
}

// inOne makes changes in one transaction, and tells whether it was committed. With a savepoint each, one that is refused
// leaves nothing behind and the others as they are. That takes a third longer, so it is tried without, which works
// if none is refused.
func (g *group) inOne(ctx context.Context, changes []*change, savepoints bool) bool {
	err := g.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, c := range changes {
			if !savepoints {
				if c.err = c.fn(tx); c.err != nil {
					return c.err
				}
			} else if err := c.among(tx); err != nil {
				return err
			}
		}
		return nil
	})
	return err == nil
}

// among makes a change with a savepoint. Its error is that of the transaction, not of the change.
func (c *change) among(tx *gorm.DB) error {
	if err := tx.Exec("SAVEPOINT change").Error; err != nil {
		return err
	}
	if c.err = c.fn(tx); c.err != nil {
		if err := tx.Exec("ROLLBACK TO change").Error; err != nil {
			return err
		}
	}
	return tx.Exec("RELEASE change").Error
}
