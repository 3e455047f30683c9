package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"healthcare/apierror"
)

// notReplicated is what a connection remembers whose server gave up waiting for its synchronous standby. PostgreSQL then
// says that the transaction is committed, and only warns: "The transaction has already committed locally, but might not
// have been replicated to the standby." A fail-over would lose it.
const notReplicated = "healthcare: not replicated"

// noteUnsafeCommits makes connections remember that warning. It is known by where it comes from, because its words are in
// the language of the server.
func noteUnsafeCommits(pc *pgx.ConnConfig) {
	pc.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		if n.Routine == "SyncRepWaitForLSN" {
			c.CustomData()[notReplicated] = true
		}
	}
}

// errNotReplicated answers a write that may be lost. Whoever sends it again with its Idempotency-Key stores it once.
var errNotReplicated = apierror.NewUnavailable(apierror.Standby, 2,
	"It is not certain that this was stored: the standby of the database does not answer. Try again soon.")

// onSafeConnection runs fn, which writes, on one connection of PostgreSQL. If what it has stored may be lost, or the time
// for it is over, it is an error, and the connection is closed: its server may be none that writes any more.
func (db *DB) onSafeConnection(ctx context.Context, fn func(g *gorm.DB) error) error {
	return db.write.OnOneConnection(ctx, func(g *gorm.DB) error {
		err := fn(g)
		late := err == nil && ctx.Err() != nil
		unsafe := g.Statement.ConnPool.(*sql.Conn).Raw(func(conn any) error {
			if _, warned := conn.(*stdlib.Conn).Conn().PgConn().CustomData()[notReplicated]; warned || late {
				return driver.ErrBadConn // which closes it
			}
			return nil
		})
		if errors.Is(unsafe, driver.ErrBadConn) && (err == nil || late) {
			return errNotReplicated
		}
		return err
	})
}

// needsPrimary makes an address of several servers mean the one that can be written to, unless it says what it means.
func needsPrimary(pc *pgx.ConnConfig, address string) {
	other := func(f *pgconn.FallbackConfig) bool { return f.Host != pc.Host || f.Port != pc.Port }
	if pc.ValidateConnect == nil && !strings.Contains(address, "target_session_attrs") && slices.ContainsFunc(pc.Fallbacks, other) {
		pc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
}
