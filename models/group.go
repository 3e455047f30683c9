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
	fn    func(*gorm.DB) error
	err   error
	ended chan bool // whether err is how it ended
}

func newGroup(write *gorm.DB) *group { return &group{write: write, turn: make(chan struct{}, 1)} }

// transaction runs fn in a transaction, together with what else waits. The first request that gets the turn does so
// for all; what has begun goes on to the end even if its client leaves meanwhile. If the transaction fails as a whole,
// nothing of it is kept, and each has one of its own.
func (g *group) transaction(ctx context.Context, fn func(*gorm.DB) error) error {
	c := &change{fn: fn, ended: make(chan bool, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	g.mu.Unlock()
	var ended bool
	select {
	case g.turn <- struct{}{}:
		g.together(ctx, c)
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
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// take begins all changes that wait.
func (g *group) take() []*change {
	g.mu.Lock()
	defer g.mu.Unlock()
	changes := g.waiting
	g.waiting = nil
	return changes
}

// together makes all changes that wait, and gives the turn back. With a savepoint each, one that is refused leaves
// nothing behind and the others as they are. That takes a third longer, so it is tried without, which works if none is
// refused.
func (g *group) together(ctx context.Context, own *change) {
	var changes []*change
	ended := false
	defer func() {
		_ = recover() // a change that panics does so again, where it belongs, when it is alone
		if g.withdraw(own) {
			changes = append(changes, own)
		}
		for _, c := range changes {
			c.ended <- ended
		}
		<-g.turn
	}()
	ctx, cancel := uncancelled(ctx)
	defer cancel()
	err := g.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		changes = g.take() // not before: while another process writes, each may still leave
		for _, c := range changes {
			if c.err = c.fn(tx); c.err != nil {
				return c.err
			}
		}
		return nil
	})
	switch {
	case err == nil:
		ended = true
	case len(changes) > 1:
		ended = g.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return withSavepoints(tx, changes) }) == nil
	case len(changes) == 1:
		changes[0].err, ended = err, true
	case g.withdraw(own): // it could not even begin; the others try in their turn
		changes, own.err, ended = []*change{own}, err, true
	}
}

// withSavepoints makes changes that may be refused. Its error is that of the transaction, not of a change.
func withSavepoints(tx *gorm.DB, changes []*change) error {
	for _, c := range changes {
		if err := tx.Exec("SAVEPOINT change").Error; err != nil {
			return err
		}
		if c.err = c.fn(tx); c.err != nil {
			if err := tx.Exec("ROLLBACK TO change").Error; err != nil {
				return err
			}
		}
		if err := tx.Exec("RELEASE change").Error; err != nil {
			return err
		}
	}
	return nil
}
