// Package kit is what the tests share: databases, instances of the server, clients that call them, and the program
// itself as a process. It asserts what is true of every answer; all else is for the tests to assert. Only tests use it.
package kit

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
)

// Server is the PostgreSQL server that the tests make their databases on; nil where there is none.
var Server *Postgres

// RunID is a word of this process alone. What is made on a shared server has it in its name.
var RunID = strings.ToLower(rand.Text()[:8])

// migrated are the addresses of copies of a database that has just been migrated: nobody migrates them.
var migrated sync.Map

// WaitLimit is how long a test waits for what must happen soon.
const WaitLimit = 10 * time.Second

var (
	root       = findRoot()
	template   = "clinic_test_" + RunID // a migrated PostgreSQL database that tests copy
	sqliteFile string                   // a migrated SQLite file that tests copy
	databases  atomic.Int64             // made so far
)

// Main runs the tests of a package: it is all that TestMain does. What prepare adds to the databases that are copied, all
// have; it gets their addresses.
func Main(m *testing.M, prepare ...func(address string) error) { os.Exit(run(m, prepare)) }

func run(m *testing.M, prepare []func(string) error) int {
	debug.SetGCPercent(300) // as the program does, see main.go
	if _, err := Description(); err != nil {
		fmt.Printf("docs/openapi.yaml cannot be read: %.500s\n", err)
		return 1
	}
	var err error
	if Server, err = findPostgres(); err != nil {
		warn(fmt.Sprintf("\n!!!! POSTGRESQL WAS NOT TESTED: half of the tests are skipped.\n!!!! %v\n\n", err))
	} else {
		defer Server.stop()
		defer func() { _ = Server.drop(append(Server.clean, template)...) }() // with force, as there still are connections
	}
	dir, err := os.MkdirTemp("", "clinic-test-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = makeTemplates(dir, prepare)
	}
	if err == nil {
		err = shareConnections()
	}
	if err != nil {
		fmt.Println("the tests' databases cannot be made:", err)
		return 1
	}
	return m.Run()
}

// warn prints, and on the terminal too: go test hides what a package prints that passes.
func warn(says string) {
	fmt.Print(says)
	if terminal, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		_, _ = fmt.Fprint(terminal, says)
		_ = terminal.Close()
	}
}

func makeTemplates(dir string, prepare []func(string) error) error {
	sqliteFile = filepath.Join(dir, "template.db")
	addresses := []string{"sqlite:" + sqliteFile}
	if Server != nil {
		if err := Server.create(template, ""); err != nil {
			return err
		}
		addresses = append(addresses, Server.direct(Server.database(template)))
	}
	for _, address := range addresses {
		db, err := models.Open(context.Background(), BaseConfig(address))
		if err == nil {
			err = db.Close()
		}
		for _, add := range prepare {
			if err == nil {
				err = add(address)
			}
		}
		if err != nil {
			return err
		}
	}
	if Server == nil {
		return nil
	}
	return Server.learnShape()
}

// shareConnections sets how many tests of a package run at once, unless -parallel says it: many, as most of them wait for
// the database, but no more than the server has connections for. go test runs several packages beside each other, and most
// tests have at most two instances.
func shareConnections() error {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if Server == nil || asked {
		return nil
	}
	const packages, spare = 5, 20
	var most int
	if err := Server.Admin.QueryRow("SELECT current_setting('max_connections')::int").Scan(&most); err != nil {
		return err
	}
	cores := runtime.GOMAXPROCS(0)
	atOnce := min(4*cores, (most-spare)/(min(packages, cores)*2*maxConns))
	return flag.Set("test.parallel", strconv.Itoa(max(1, atOnce)))
}

const maxConns = 4 // of one instance

// BaseConfig is the default configuration, with cheap password hashes and no rate limit.
func BaseConfig(database string) *config.Config {
	migration := ""
	if direct := Server.direct(database); direct != database {
		migration = direct
	}
	cfg, err := config.Load([]string{
		"DATABASE_URL=" + database, "MIGRATION_DATABASE_URL=" + migration, "JWT_SECRET=" + JWTSecret, "AUDIT_KEY=" + AuditKey, "AUTH_RATE_LIMIT=0", fmt.Sprint("DB_MAX_CONNS=", maxConns),
	}, os.DevNull)
	if err != nil {
		panic(err)
	}
	cfg.HashMemory = 64
	if RaceDetector {
		cfg.RequestTimeout = time.Minute // the tests of time limits set their own
	}
	_, cfg.Migrated = migrated.Load(database)
	cfg.StockGORM = os.Getenv("STOCK_GORM") != "" // which runs all tests without the plugin
	return cfg
}

// MigrateAgain is an option, of tests of what migrates: whoever opens the database after its first instance migrates it.
func MigrateAgain(cfg *config.Config) { cfg.Migrated = false }

// Fresh makes the address of a fresh database, for each kind of database.
var Fresh = map[string]func(testing.TB) string{"sqlite": FreshSQLite, "postgres": FreshPostgres}

// FreshSQLite makes a migrated SQLite database.
func FreshSQLite(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile(sqliteFile)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "test.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	migrated.Store("sqlite:"+path, true)
	return "sqlite:" + path
}

// FreshPostgres gives a migrated PostgreSQL database without rows. Without a server, the test is skipped.
func FreshPostgres(t testing.TB) string {
	t.Helper()
	NeedPostgres(t)
	name, err := Server.takeClean()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, Server.giveBack(name)) })
	migrated.Store(Server.database(name), true)
	return Server.database(name)
}

// FreshPostgresCopy makes a migrated PostgreSQL database whose files nobody has written: two of them give rows that nobody
// asked to be ordered in the same order.
func FreshPostgresCopy(t testing.TB) string {
	t.Helper()
	return FreshPostgresFrom(t, template)
}

// FreshPostgresFrom makes a PostgreSQL database that is a copy of another; "" and template0 are empty.
func FreshPostgresFrom(t testing.TB, template string) string {
	t.Helper()
	NeedPostgres(t)
	name := fmt.Sprintf("clinic_test_%s_%d", RunID, databases.Add(1))
	require.NoError(t, Server.create(name, template))
	t.Cleanup(func() { require.NoError(t, Server.drop(name)) })
	return Server.database(name)
}

// NeedPostgres skips a test where there is no PostgreSQL server.
func NeedPostgres(t testing.TB) {
	t.Helper()
	if Server == nil {
		t.Skip("POSTGRESQL WAS NOT TESTED: there is no server")
	}
}

// Whole tells whether tests of many rows have them all, which takes minutes under the race detector.
const Whole = Slow && !RaceDetector

// NeedSlow skips a test that takes seconds of a core's time, unless the slow tests run, too: go test -tags slow ./...
func NeedSlow(t testing.TB) {
	t.Helper()
	if !Slow {
		t.Skip("it is slow; to run it: go test -tags slow")
	}
}

// Root is the path of a file of the repository, given from its root: Root("docs", "security.md").
func Root(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }

// findRoot looks for the folder that holds go.mod: go test runs a package in its own folder, somewhere below it.
func findRoot() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	panic("there is no go.mod in this folder nor above it")
}
