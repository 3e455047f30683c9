package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"time"

	"github.com/glebarez/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// openInterruptible opens a pool of connections to SQLite whose queries end when their context does. The driver alone
// would not end them: it heeds the context of a query until it is prepared, and the work is done after that.
func openInterruptible(dsn string) *sql.DB { return sql.OpenDB(interruptible(dsn)) }

// interruptible connects to the address that it is.
type interruptible string

// Driver is the driver of the connections.
func (interruptible) Driver() driver.Driver { return sqliteDriver }

// sqliteDriver is the driver that has the functions which this program adds to SQLite's.
var sqliteDriver = func() driver.Driver {
	pool, err := sql.Open(sqlite.DriverName, "")
	if err != nil { // the driver registers itself
		panic(err)
	}
	defer func() { _ = pool.Close() }()
	return pool.Driver()
}()

// Connect opens a connection.
func (dsn interruptible) Connect(context.Context) (driver.Conn, error) {
	opened, err := dsn.Driver().Open(string(dsn))
	if err != nil {
		return nil, err
	}
	handle := reflect.ValueOf(opened).Elem().FieldByName("db") // SQLite's own; the driver has no method that interrupts
	conn, ok := opened.(sqliteConn)
	if !ok || handle.Kind() != reflect.Uintptr {
		return nil, errors.Join(errors.New("this version of the driver of SQLite is not known"), opened.Close())
	}
	return &interruptibleConn{conn, uintptr(handle.Uint())}, nil
}

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
}

type interruptibleConn struct {
	sqliteConn
	handle uintptr
}

// QueryContext begins a query that ends with ctx.
func (c *interruptibleConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.sqliteConn.QueryContext(ctx, query, args)
	if err != nil || ctx.Done() == nil {
		return rows, err
	}
	r := &interruptibleRows{Rows: rows, closing: make(chan struct{}), interrupted: make(chan struct{})}
	r.stop = context.AfterFunc(ctx, func() { r.interrupt(c.handle) })
	return r, nil
}

type interruptibleRows struct {
	driver.Rows
	stop                 func() bool // is false if interrupt was called
	closing, interrupted chan struct{}
}

// interrupt interrupts until the rows are closed, because SQLite forgets an interrupt that comes before the first step.
func (r *interruptibleRows) interrupt(handle uintptr) {
	defer close(r.interrupted)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		sqlite3.Xsqlite3_interrupt(nil, handle) // it does not use its first argument
		select {
		case <-r.closing:
			return
		case <-again.C:
		}
	}
}

// Close returns when nothing more can be interrupted: the next query on the connection must not be.
func (r *interruptibleRows) Close() error {
	close(r.closing)
	if !r.stop() {
		<-r.interrupted
	}
	return r.Rows.Close()
}
