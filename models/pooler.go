package models

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"healthcare/config"
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

// DirectConfig reads the address of PostgreSQL itself, see config.Database.Direct, and makes sure that it is one, and that
// of the same database.
func DirectConfig(ctx context.Context, d config.Database) (*pgx.ConnConfig, error) {
	pc, err := PostgresConfig(d.Direct())
	if err != nil {
		return nil, err
	}
	pooled, err := poolerAt(ctx, pc)
	if err == nil && pooled {
		err = errPooler
	}
	if err == nil && d.Migration != "" {
		err = sameDatabase(ctx, pc, d.Postgres)
	}
	return pc, err
}

// sameDatabase refuses a MIGRATION_DATABASE_URL of another database: that one would be migrated, and backed up. A lock that
// is taken there must be taken here: such locks are of one database of one server, and no pooler is in their way.
func sameDatabase(ctx context.Context, direct *pgx.ConnConfig, address string) error {
	here, err := PostgresConfig(address)
	if err != nil {
		return err
	}
	here.RuntimeParams["application_name"] = "healthcare-check" // a pooler keeps the connection, which is none of a server's
	one, err := pgx.ConnectConfig(ctx, direct)
	if err != nil {
		return err
	}
	defer func() { _ = one.Close(context.WithoutCancel(ctx)) }()
	other, err := pgx.ConnectConfig(ctx, here)
	if err != nil {
		return err
	}
	defer func() { _ = other.Close(context.WithoutCancel(ctx)) }()
	key := rand.Int64() //nolint:gosec // no secret: only no other's
	if _, err := one.Exec(ctx, "SELECT pg_advisory_lock($1)", key); err != nil {
		return err
	}
	var free bool
	err = other.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", pgx.QueryExecModeSimpleProtocol, key).Scan(&free)
	if err == nil && free {
		err = config.Errors{"MIGRATION_DATABASE_URL: names another database than DATABASE_URL, or another server's"}
	}
	return err
}
