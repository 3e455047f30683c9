// Package tests specifies the API from outside: through the real router, with real tokens, on both databases, each
// test on a fresh database of its own.
package tests

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/routes"
)

var (
	server     *postgres // nil where there is none
	runID      = strings.ToLower(rand.Text()[:8])
	template   = "clinic_test_" + runID // a migrated PostgreSQL database that tests copy
	sqliteFile string                   // a migrated SQLite file that tests copy
	databases  atomic.Int64             // made so far
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var err error
	if server, err = findPostgres(); err != nil {
		fmt.Printf("\n!!!! POSTGRESQL WAS NOT TESTED: half of the tests are skipped.\n!!!! %v\n\n", err)
	} else {
		defer server.stop()
		defer func() { _ = server.drop(template) }()
	}
	dir, err := os.MkdirTemp("", "clinic-test-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = makeTemplates(dir)
	}
	if err != nil {
		fmt.Println("the tests' databases cannot be made:", err)
		return 1
	}
	return m.Run()
}

func makeTemplates(dir string) error {
	sqliteFile = filepath.Join(dir, "template.db")
	configs := []*config.Config{baseConfig("sqlite:" + sqliteFile)}
	if server != nil {
		if err := server.create(template, ""); err != nil {
			return err
		}
		configs = append(configs, baseConfig(server.database(template)))
	}
	for _, cfg := range configs {
		db, err := models.Open(context.Background(), cfg)
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
	}
	return nil
}

// baseConfig is the default configuration, with cheap password hashes and no rate limit.
func baseConfig(database string) *config.Config {
	cfg, err := config.Load([]string{
		"DATABASE_URL=" + database, "JWT_SECRET=a-secret-that-only-the-tests-use-0123456789", "AUTH_RATE_LIMIT=0", "DB_MAX_CONNS=6",
	}, os.DevNull)
	if err != nil {
		panic(err)
	}
	cfg.HashMemory = 64
	return cfg
}

// API is one instance of the server on a database of its own.
type API struct {
	t      *testing.T
	Config *config.Config
	DB     *models.DB
	URL    string
	Log    *logBuffer

	once   sync.Once
	direct *sql.DB // made by sql
}

// logBuffer collects what an instance logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// onBoth runs a test on SQLite and on PostgreSQL, each on a fresh database. Options change the configuration.
func onBoth(t *testing.T, test func(t *testing.T, api *API), options ...func(*config.Config)) {
	t.Helper()
	t.Parallel()
	for name, fresh := range map[string]func(*testing.T) string{"sqlite": freshSQLite, "postgres": freshPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := baseConfig(fresh(t))
			for _, o := range options {
				o(cfg)
			}
			test(t, start(t, cfg))
		})
	}
}

func freshSQLite(t *testing.T) string {
	content, err := os.ReadFile(sqliteFile)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "test.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return "sqlite:" + path
}

func freshPostgres(t *testing.T) string {
	return freshPostgresFrom(t, template)
}

func freshPostgresFrom(t *testing.T, template string) string {
	if server == nil {
		t.Skip("POSTGRESQL WAS NOT TESTED: there is no server")
	}
	name := fmt.Sprintf("clinic_test_%s_%d", runID, databases.Add(1))
	require.NoError(t, server.create(name, template))
	t.Cleanup(func() { require.NoError(t, server.drop(name)) })
	return server.database(name)
}

// start runs one more instance with this configuration until the test ends.
func start(t *testing.T, cfg *config.Config) *API {
	t.Helper()
	db, err := models.Open(t.Context(), cfg)
	require.NoError(t, err)
	log := &logBuffer{}
	handler, err := routes.New(cfg, db, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	s := httptest.NewServer(handler)
	t.Cleanup(func() {
		s.Close()
		require.NoError(t, db.Close())
	})
	return &API{t: t, Config: cfg, DB: db, URL: s.URL, Log: log}
}

// sql opens the instance's database directly, to see what it really holds.
func (api *API) sql() *sql.DB {
	api.once.Do(func() {
		driver, dsn := "pgx", api.Config.Database.Postgres
		if dsn == "" {
			driver, dsn = "sqlite", api.Config.Database.SQLite+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
		}
		db, err := sql.Open(driver, dsn)
		require.NoError(api.t, err)
		db.SetMaxIdleConns(1)
		api.t.Cleanup(func() { _ = db.Close() })
		api.direct = db
	})
	return api.direct
}

// count runs a query that returns one number.
func (api *API) count(query string) int {
	api.t.Helper()
	var n int
	require.NoError(api.t, api.sql().QueryRow(query).Scan(&n))
	return n
}

// exec changes the database directly, as an operator could.
func (api *API) exec(statement string) {
	api.t.Helper()
	_, err := api.sql().Exec(statement)
	require.NoError(api.t, err)
}

const waitLimit = 10 * time.Second
