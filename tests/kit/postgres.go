package kit

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Postgres is a server that databases can be made on.
type Postgres struct {
	Admin *sql.DB // its maintenance database
	URL   *url.URL
	stop  func()

	// pooler is TEST_POOLER, the host:port of a PgBouncer before this server. The instances then go through it.
	pooler string

	mutex sync.Mutex
	shape string             // of the template
	clean []string           // databases that are like the template, for the next test
	pools map[string]*sql.DB // straight to those and to the ones that tests have taken, by their names
}

// findPostgres looks for a server: at TEST_DATABASE_URL, at the usual local address, or started for this run from
// installed binaries. One that refuses the login counts as none. The error tells all that was tried.
func findPostgres() (*Postgres, error) {
	if set := os.Getenv("TEST_DATABASE_URL"); set != "" {
		pg, err := connect(set)
		if err != nil {
			return nil, fmt.Errorf("TEST_DATABASE_URL: %w", err)
		}
		return pg, nil
	}
	pg, usual := connect("postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable")
	if usual == nil {
		return pg, nil
	}
	pg, started := startPostgres()
	if started == nil {
		return pg, nil
	}
	return nil, fmt.Errorf("TEST_DATABASE_URL is not set; at 127.0.0.1:5432: %w; starting one: %w", usual, started)
}

func connect(address string) (*Postgres, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("no login: %w", err)
	}
	return &Postgres{Admin: db, URL: u, stop: func() { _ = db.Close() }, pooler: os.Getenv("TEST_POOLER"), pools: map[string]*sql.DB{}}, nil
}

// startPostgres makes a cluster in a temporary folder and starts a server of this process alone. The server refuses to
// run as root, so root starts it as the user postgres.
func startPostgres() (*Postgres, error) {
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "clinic-pg-")
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, dir: dir}
	pg, err := c.start()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	closeAdmin := pg.stop
	pg.stop = func() {
		closeAdmin()
		c.stop()
		_ = os.RemoveAll(dir)
	}
	return pg, nil
}

// cluster is a server of this process, with all its files in one folder.
type cluster struct{ bin, dir string }

func (c *cluster) start() (*Postgres, error) {
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "postgres", c.dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	if err := c.run("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	var failed error
	for range 3 { // the tests of another package may take the port just before
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c max_connections=300 -c fsync=off", port, c.dir)
		if failed = c.run("pg_ctl", "-D", c.data(), "-w", "-l", filepath.Join(c.dir, "log"), "-o", options, "start"); failed != nil {
			continue
		}
		pg, err := connect(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port))
		if err != nil {
			c.stop()
		}
		return pg, err
	}
	return nil, failed
}

func (c *cluster) stop() { _ = c.run("pg_ctl", "-D", c.data(), "-w", "-m", "immediate", "stop") }

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// run runs one of the server's tools.
func (c *cluster) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	if os.Geteuid() == 0 {
		words := []string{filepath.Join(c.bin, name)}
		for _, a := range args {
			words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
		}
		cmd = exec.Command("su", "postgres", "-s", "/bin/sh", "-c", strings.Join(words, " "))
	}
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// postgresBinaries finds the folder that holds initdb and pg_ctl.
func postgresBinaries() (string, error) {
	var folders []string
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"} {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found) // the newest first
		folders = append(folders, found...)
	}
	for _, f := range folders {
		if _, err := os.Stat(filepath.Join(f, "initdb")); err == nil {
			return f, nil
		}
	}
	return "", fmt.Errorf("no initdb and pg_ctl are installed")
}

// FreePort is a port that nobody listens on, for the moment.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// database gives the address of a database on this server, for an instance.
func (pg *Postgres) database(name string) string {
	u := *pg.URL
	u.Path = "/" + name
	u.Host = cmp.Or(pg.pooler, u.Host)
	return u.String()
}

// direct is an address without the pooler.
func (pg *Postgres) direct(address string) string {
	if pg == nil || pg.pooler == "" {
		return address
	}
	return strings.Replace(address, pg.pooler, pg.URL.Host, 1)
}

