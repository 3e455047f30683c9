package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"

	"healthcare/config"
	"healthcare/listing"
)

// PostgresConfig reads DATABASE_URL.
func PostgresConfig(address string) (*pgx.ConnConfig, error) {
	pc, err := postgresConfig("DATABASE_URL", address)
	if err != nil {
		return nil, err
	}
	needsPrimary(pc, address)
	return pc, nil
}

// postgresConfig reads the address of a variable.
func postgresConfig(variable, address string) (*pgx.ConnConfig, error) {
	pc, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New(variable + " is not a valid PostgreSQL address") // the cause may quote the password
	}
	if pc.ConnectTimeout == 0 {
		pc.ConnectTimeout = 5 * time.Second
	}
	if pc.RuntimeParams["application_name"] == "" {
		pc.RuntimeParams["application_name"] = "healthcare"
	}
	return pc, nil
}

// cancelStatements makes a request that ends early cancel its statement on the server too, instead of only hanging up.
func cancelStatements(pc *pgx.ConnConfig) {
	pc.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Second}
	}
}

func (db *DB) openPostgres(ctx context.Context) error {
	cfg := db.cfg
	pc, err := PostgresConfig(cfg.Database.Postgres)
	if err != nil {
		return err
	}
	cancelStatements(pc)
	noteUnsafeCommits(pc)
	if cfg.Database.Replica != "" {
		if err := db.openReplica(ctx); err != nil {
			return err
		}
	}
	onConnection := func(ctx context.Context, conn *pgx.Conn) error {
		db.revocations.Add(1) // it may be another server, after a fail-over: what was known of who asks is asked again
		return errors.Join(utcTimes(ctx, conn), db.replica.onServer(ctx, conn))
	}
	pool := openPool(pc, cfg, onConnection)
	pooled, err := poolerBefore(ctx, pool)
	if err != nil {
		return errors.Join(fmt.Errorf("PostgreSQL cannot be reached: %w", err), pool.Close())
	}
	if pooled {
		withoutNamedStatements(pc, cfg.Database.Postgres)
		_ = pool.Close()
		pool = openPool(pc, cfg, onConnection)
	}
	if db.read, err = openGORM(postgres.New(postgres.Config{Conn: pool}), cfg); err != nil {
		return errors.Join(fmt.Errorf("PostgreSQL cannot be reached: %w", err), pool.Close())
	}
	db.write = db.read
	db.probe = stdlib.OpenDB(*pc)
	limitProbe(db.probe)
	db.turns = listing.NewTurns(cfg.MaxConns)
	if cfg.Migrated {
		return nil
	}
	if cfg.Database.Migration != "" {
		if pc, err = DirectConfig(ctx, cfg.Database); err != nil {
			return err
		}
	} else if pooled {
		return errPooler
	}
	return db.migratePostgres(ctx, pc)
}

// openPool makes a pool of DB_MAX_CONNS connections.
func openPool(pc *pgx.ConnConfig, cfg *config.Config, afterConnect func(context.Context, *pgx.Conn) error) *sql.DB {
	pool := stdlib.OpenDB(*pc, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		err := afterConnect(ctx, conn)
		if err != nil {
			_ = conn.Close(ctx) // nobody else does
		}
		return err
	}))
	pool.SetMaxOpenConns(cfg.MaxConns)
	pool.SetMaxIdleConns(cfg.MaxIdle)
	pool.SetConnMaxLifetime(time.Hour)
	return pool
}

// utcTimes makes a connection read timestamps in UTC, whatever the machine's time zone is.
func utcTimes(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}
