package fastgorm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"healthcare/timing"
)

// Group commits transactions together. It is for SQLite, which has one writer: each commit waits for the disk, and in a
// group they share this wait. (PostgreSQL groups its commits by itself.)
//
//	request A ── joins ── gets the turn ── BEGIN ── A, B, C ── COMMIT ── answers ── gives the turn back
//	request B ── joins ── waits ................................└─ answers
//	request C ── joins ── waits ................................└─ answers
//	request D ............................ joins ── waits ................... gets the turn ── BEGIN ── D …
//
// The first request that gets the turn is the leader: it runs what all that have joined want to change, in one
// transaction. Nobody is answered before the commit. Who leaves while waiting is taken off the list; what has begun goes
// on to its end.
//
// If one of a group fails, the transaction is rolled back, and a second one runs each change within a savepoint: what
// fails again leaves nothing behind and the others as they are. If the second fails as a whole (a full disk), or a change
// panics, each has a transaction of its own.
//
// Another process may write, too. A leader asks for the database's lock each millisecond, so such a process need pause
// only briefly for it. (SQLite's own busy_timeout asks ever more rarely.)
type Group struct {
	db   *gorm.DB
	busy func(error) bool
	wait time.Duration
	turn chan struct{} // holds one while there is a leader

	mu      sync.Mutex
	waiting []*member
}

// member is the change of one request.
type member struct {
	change func(*gorm.DB) error
	err    error
	began  time.Time // when its turn came
	done   chan bool // whether the group has decided; err is then what it decided
}

// NewGroup makes a group for the one connection of db that writes. Its busy_timeout is 0, and its transactions begin
// IMMEDIATE. Busy tells which errors say that another process writes; the group waits so long for that one.
func NewGroup(db *gorm.DB, busy func(error) bool, wait time.Duration) *Group {
	return &Group{db: db, busy: busy, wait: wait, turn: make(chan struct{}, 1)}
}

// Transaction is GORM's Transaction, together with what else waits. Change may run more than once.
func (g *Group) Transaction(ctx context.Context, change func(*gorm.DB) error) error {
	m := &member{change: change, done: make(chan bool, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	g.mu.Unlock()
	spent, joined := timing.Of(ctx), time.Now()
	var decided bool
	select {
	case g.turn <- struct{}{}:
		g.lead(ctx, m)
		decided = <-m.done
	case decided = <-m.done:
	case <-ctx.Done():
		if g.leave(m) {
			spent.Waited(joined)
			return fmt.Errorf("%w: %w", timing.ErrNoConnection, ctx.Err())
		}
		decided = <-m.done
	}
	if m.began.IsZero() { // there was no BEGIN
		m.began = time.Now()
	}
	spent.Waited(joined.Add(time.Since(m.began)))
	defer spent.InDatabase(m.began)
	if !decided {
		return g.alone(ctx, change)
	}
	return m.err
}

// alone is GORM's Transaction that waits while another process writes.
func (g *Group) alone(ctx context.Context, change func(*gorm.DB) error) error {
	var locked error
	for began := time.Now(); ; {
		has := false
		err := g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			has = true
			return change(tx)
		})
		switch {
		case !has && g.busy(err):
			locked = err
		case !has && err != nil && locked != nil && ctx.Err() != nil: // the time ended while it asked
			return locked
		default:
			return err
		}
		if time.Since(began) > g.wait {
			return locked
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return locked
		}
	}
}

// leave takes a member off the list. It is false if the leader has begun with it.
func (g *Group) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// admit takes all members off the list: they have begun.
func (g *Group) admit() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	members, now := g.waiting, time.Now()
	for _, m := range members {
		m.began = now
	}
	g.waiting = nil
	return members
}

// lead runs the changes of all that wait, tells each whether that was decided, and gives the turn back.
func (g *Group) lead(ctx context.Context, leader *member) {
	var members []*member
	decided := false
	defer func() {
		_ = recover() // a change that panics does so again, where it belongs, when it is alone
		if g.leave(leader) {
			members = append(members, leader)
		}
		for _, m := range members {
			m.done <- decided
		}
		<-g.turn
	}()
	ctx, cancel := Uncancelled(ctx)
	defer cancel()
	err := g.alone(ctx, func(tx *gorm.DB) error {
		members = g.admit() // not before BEGIN: while another process writes, each may still leave
		return inTurn(tx, members)
	})
	switch {
	case err == nil:
		decided = true
	case len(members) > 1:
		decided = g.alone(ctx, func(tx *gorm.DB) error { return withSavepoints(tx, members) }) == nil
	case len(members) == 1:
		members[0].err, decided = err, true
	case g.leave(leader): // BEGIN failed; the others try in their turn
		members, leader.err, decided = []*member{leader}, err, true
	}
}

// inTurn makes the changes one after another, up to the first that fails. Most groups need no more: a savepoint for each
// would take a third longer, because SQLite's search index writes itself out at each.
func inTurn(tx *gorm.DB, members []*member) error {
	for _, m := range members {
		if m.err = m.change(tx); m.err != nil {
			return m.err
		}
	}
	return nil
}

// withSavepoints makes changes of which some fail. What it returns is an error of the transaction, not of a change.
func withSavepoints(tx *gorm.DB, members []*member) error {
	for _, m := range members {
		if err := tx.Exec("SAVEPOINT change").Error; err != nil {
			return err
		}
		if m.err = m.change(tx); m.err != nil {
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

// Waiting is how many wait for their turn.
func (g *Group) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// Uncancelled is a context with the same deadline, that goes on when the client does not.
func Uncancelled(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	return context.WithoutCancel(ctx), func() {}
}
