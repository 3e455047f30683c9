package models

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"healthcare/config"
	"healthcare/fastgorm"
	"healthcare/listing"
)

// DB is the clinic's database. Reads go to one pool and writes to another, because SQLite has one writer at a time
// (its pool has one connection) and any number of readers; on PostgreSQL both are the same pool.
type DB struct {
	read, write fastgorm.Pool
	probe       *sql.DB         // one connection that no request takes, see Ready
	group       *fastgorm.Group // of the transactions on SQLite; nil on PostgreSQL
	turns       *listing.Turns  // of the searches
	file        *openFile       // SQLite's; nil on PostgreSQL

	passwords    *passwords
	refreshTTL   time.Duration
	refreshGrace time.Duration
	refreshKey   []byte // derives the successor of a refresh token
	cfg          *config.Config
	auditKeys    []auditKey // the one that seals the audit trail, and the former ones
	end          *auditEnd
	cursors      cipher.AEAD
	recorder     *recorder
	replica      *replica      // nil without READ_DATABASE_URL
	mails        *mails        // nil without SMTP_URL
	imports      chan struct{} // wakes KeepImported
	revocations  atomic.Int64

	listsOfPrimary atomic.Int64 // lists that were read from the primary, see replica.go
	// waitedToMigrate is how long the start waited for another instance that migrated.
	waitedToMigrate time.Duration
	oldTexts        atomic.Bool // some search texts may be those of an earlier version, see migrate_texts.go
}

