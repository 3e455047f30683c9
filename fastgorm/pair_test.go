package fastgorm_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"healthcare/apierror"
	"healthcare/fastgorm"
	"healthcare/tests/kit"
)

// pair is two databases with the same rows: one for stock GORM, one for GORM with the plugin.
type pair struct {
	stock, fast *gorm.DB
	plugin      *fastgorm.Plugin
}

// clock is what NowFunc tells in every test.
var clock = time.Date(2026, 3, 1, 10, 20, 30, 123456000, time.UTC)

// onBoth runs a test with a pair of SQLite and with a pair of PostgreSQL. All four databases have the same rows.
func onBoth(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Helper()
	onEach(t, kit.Fresh, func(t *testing.T, fresh fresh) { test(t, newPair(t, fresh, &fastgorm.Plugin{})) })
}

// onCopies is onBoth for a test that compares rows which nobody asked to be ordered. On PostgreSQL it takes longer.
func onCopies(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Helper()
	onEach(t, copies, func(t *testing.T, fresh fresh) { test(t, newPair(t, fresh, &fastgorm.Plugin{})) })
}

var copies = map[string]fresh{"sqlite": kit.FreshSQLite, "postgres": kit.FreshPostgresCopy}

// fresh makes a database and gives its address.
type fresh = func(testing.TB) string

// onEach runs a test for each kind of database.
func onEach(t *testing.T, databases map[string]fresh, test func(t *testing.T, fresh fresh)) {
	t.Helper()
	t.Parallel()
	for name, fresh := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh)
		})
	}
}

func newPair(t *testing.T, fresh fresh, plugin *fastgorm.Plugin) *pair {
	t.Helper()
	p := &pair{stock: open(t, fresh(t)), fast: open(t, fresh(t)), plugin: plugin}
	fill(t, p.stock)
	fill(t, p.fast)
	require.NoError(t, p.fast.Use(plugin))
	return p
}

// open opens a database until the test ends.
func open(t *testing.T, address string) *gorm.DB {
	t.Helper()
	db, pool, err := connect(address)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pool.Close()) })
	return db
}

// connect opens a database as models.openGORM does, but for the plugin and for the callback that asks for events.
func connect(address string) (db *gorm.DB, pool *sql.DB, err error) {
	var dialector gorm.Dialector
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		dialector = sqlite.Open(path + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=foreign_keys(1)&_txlock=immediate")
	} else {
		cfg, err := pgx.ParseConfig(address)
		if err != nil {
			return nil, nil, err
		}
		dialector = postgres.New(postgres.Config{Conn: stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(utcTimes))})
	}
	db, err = gorm.Open(dialector, &gorm.Config{
		Logger: logger.Discard, NowFunc: func() time.Time { return clock }, SkipDefaultTransaction: true,
	})
	if err != nil {
		return nil, nil, err
	}
	pool, err = db.DB()
	if err != nil {
		return nil, nil, err
	}
	pool.SetMaxOpenConns(2)
	return db, pool, nil
}

func utcTimes(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

// outcome is all that a caller can see of a chain.
type outcome struct {
	Rows     any
	Affected int64
	Err      string
	SQLState string
	SQLite   int
	Is       []error
}

// known are the errors that callers ask for by errors.Is.
var known = []error{
	gorm.ErrRecordNotFound, gorm.ErrMissingWhereClause, gorm.ErrEmptySlice, gorm.ErrInvalidData, gorm.ErrInvalidValue, gorm.ErrInvalidField,
	gorm.ErrModelValueRequired, gorm.ErrDuplicatedKey, gorm.ErrUnsupportedRelation, gorm.ErrInvalidTransaction,
	fastgorm.ErrNeedsTransaction, context.Canceled, context.DeadlineExceeded,
}

func outcomeOf(rows any, done *gorm.DB) outcome {
	o := outcome{Rows: rows, Affected: done.RowsAffected}
	if done.Error == nil {
		return o
	}
	o.Err = fmt.Sprintf("%T: %v", done.Error, done.Error)
	var pg *pgconn.PgError
	if errors.As(done.Error, &pg) {
		o.SQLState = pg.Code
	}
	o.SQLite = apierror.SQLiteCode(done.Error)
	for _, e := range known {
		if errors.Is(done.Error, e) {
			o.Is = append(o.Is, e)
		}
	}
	return o
}

// chain is what is run on both sides. It returns what was read or stored, and the end of the chain.
type chain func(db *gorm.DB) (rows any, done *gorm.DB)

// compare runs a chain on both sides, and returns what stock GORM did.
func (p *pair) compare(t *testing.T, title string, run chain) outcome {
	t.Helper()
	want, got := attempt(p.stock, run), attempt(p.fast, run)
	assert.Equal(t, want, got, title)
	return want
}

// attempt runs a chain. A panic is an outcome too.
func attempt(db *gorm.DB, run chain) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			o = outcome{Err: fmt.Sprint("panic: ", r)}
		}
	}()
	return outcomeOf(run(db.Session(&gorm.Session{})))
}

// compareTables compares all rows of all tables, read by stock GORM's Row callback, which the plugin leaves alone.
func (p *pair) compareTables(t *testing.T, title string) {
	t.Helper()
	for _, m := range tables {
		p.compare(t, title+": contents of "+m.name, func(db *gorm.DB) (any, *gorm.DB) {
			var rows []map[string]any
			done := db.Raw("SELECT * FROM " + m.name + " ORDER BY " + m.key).Scan(&rows)
			return rows, done
		})
	}
}
