package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	sqlite3 "modernc.org/sqlite/lib"

	"healthcare/apierror"
	"healthcare/config"
)

// migrationLock is the key of PostgreSQL's advisory lock that one instance at a time migrates under.
const migrationLock = 0x636c696e6963 // "clinic"

// Tables are the models that a backup and a move take along, each after those it refers to. forReplicas makes two more.
var Tables = []any{
	&User{}, &Session{}, &RefreshToken{}, &LoginFailure{}, &Invitation{},
	&Patient{}, &PatientIdentifier{}, &Doctor{}, &Mapping{}, &MovedRow{}, &Import{}, &ImportRow{}, &ImportedRow{},
	&Event{}, &Seal{}, &Archive{}, &AuditProof{}, &IdempotencyKey{}, &BackupNote{},
}

// replaced are indexes of earlier versions that others do the work of now.
var replaced = []string{
	"patients_owner_created", "patients_created", "doctors_created", "mappings_owner_created", "mappings_created", "events_object", "doctors_license",
	"seals_at", "events_user",
}

// migratePostgres uses connections of its own: the lock is of one session, which no pooler may come between, and the role
// of MIGRATION_DATABASE_URL may be one that alone may change tables.
func (db *DB) migratePostgres(ctx context.Context, pc *pgx.ConnConfig) (err error) {
	pool := stdlib.OpenDB(*pc, stdlib.OptionAfterConnect(utcTimes))
	defer func() { err = errors.Join(err, pool.Close()) }()
	g, err := openGORM(postgres.New(postgres.Config{Conn: pool}), db.cfg)
	if err != nil {
		return err
	}
	return g.WithContext(ctx).Connection(func(one *gorm.DB) (err error) {
		one = one.Session(&gorm.Session{NewDB: true}) // else the error of one statement would be that of all after it
		if err := db.waitToMigrate(ctx, one); err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, one.Exec("SELECT pg_advisory_unlock(?)", migrationLock).Error)
		}()
		// GORM asks the same of each table, in statements that take longer to plan than to run.
		if err := one.Exec("SET plan_cache_mode = force_generic_plan").Error; err != nil {
			return err
		}
		return migrate(one)
	})
}

// tellMigration is how long a start waits for another instance before it tells.
const tellMigration = 2 * time.Second

func tellMigrating(limit time.Duration) {
	slog.Warn("waiting for another instance, which changes the tables of the database", "MIGRATION_TIMEOUT", limit)
}

// errMigrating ends a start that has waited for too long.
var errMigrating = errors.New("MIGRATION_TIMEOUT: another instance is still changing the tables of the database, or has hung while it did")

// waitToMigrate waits until no other instance migrates.
func (db *DB) waitToMigrate(ctx context.Context, one *gorm.DB) error {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, db.cfg.MigrationTimeout)
	defer cancel()
	tell := time.AfterFunc(tellMigration, func() { tellMigrating(db.cfg.MigrationTimeout) })
	defer tell.Stop()
	err := one.WithContext(limited).Exec("SELECT pg_advisory_lock(?)", migrationLock).Error
	db.waitedToMigrate = time.Since(began)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return errMigrating
	}
	return err
}

// migrateSQLite uses a connection of its own without foreign keys: SQLite changes a table by building a new one,
// and dropping the old one would otherwise count as deleting its rows. The references are checked before the commit.
//
// It is one transaction, so one instance at a time migrates; the end of a process ends its lock, too.
func migrateSQLite(ctx context.Context, cfg *config.Config) (err error) {
	if cfg.Migrated {
		return nil
	}
	one, err := openGORM(sqlite.Open(sqliteDSN(cfg.Database.SQLite, time.Second, "&_txlock=immediate")), cfg)
	if err != nil {
		return err
	}
	pool, err := one.DB.DB()
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, pool.Close()) }()
	g := one.WithContext(ctx)
	return g.Transaction(func(tx *gorm.DB) error {
		if err := migrate(tx); err != nil {
			return err
		}
		var broken []struct{ Table string }
		if err := tx.Raw("PRAGMA foreign_key_check").Scan(&broken).Error; err != nil {
			return err
		}
		if len(broken) > 0 {
			return fmt.Errorf("migration: %d rows of %s refer to rows that do not exist", len(broken), broken[0].Table)
		}
		return nil
	})
}

