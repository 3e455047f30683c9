package models

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// execMode is the parameter of DATABASE_URL that says how pgx runs statements.
const execMode = "default_query_exec_mode"

// errPooler refuses an address for what must have a session of its own: a lock that lasts, a snapshot that others share.
var errPooler = errors.New("DATABASE_URL goes through a pooler such as PgBouncer: set MIGRATION_DATABASE_URL to the address of PostgreSQL itself")

// behindPooler tells whether something gives this program another connection of the server for each transaction, as
// PgBouncer does: the connection then has another number than the one that was told when it began.
func behindPooler(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var pid uint32
	err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid != conn.PgConn().PID(), err
}

// poolerAt asks that on a connection of its own.
func poolerAt(ctx context.Context, pc *pgx.ConnConfig) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, pc)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return behindPooler(ctx, conn)
}

// poolerBefore asks that on a connection of a pool, which keeps it.
func poolerBefore(ctx context.Context, pool *sql.DB) (pooled bool, err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	err = conn.Raw(func(c any) (err error) {
		pooled, err = behindPooler(ctx, c.(*stdlib.Conn).Conn())
		return err
	})
	return pooled, err
}

// withoutNamedStatements is for a server's connections that change between transactions: a statement that was prepared on
// one would be missing on the next. What a statement returns is still remembered. The address may say something else.
func withoutNamedStatements(pc *pgx.ConnConfig, address string) {
	if !strings.Contains(address, execMode) {
		pc.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
}

// DirectConfig reads the address of PostgreSQL itself, see config.Database.Direct, and makes sure that it is one.
func DirectConfig(ctx context.Context, address string) (*pgx.ConnConfig, error) {
	pc, err := PostgresConfig(address)
	if err != nil {
		return nil, err
	}
	pooled, err := poolerAt(ctx, pc)
	if err == nil && pooled {
		err = errPooler
	}
	return pc, err
}
