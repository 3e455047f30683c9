package models

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
	"healthcare/fastgorm"
	"healthcare/listing"
	"healthcare/timing"
)

// A replica is a standby of PostgreSQL's that lists, searches and histories are read from. What a change is built on is
// never read there. Two rules keep it from showing what is out of date:
//
//   - Who has changed something sees it, and from whom a patient was taken sees it no more. After each commit, the position in
//     PostgreSQL's log (LSN) is noted for the account; the replica must have replayed it. Another instance finds the note,
//     too: it is in the primary.
//   - Nothing is older than replicaLag. Each instance stores a beat in the primary every second, and the replica must show
//     one that was begun within that time. So it does not count what follows another server than ours, or nobody. After a
//     fail-over, beats that the former primary acknowledged count no more: see onServer.
//
// Where it does not fulfil them, or fails, the primary is read as if there were no replica.
type replica struct {
	fastgorm.Pool
	instance string // a name of this process

	mu      sync.Mutex
	server  time.Time // when the primary began that the newest connection is to
	counted int64     // of the beats
	void    int64     // beats up to this number do not count
	beats   []beat    // that the primary has acknowledged, the newest last

	away  atomic.Bool  // it has failed, and has not shown a beat since
	lists atomic.Int64 // that were read from it
}

const (
	replicaLag  = 3 * time.Second
	replicaWait = time.Second // for a connection, and for what the replica says of itself
)

// WritePosition is where PostgreSQL's log was after the newest commit of an account. Its table is not logged itself, so
// that noting it waits for no disk and no standby. After a crash or a fail-over it is empty: who has no position may have
// lost it, and gets the one of that moment.
type WritePosition struct {
	UserID int64 `gorm:"primaryKey"`
	LSN    string
	Server time.Time `gorm:"->"` // when the primary began that told this
}

// forReplicas makes the tables of what is only needed while the server runs. No backup and no move has them.
func forReplicas(g *gorm.DB) error {
	if g.Name() != "postgres" {
		return nil
	}
	if err := g.AutoMigrate(&ReplicaBeat{}); err != nil {
		return err
	}
	return g.Exec("CREATE UNLOGGED TABLE IF NOT EXISTS write_positions (user_id bigint PRIMARY KEY, lsn pg_lsn NOT NULL)").Error
}

// openReplica makes the pool of READ_DATABASE_URL. Nobody must be there yet: the first beat finds out.
func (db *DB) openReplica(ctx context.Context) error {
	cfg := db.cfg
	pc, err := postgresConfig("READ_DATABASE_URL", cfg.Database.Replica)
	if err != nil {
		return err
	}
	pc.ConnectTimeout = min(pc.ConnectTimeout, replicaWait)
	cancelStatements(pc)
	near, cancel := context.WithTimeout(ctx, replicaWait)
	defer cancel()
	if pooled, err := poolerAt(near, pc); pooled || err != nil { // nobody knows: this works everywhere
		withoutNamedStatements(pc, cfg.Database.Replica)
	}
	pool := openPool(pc, cfg, utcTimes)
	g, err := openGORM(postgres.New(postgres.Config{Conn: pool}), cfg)
	if err != nil {
		return errors.Join(err, pool.Close())
	}
	db.replica = &replica{Pool: g, instance: rand.Text()}
	return nil
}

// errBehind is of a replica that has not replayed yet what it must have.
var errBehind = errors.New("the replica is behind")

// check fails unless the server of a connection shows a beat that counts, and has replayed the position.
func (r *replica) check(q *gorm.DB, position string) error {
	oldest := r.oldest()
	if oldest == 0 {
		return errBehind
	}
	var shown int64
	err := q.Model(&ReplicaBeat{}).Where("instance = ? AND number >= ? AND pg_last_wal_replay_lsn() >= ?::pg_lsn", r.instance, oldest, position).Count(&shown).Error
	if err == nil && shown == 0 {
		return errBehind
	}
	return err
}

// readList runs what reads for a list with these parameters, all of it on one server: on the replica if that is up to date
// for the actor, else on the primary. If the replica fails meanwhile, it runs again, on the primary.
func (db *DB) readList(ctx context.Context, by Actor, values url.Values, read func(q *gorm.DB, client listing.Client) error) error {
	client := db.client(by)
	if db.replica.oldest() != 0 && !db.replica.away.Load() && !by.onPrimary {
		if values.Get("search") != "" { // who waits for a turn has no connection
			over, err := db.turns.Take(ctx, by.ID)
			if err != nil {
				return apierror.FromDatabase(err)
			}
			defer over()
			client.Turns = nil
		}
		done, err := db.readReplica(ctx, by, func(q *gorm.DB) error { return read(q, client) })
		if done {
			db.replica.lists.Add(1)
			return err
		}
	}
	db.listsOfPrimary.Add(1)
	return read(db.read.WithContext(ctx), client)
}

// readReplica is readList on the replica. It tells whether the answer is one that counts.
func (db *DB) readReplica(ctx context.Context, by Actor, read func(q *gorm.DB) error) (done bool, err error) {
	var noted WritePosition
	position := db.read.WithContext(ctx).Select("user_id, lsn::text AS lsn, pg_postmaster_start_time() AS server")
	if err := position.Where("user_id = ?", by.ID).Limit(1).Find(&noted).Error; err != nil {
		return true, apierror.FromDatabase(err)
	}
	if noted.LSN == "" {
		db.noteWrite(ctx, by.ID)
		return false, nil
	}
	near, cancel := context.WithTimeout(ctx, replicaWait)
	defer cancel()
	err = db.replica.OnOneConnection(near, func(q *gorm.DB) error {
		if !db.replica.isOn(noted.Server) { // a pooler has connected us to another server without a word
			return errBehind
		}
		if err := db.replica.check(q, noted.LSN); err != nil {
			return err
		}
		return read(fastgorm.Pool{DB: q}.WithContext(ctx))
	})
	var answer *apierror.Error
	switch {
	case err == nil, errors.Is(err, gorm.ErrRecordNotFound), errors.As(err, &answer) && answer.Code != apierror.Unavailable:
		return true, err
	case ctx.Err() != nil:
		return true, apierror.FromDatabase(err)
	case !errors.Is(err, errBehind) && !errors.Is(err, timing.ErrNoConnection):
		db.replica.away.Store(true)
	}
	return false, err
}

// noteWrite notes that something has changed for some accounts (0 is none), before the actor is told so. Should it fail, this
// instance reads nothing from the replica until the next beat; others may do so, but never what is older than replicaLag.
func (db *DB) noteWrite(ctx context.Context, accounts ...int64) {
	if db.replica == nil {
		return
	}
	later := clause.OnConflict{Columns: []clause.Column{{Name: "user_id"}},
		DoUpdates: clause.Assignments(map[string]any{"lsn": gorm.Expr("greatest(write_positions.lsn, excluded.lsn)")})}
	for _, id := range accounts {
		if id == 0 {
			continue
		}
		position := map[string]any{"user_id": id, "lsn": gorm.Expr("pg_current_wal_insert_lsn()")}
		if db.write.WithContext(ctx).Model(&WritePosition{}).Clauses(later).Create(position).Error != nil {
			db.replica.forget()
		}
	}
}