// create makes a database, empty or as a copy of another that nobody is connected to.
func (pg *Postgres) create(name, template string) error {
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template
	}
	_, err := pg.Admin.Exec(statement)
	return err
}

func (pg *Postgres) drop(names ...string) error {
	var failed error
	for _, name := range names {
		_, err := pg.Admin.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
		failed = errors.Join(failed, err)
	}
	return failed
}

// takeClean gives a migrated database that holds no rows. To make one takes five times as long as to empty one.
func (pg *Postgres) takeClean() (string, error) {
	pg.mutex.Lock()
	defer pg.mutex.Unlock()
	if last := len(pg.clean) - 1; last >= 0 {
		name := pg.clean[last]
		pg.clean = pg.clean[:last]
		return name, nil
	}
	name := fmt.Sprintf("clinic_test_%s_%d", RunID, databases.Add(1))
	if err := pg.create(name, template); err != nil {
		return "", err
	}
	db, err := sql.Open("pgx", pg.direct(pg.database(name)))
	if err != nil {
		return "", err
	}
	db.SetMaxIdleConns(1)
	pg.pools[name] = db
	return name, nil
}

// giveBack takes a database that a test no longer needs. One whose tables differ from the template's is dropped.
func (pg *Postgres) giveBack(name string) error {
	pg.mutex.Lock()
	db := pg.pools[name]
	pg.mutex.Unlock()
	unlike := pg.empty(db)

	pg.mutex.Lock()
	defer pg.mutex.Unlock()
	if unlike != nil {
		delete(pg.pools, name)
		return errors.Join(db.Close(), pg.drop(name))
	}
	pg.clean = append(pg.clean, name)
	return nil
}

// pool gives the connections to a database that takeClean gave, which outlive the test; nil for another database.
func (pg *Postgres) pool(address string) *sql.DB {
	if pg == nil {
		return nil
	}
	pg.mutex.Lock()
	defer pg.mutex.Unlock()
	for name, db := range pg.pools {
		if address == pg.direct(pg.database(name)) {
			return db
		}
	}
	return nil
}

// shape differs when somebody has changed a table, an index, a trigger, a function or a setting since the database was
// made: the rows that describe those have another newest transaction, another number or other options then.
const shape = `SELECT concat_ws(' ',
	(SELECT md5(string_agg(concat_ws(' ', relname, reloptions, relacl), ',' ORDER BY relname)) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
	(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM pg_attribute),
	(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM pg_attrdef),
	(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM pg_constraint),
	(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM pg_index),
	(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM pg_trigger),
	(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM pg_proc),
	(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM pg_namespace),
	(SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())))`

// emptied deletes all rows, past the append-only triggers, and begins all numbers anew. (To TRUNCATE all tables takes ten
// times as long: it makes a new file of each table and of each index. But a large one would stay large for the next test.)
const emptied = `DO $$ DECLARE r regclass; BEGIN
	SET LOCAL session_replication_role = replica;
	FOR r IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0 LOOP
		EXECUTE CASE WHEN pg_relation_size(r) > 1000000 THEN 'TRUNCATE ' || r || ' CASCADE' ELSE 'DELETE FROM ' || r END;
	END LOOP;
	PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$`

// learnShape reads the template's shape, which a copy of it has, too.
func (pg *Postgres) learnShape() error {
	db, err := sql.Open("pgx", pg.direct(pg.database(template)))
	if err != nil {
		return err
	}
	return errors.Join(db.QueryRow(shape).Scan(&pg.shape), db.Close())
}

func (pg *Postgres) empty(db *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var now string
	if err := db.QueryRowContext(ctx, shape).Scan(&now); err != nil {
		return err
	}
	if now != pg.shape {
		return errors.New("the database has another shape")
	}
	_, err := db.ExecContext(ctx, "RESET ALL; "+emptied)
	return err
}
