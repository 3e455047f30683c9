package fastgorm

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/timing"
)

// Pool is a *gorm.DB whose WithContext is cheap. GORM's copies its configuration and its statement for each session, and
// the statement once more for the first clause of the chain.
type Pool struct{ *gorm.DB }

// WithContext begins chains with a context, as db.Session(&gorm.Session{NewDB: true, Context: ctx}) does.
func (p Pool) WithContext(ctx context.Context) *gorm.DB {
	return session(ctx, p.DB, p.Statement.ConnPool)
}

// session is a copy of db that begins each chain anew, on a pool or a connection.
func session(ctx context.Context, db *gorm.DB, pool gorm.ConnPool) *gorm.DB {
	s := *db
	s.Error = nil
	s.Statement = &gorm.Statement{DB: &s, ConnPool: pool, Context: ctx, Clauses: map[string]clause.Clause{}}
	return &s
}

// OnOneConnection runs fn on one connection of the pool, which need not be looked for again for each statement.
func (p Pool) OnOneConnection(ctx context.Context, fn func(*gorm.DB) error) error {
	pool, err := p.DB.DB()
	if err != nil {
		return err
	}
	conn, giveBack, err := take(ctx, pool)
	if err != nil {
		return err
	}
	defer giveBack()
	return fn(session(ctx, p.DB, conn))
}

// take waits for a connection of a pool. How long that takes, and how long it is used, counts for the request of the
// context.
func take(ctx context.Context, pool *sql.DB) (conn *sql.Conn, giveBack func(), err error) {
	spent, began := timing.Of(ctx), time.Now()
	late := ctx.Err() != nil
	conn, err = pool.Conn(ctx)
	spent.Waited(began)
	if err != nil {
		// It is the context's own error only for who waits in the pool: a driver that cannot connect says so.
		if !late && err == ctx.Err() { //nolint:errorlint // see above
			err = fmt.Errorf("%w: %w", timing.ErrNoConnection, err)
		}
		return nil, nil, err
	}
	had := time.Now()
	return conn, func() { spent.InDatabase(had); _ = conn.Close() }, nil
}
