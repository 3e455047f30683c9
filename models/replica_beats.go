package models

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
)

// beatEvery is how often each instance stores a beat.
const beatEvery = time.Second

type beat struct {
	number int64
	begun  time.Time
}

// ReplicaBeat is the newest beat of one instance of this program. A replica that shows it is not older than it.
type ReplicaBeat struct {
	Instance string    `gorm:"primaryKey"`
	Number   int64     `gorm:"not null"`
	At       time.Time `gorm:"not null"`
}

// onServer is told of each new connection to the primary. If it is another server than before, none of the beats until now
// counts: what that server has got of the former one need not have reached the replica.
func (r *replica) onServer(ctx context.Context, conn *pgx.Conn) error {
	if r == nil {
		return nil
	}
	var began time.Time
	// No named statement: whether there is a pooler is asked on the first of these connections.
	if err := conn.QueryRow(ctx, "SELECT pg_postmaster_start_time()", pgx.QueryExecModeSimpleProtocol).Scan(&began); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !began.Equal(r.server) {
		r.server, r.beats, r.void = began, nil, r.counted
	}
	return nil
}

// isOn tells whether a primary is the one of the newest connection.
func (r *replica) isOn(server time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return server.Equal(r.server)
}

// forget lets no beat count that has been begun.
func (r *replica) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beats, r.void = nil, r.counted
}

// oldest is the beat that the replica must show, or a later one; 0 if there is none.
func (r *replica) oldest() int64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.beats {
		if time.Since(b.begun) < replicaLag {
			return b.number
		}
	}
	return 0
}

// KeepReplica stores a beat every second until ctx ends, and looks whether a replica that has failed shows it again.
func (db *DB) KeepReplica(ctx context.Context, log *slog.Logger) {
	if db.replica == nil {
		return
	}
	good, told := time.Now(), false
	repeat(ctx, beatEvery, nil, func() {
		err := errors.Join(db.beat(ctx), db.replica.look(ctx))
		switch {
		case ctx.Err() != nil:
		case err == nil && told:
			told = false
			log.Info("lists are read from the replica again")
		case err != nil && !told && time.Since(good) > replicaLag:
			told = true
			log.Warn("lists are read from the primary: the replica is not up to date, or does not answer", "error", err)
		}
		if err == nil {
			good = time.Now()
		}
	})
}

// beat stores the next beat in the primary.
func (db *DB) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, replicaWait)
	defer cancel()
	r := db.replica
	r.mu.Lock()
	r.counted++
	next := beat{r.counted, time.Now()}
	r.mu.Unlock()
	err := db.onSafeConnection(ctx, func(g *gorm.DB) error {
		row := ReplicaBeat{Instance: r.instance, Number: next.number, At: now()}
		return g.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	})
	if err != nil {
		return apierror.FromDatabase(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if next.number > r.void {
		r.beats = append(r.beats, next)
	}
	if n := int(replicaLag/beatEvery) + 1; len(r.beats) > n {
		r.beats = r.beats[len(r.beats)-n:]
	}
	return nil
}

// look asks the replica whether it is up to date.
func (r *replica) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, replicaWait)
	defer cancel()
	err := r.OnOneConnection(ctx, func(q *gorm.DB) error { return r.check(q, "0/0") })
	r.away.Store(err != nil)
	return apierror.FromDatabase(err)
}

// removeOldBeats removes those of instances that are no more.
func (tx *Tx) removeOldBeats(before time.Time) error {
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Where("at < ?", before).Delete(&ReplicaBeat{}).Error
}
