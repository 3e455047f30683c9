package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"healthcare/models"
)

// state collects what an instance knows of itself, when it is asked.
type state struct {
	db     *models.DB
	stored atomic.Pointer[models.Stored] // as the database last said; nil before that
	asking chan struct{}

	poolMax, poolOpen, poolInUse, poolWaits, poolWaited        *prometheus.Desc
	writes, hashes, hashesQueued                               *prometheus.Desc
	replicaAway, lists                                         *prometheus.Desc
	events, eventsAge, eventsUnsealed, sealed, waitedToMigrate *prometheus.Desc
	backedUp, backupChecked                                    *prometheus.Desc
}

// askLimit is how long a scrape waits for the database. After that it tells what the database said the last time.
const askLimit = 250 * time.Millisecond

func newState(db *models.DB) *state {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	return &state{
		db: db, asking: make(chan struct{}, 1),
		poolMax:         describe("pool_max_connections", "How many connections to the database the pool may have; 0 is no limit.", "pool"),
		poolOpen:        describe("pool_open_connections", "Connections to the database that are open.", "pool"),
		poolInUse:       describe("pool_in_use_connections", "Connections to the database that requests have.", "pool"),
		poolWaits:       describe("pool_waits_total", "How often somebody waited for a connection.", "pool"),
		poolWaited:      describe("pool_wait_seconds_total", "How long they waited, together.", "pool"),
		writes:          describe("writes_waiting", "Transactions that wait for SQLite's one writer."),
		hashes:          describe("hashes_running", "Passwords that are hashed just now."),
		hashesQueued:    describe("hashes_queued", "Passwords that wait to be hashed."),
		events:          describe("audit_queue_events", "Events of the audit trail that wait to be stored."),
		eventsAge:       describe("audit_queue_oldest_seconds", "How long the oldest of them has waited."),
		eventsUnsealed:  describe("audit_unsealed_events", "Events that are stored and not sealed yet, as the database last said; counted up to 100000."),
		sealed:          describe("audit_sealed_timestamp_seconds", "When the audit trail was last found sealed to its end."),
		replicaAway:     describe("replica_away", "1 if READ_DATABASE_URL is set, but is out of date or does not answer, so that lists are read from the primary."),
		lists:           describe("lists_total", "Lists, searches and histories, by the server that they were read from.", "from"),
		waitedToMigrate: describe("migration_wait_seconds", "How long the start waited for another instance that changed the tables."),
		backedUp: describe("backup_last_success_timestamp_seconds",
			"As of when the newest backup is that was made or checked with this database; 0 if there was none."),
		backupChecked: describe("backup_last_check_timestamp_seconds", "When a backup was last proved to restore; 0 if none was."),
	}
}

// Describe sends the descriptions.
func (s *state) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

// Collect sends the values.
func (s *state) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	now := s.db.State()
	for name, pool := range now.Pools {
		gauge(s.poolMax, float64(pool.MaxOpenConnections), name)
		gauge(s.poolOpen, float64(pool.OpenConnections), name)
		gauge(s.poolInUse, float64(pool.InUse), name)
		ch <- prometheus.MustNewConstMetric(s.poolWaits, prometheus.CounterValue, float64(pool.WaitCount), name)
		ch <- prometheus.MustNewConstMetric(s.poolWaited, prometheus.CounterValue, pool.WaitDuration.Seconds(), name)
	}
	gauge(s.writes, float64(now.WritesWaiting))
	gauge(s.hashes, float64(now.HashesRunning))
	gauge(s.hashesQueued, float64(now.HashesQueued))
	gauge(s.events, float64(now.EventsQueued))
	age := 0.0
	if !now.EventsSince.IsZero() {
		age = time.Since(now.EventsSince).Seconds()
	}
	gauge(s.eventsAge, age)
	s.collectStored(gauge)
	gauge(s.sealed, float64(now.Sealed.UnixMilli())/1000)
	away := 0.0
	if now.ReplicaAway {
		away = 1
	}
	gauge(s.replicaAway, away)
	ch <- prometheus.MustNewConstMetric(s.lists, prometheus.CounterValue, float64(now.ListsOfReplica), "replica")
	ch <- prometheus.MustNewConstMetric(s.lists, prometheus.CounterValue, float64(now.ListsOfPrimary), "primary")
	gauge(s.waitedToMigrate, now.WaitedToMigrate.Seconds())
}

// collectStored sends what the database says. What it has never said is left out.
func (s *state) collectStored(gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	s.ask()
	stored := s.stored.Load()
	if stored == nil {
		return
	}
	gauge(s.eventsUnsealed, float64(stored.Unsealed))
	made, checked := 0.0, 0.0
	if !stored.Backup.MadeAt.IsZero() {
		made = float64(stored.Backup.MadeAt.UnixMilli()) / 1000
	}
	if at := stored.Backup.CheckedAt; at != nil {
		checked = float64(at.UnixMilli()) / 1000
	}
	gauge(s.backedUp, made)
	gauge(s.backupChecked, checked)
}

// ask asks the database, and waits for its answer a moment. One question at a time is enough.
func (s *state) ask() {
	answered := make(chan struct{})
	select {
	case s.asking <- struct{}{}:
		go func() {
			defer func() { <-s.asking; close(answered) }()
			ctx, cancel := context.WithTimeout(context.Background(), askLimit)
			defer cancel()
			if stored, err := s.db.Stored(ctx); err == nil {
				s.stored.Store(&stored)
			}
		}()
		select {
		case <-answered:
		case <-time.After(askLimit):
		}
	default:
	}
}