// onceFree runs fn as soon as no other instance has the file to itself. (SQLite does not wait for all kinds of locks
// itself: not while the file is new and becomes one with a WAL.)
func onceFree(ctx context.Context, limit time.Duration, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := fn()
		if !isBusy(err) || pause(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
}

func isBusy(err error) bool { return apierror.SQLiteCode(err)&0xff == sqlite3.SQLITE_BUSY }

// migrateFile is migrateSQLite once the file is free. It returns how long it waited for that.
func migrateFile(ctx context.Context, cfg *config.Config) (waited time.Duration, err error) {
	began, told := time.Now(), false
	err = onceFree(ctx, cfg.MigrationTimeout, func() error {
		if waited = time.Since(began); waited > tellMigration && !told {
			told = true
			tellMigrating(cfg.MigrationTimeout)
		}
		return migrateSQLite(ctx, cfg)
	})
	if isBusy(err) && ctx.Err() == nil {
		err = errMigrating
	}
	return waited, err
}

// Migrate makes the tables of a database, or brings them up to date, and their indexes and triggers. It opens nothing else:
// an embedded database must be locked by the caller, see LockSQLite.
func Migrate(ctx context.Context, cfg *config.Config) error {
	if cfg.Database.Postgres == "" {
		_, err := migrateFile(ctx, cfg)
		return err
	}
	db := &DB{cfg: cfg}
	err := db.openPostgres(ctx)
	return errors.Join(err, db.Close())
}

func migrate(g *gorm.DB) error {
	if err := addFields(g); err != nil {
		return fmt.Errorf("migration: %w", err)
	}
	if err := g.AutoMigrate(Tables...); err != nil {
		return fmt.Errorf("migration: %w", err)
	}
	for _, index := range replaced {
		if err := g.Exec("DROP INDEX IF EXISTS " + index).Error; err != nil {
			return fmt.Errorf("migration: %w", err)
		}
	}
	for _, step := range []func(*gorm.DB) error{appendOnly, storeSealsPlain, indexSearch, indexOldTexts, indexShownPatients, renewKeys, forReplicas} {
		if err := step(g); err != nil {
			return fmt.Errorf("migration: %w", err)
		}
	}
	return nil
}

// indexShownPatients makes "who was shown this patient in a list?" quick: an index of arrays on PostgreSQL, a table of
// FTS5 with the ids as words on SQLite. Events are never changed, so that one follows them by a trigger on INSERT alone.
func indexShownPatients(g *gorm.DB) error {
	if g.Name() == "postgres" {
		if g.Migrator().HasIndex(&Event{}, "events_patients") {
			return nil
		}
		return g.Exec("CREATE INDEX events_patients ON events USING gin (patient_ids) WITH (gin_pending_list_limit = 512)" +
			" WHERE patient_ids IS NOT NULL").Error
	}
	if !g.Migrator().HasTable("events_patients") {
		err := g.Exec("CREATE VIRTUAL TABLE events_patients USING fts5(patient_ids, content='events', content_rowid='id')").Error
		if err != nil {
			return err
		}
		if err := g.Exec("INSERT INTO events_patients(events_patients) VALUES ('rebuild')").Error; err != nil {
			return err
		}
	}
	return g.Exec("CREATE TRIGGER IF NOT EXISTS events_patients_insert AFTER INSERT ON events WHEN new.patient_ids IS NOT NULL" +
		" BEGIN INSERT INTO events_patients(rowid, patient_ids) VALUES (new.id, new.patient_ids); END").Error
}