// Open connects to the configured database and brings its tables up to date. It is safe to call from several
// instances at once. The error is an AuditKeyError if the audit trail is sealed with another key than is configured.
func Open(ctx context.Context, cfg *config.Config) (*DB, error) {
	db, err := openAnyKey(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.checkKey(ctx); err != nil {
		_ = db.Close() // which can seal nothing either
		return nil, err
	}
	return db, nil
}

// openAnyKey is Open for whoever looks at the audit trail's key itself.
func openAnyKey(ctx context.Context, cfg *config.Config) (*DB, error) {
	db := &DB{cfg: cfg, passwords: newPasswords(cfg), refreshTTL: cfg.RefreshTokenTTL, refreshGrace: cfg.RefreshGrace, imports: make(chan struct{}, 1)}
	var err error
	if db.refreshKey, err = hkdf.Key(sha256.New, []byte(cfg.JWTSecret), nil, "refresh tokens", sha256.Size); err != nil {
		return nil, err
	}
	cursorKey, err := hkdf.Key(sha256.New, []byte(cfg.JWTSecret), nil, "cursors", sha256.Size)
	if err != nil {
		return nil, err
	}
	if db.cursors, err = listing.NewCursors(cursorKey); err != nil {
		return nil, err
	}
	if db.end, err = readEnd(cfg.AuditSealFile); err != nil {
		return nil, err
	}
	if cfg.Database.Postgres != "" {
		err = db.openPostgres(ctx, cfg)
	} else {
		err = db.openSQLite(ctx, cfg)
	}
	if err == nil { // now that the folder of an embedded database is known to be there
		err = db.end.checkFolder()
	}
	if err == nil {
		err = db.scopeIdentifiers(ctx)
	}
	if err == nil {
		err = db.loadKeys(db.read.WithContext(ctx))
	}
	if err == nil {
		_, err = db.lookForOldTexts(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.recorder = newRecorder(db.storeEvents)
	if cfg.SMTP.Host != "" {
		db.mails = newMails(cfg)
	}
	return db, nil
}

// closeLimit is how long Close may take to store and seal.
const closeLimit = 5 * time.Second

// Close stores and seals what is still to be audited, and ends every connection. What cannot be stored goes into a file,
// see StoreSpooled.
func (db *DB) Close() error {
	var err error
	if db.mails != nil {
		db.mails.close()
	}
	if db.recorder != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		var lost []Event
		if lost, err = db.recorder.close(ctx); err == nil {
			err = db.SealAll(ctx)
		} else if len(lost) > 0 {
			db.spool(lost, err)
		}
		if errors.As(err, new(*AuditKeyError)) { // the events are stored, and whoever has the key seals them
			err = nil
		}
	}
	pools := []fastgorm.Pool{db.read, db.write}
	if db.replica != nil {
		pools = append(pools, db.replica.Pool)
	}
	for _, g := range pools {
		if g.DB != nil {
			if pool, perr := g.DB.DB(); perr == nil {
				err = errors.Join(err, pool.Close())
			}
		}
	}
	if db.probe != nil {
		err = errors.Join(err, db.probe.Close())
	}
	return errors.Join(err, db.file.close())
}

// SQLite's settings: every commit survives a power loss (synchronous=FULL), readers never wait for the writer (WAL),
// and a transaction takes the write lock when it begins, so that it cannot lose it half-way. The WAL is copied into the file
// whenever it has 8 MB (2,000 pages), which is half as often as SQLite's default. The writer waits for other processes only while it connects:
// later its group does so.
const (
	sqliteWriter = "&_pragma=foreign_keys(1)&_txlock=immediate&_pragma=wal_autocheckpoint(2000)&_pragma=busy_timeout(0)"
	sqliteReader = "&_pragma=query_only(1)"
	sqliteWait   = 5 * time.Second
)

// sqliteDSN is the address of a file that waits so long while another process writes: no context ends this wait.
func sqliteDSN(path string, wait time.Duration, more string) string {
	return fmt.Sprintf("%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)%s", path, wait.Milliseconds(), more)
}

func (db *DB) openSQLite(ctx context.Context, cfg *config.Config) error {
	path := cfg.Database.SQLite
	// Only the owner may read health data; SQLite gives its side files the mode of the main one. A file that is there is
	// left alone: closing it here would end the locks that this process has on it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		config.HandOver(f, filepath.Dir(path)) // and SQLite gives its side files to the owner of the main one
		err = f.Close()
	}
	if errors.Is(err, fs.ErrExist) {
		err = checkWritable(path)
	}
	if err != nil {
		return err
	}
	if db.file, err = hold(path); err != nil {
		return err
	}
	if db.waitedToMigrate, err = migrateFile(ctx, cfg); err != nil {
		return err
	}
	wait := min(sqliteWait, cfg.RequestTimeout)
	if db.write, err = openGORM(sqlite.Open(sqliteDSN(path, wait, sqliteWriter)), cfg); err != nil {
		return err
	}
	if db.read, err = openGORM(&sqlite.Dialector{Conn: openInterruptible(sqliteDSN(path, wait, sqliteReader))}, cfg); err != nil {
		return err
	}
	db.probe = openInterruptible(sqliteDSN(path, wait, sqliteReader))
	limitProbe(db.probe)
	limitPool(db.write, 1)
	db.group = fastgorm.NewGroup(db.write.DB, isBusy, wait)
	readers := min(cfg.MaxConns, max(4, runtime.NumCPU()))
	limitPool(db.read, readers)
	db.turns = listing.NewTurns(readers)
	return nil
}

func limitPool(g fastgorm.Pool, n int) {
	if pool, err := g.DB.DB(); err == nil {
		pool.SetMaxOpenConns(n)
		pool.SetMaxIdleConns(n)
	}
}

func openGORM(dialector gorm.Dialector, cfg *config.Config) (fastgorm.Pool, error) {
	g, err := gorm.Open(dialector, &gorm.Config{
		Logger:                 logger.Discard, // GORM's would print values, which are personal data
		NowFunc:                now,
		SkipDefaultTransaction: true, // Write owns every transaction
		DisableAutomaticPing:   true, // the first query finds out who is there; a replica may be away
	})
	if err != nil {
		return fastgorm.Pool{}, err
	}
	callback := g.Callback()
	if cfg.OpenTelemetry.Traces() {
		err = traceStatements(g)
	}
	return fastgorm.Pool{DB: g}, errors.Join(err,
		g.Use(&fastgorm.Plugin{Off: cfg.StockGORM, KeepText: cfg.OpenTelemetry.Traces()}),
		callback.Create().Before("gorm:before_create").Register("models:event", refuseWithoutEvent),
		callback.Update().Before("gorm:setup_reflect_value").Register("models:event", refuseWithoutEvent),
		callback.Delete().Before("gorm:before_delete").Register("models:event", refuseWithoutEvent),
	)
}

// now is the time to the microsecond, which is what both databases keep.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
