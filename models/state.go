package models

import (
	"context"
	"database/sql"
	"time"
)

// State is how an instance is just now, as far as it knows without asking the database.
type State struct {
	Pools           map[string]sql.DBStats // by what they are for
	WritesWaiting   int                    // for SQLite's one writer
	HashesRunning   int
	HashesQueued    int
	EventsQueued    int       // of the audit trail, that wait to be stored
	EventsSince     time.Time // when the oldest of them happened; zero if there is none
	Sealed          time.Time // when the audit trail was last found sealed to its end
	WaitedToMigrate time.Duration
	ReplicaAway     bool  // READ_DATABASE_URL is set, but cannot be used
	ListsOfReplica  int64 // that were read there
	ListsOfPrimary  int64
}

// State tells how this instance is.
func (db *DB) State() State {
	s := State{
		ListsOfPrimary: db.listsOfPrimary.Load(),
		Pools:          map[string]sql.DBStats{}, WaitedToMigrate: db.waitedToMigrate,
		HashesRunning: len(db.passwords.slots), HashesQueued: int(db.passwords.queued.Load()),
	}
	pools := map[string]*sql.DB{"probe": db.probe}
	if db.group == nil {
		pools["all"], _ = db.write.DB.DB()
	} else {
		pools["read"], _ = db.read.DB.DB()
		pools["write"], _ = db.write.DB.DB()
		s.WritesWaiting = db.group.Waiting()
	}
	if r := db.replica; r != nil {
		pools["replica"], _ = r.DB.DB()
		s.ReplicaAway, s.ListsOfReplica = r.oldest() == 0 || r.away.Load(), r.lists.Load()
	}
	for name, pool := range pools {
		s.Pools[name] = pool.Stats()
	}
	s.EventsQueued, s.EventsSince = db.recorder.waiting()
	db.end.mu.Lock()
	defer db.end.mu.Unlock()
	s.Sealed = db.end.sealed
	return s
}

// countUnsealed is how far Stored counts: more is as bad, and would take long to count.
const countUnsealed = 100_000

// Stored is what the database says of how the clinic is.
type Stored struct {
	Unsealed int64      // events of the audit trail that are stored and not sealed yet; beyond countUnsealed it stops to count
	Backup   BackupNote // zero if there was none
}

// Stored asks the database how the clinic is.
func (db *DB) Stored(ctx context.Context) (s Stored, err error) {
	err = db.probe.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM events WHERE id >"+
		" (SELECT coalesce(max(last_id), 0) FROM seals WHERE id = (SELECT max(id) FROM seals)) LIMIT $1) AS unsealed", countUnsealed).Scan(&s.Unsealed)
	if err == nil {
		s.Backup, err = db.lastBackup(ctx)
	}
	return s, err
}
