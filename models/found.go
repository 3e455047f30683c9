package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	sqlite3 "modernc.org/sqlite/lib"

	"healthcare/apierror"
	"healthcare/config"
)

// CheckDatabase refuses a database that is not there, or is not this program's. One that may be made may also be missing or
// empty. It makes and changes nothing.
func CheckDatabase(ctx context.Context, cfg *config.Config, mayBeMade bool) error {
	if mayBeMade && cfg.Database.Postgres != "" { // the tables of others may be beside ours
		return nil
	}
	const another = "Run the command in the folder of your database, or name it: DATABASE_URL=sqlite:/path/to/healthcare.db" +
		" or DATABASE_URL=postgres://… (Only the server, demo and restore make one.)"
	tables, err := tablesOf(ctx, cfg)
	ours := func(table string) bool { return slices.Contains(tables, table) }
	switch code := apierror.SQLiteCode(err) & 0xff; {
	case errors.Is(err, fs.ErrNotExist) && mayBeMade, code == sqlite3.SQLITE_BUSY: // it is being made, which Open waits for
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no database: %s does not exist. %s", cfg.Database, another)
	case code == sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s is not a database. %s", cfg.Database, another)
	case err != nil:
		return fmt.Errorf("%s cannot be read: %w", cfg.Database, err)
	case ours("users") && ours("patients") && ours("events"):
		return nil
	case mayBeMade && len(tables) == 0:
		return nil
	}
	return fmt.Errorf("%s does not hold this program's tables. %s", cfg.Database, another)
}

// tablesOf lists the tables of the configured database.
func tablesOf(ctx context.Context, cfg *config.Config) (tables []string, err error) {
	var dialector gorm.Dialector
	if path := cfg.Database.SQLite; path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
		if err := checkWritable(path); err != nil { // else SQLite would leave side files that nobody can write, not even later
			return nil, err
		}
		dialector = sqlite.Open(path + "?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	} else {
		pc, err := PostgresConfig(cfg.Database.Postgres)
		if err != nil {
			return nil, err
		}
		withoutNamedStatements(pc, cfg.Database.Postgres) // there may be a pooler
		pool := stdlib.OpenDB(*pc)
		defer func() { err = errors.Join(err, pool.Close()) }()
		dialector = postgres.New(postgres.Config{Conn: pool})
	}
	g, err := openGORM(dialector, cfg)
	if err != nil {
		return nil, err
	}
	pool, err := g.DB.DB()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	return g.WithContext(ctx).Migrator().GetTables()
}
