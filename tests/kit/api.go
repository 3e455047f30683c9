package kit

import (
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/routes"
)

// API is one instance of the server on a database of its own.
type API struct {
	T      testing.TB
	Config *config.Config
	DB     *models.DB
	URL    string
	Log    *Buffer // what the instance logs
	Routes gin.RoutesInfo
	// Transport is how requests go out; nil is the usual way.
	Transport http.RoundTripper

	metrics http.Handler // nil without WithMetrics

	stop   func()
	direct *sql.DB
	opened sync.Once
	lifted bool // see LiftAppendOnly
}

// OnBoth runs a test on SQLite and on PostgreSQL, each on a fresh database. Options change the configuration.
func OnBoth(t *testing.T, test func(t *testing.T, api *API), options ...func(*config.Config)) {
	t.Helper()
	t.Parallel()
	for name, fresh := range Fresh {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := BaseConfig(fresh(t))
			for _, o := range options {
				o(cfg)
			}
			later := cfg.Migrated
			cfg.Migrated = true
			api := Start(t, cfg)
			cfg.Migrated = later
			test(t, api)
		})
	}
}

// Open opens the database and puts the server together, without a network, until the test ends.
func Open(t testing.TB, cfg *config.Config, log slog.Handler) (*models.DB, *routes.Handler) {
	t.Helper()
	db, handler := open(t, cfg, log)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, handler
}

func open(t testing.TB, cfg *config.Config, log slog.Handler) (*models.DB, *routes.Handler) {
	t.Helper()
	db, err := models.Open(t.Context(), cfg)
	require.NoError(t, err)
	handler, err := routes.New(cfg, db, slog.New(log))
	require.NoError(t, err)
	return db, handler
}

// Start runs one more instance with this configuration until the test ends.
func Start(t testing.TB, cfg *config.Config) *API {
	t.Helper()
	log := &Buffer{}
	db, handler := open(t, cfg, slog.NewTextHandler(log, nil))
	s := httptest.NewServer(handler)
	api := &API{T: t, Config: cfg, DB: db, URL: s.URL, Log: log, Routes: handler.Routes, metrics: handler.Metrics}
	api.stop = sync.OnceFunc(func() { s.Close(); assert.NoError(t, db.Close()) })
	t.Cleanup(api.stop)
	return api
}

// Stop ends the instance before the test does.
func (api *API) Stop() { api.stop() }

// IsPostgres tells which of the two databases this is.
func (api *API) IsPostgres() bool { return api.Config.Database.Postgres != "" }

// SQL opens the instance's database directly, to see what it really holds.
func (api *API) SQL() *sql.DB {
	api.opened.Do(func() {
		if api.direct = Server.pool(api.Config.Database.Direct()); api.direct != nil {
			return
		}
		driver, dsn := "pgx", api.Config.Database.Direct()
		if dsn == "" {
			driver, dsn = "sqlite", api.Config.Database.SQLite+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
		}
		var err error
		api.direct, err = sql.Open(driver, dsn)
		require.NoError(api.T, err)
		api.T.Cleanup(func() { _ = api.direct.Close() })
	})
	return api.direct
}

// Exec changes the database directly, as an operator could.
func (api *API) Exec(statement string) {
	api.T.Helper()
	if api.lifted {
		statement = "SELECT set_config('healthcare.lifted', 'on', true); " + statement
	}
	_, err := api.SQL().Exec(statement)
	require.NoError(api.T, err)
}

// Count runs a query that returns one number.
func (api *API) Count(query string) int {
	api.T.Helper()
	var n int
	require.NoError(api.T, api.SQL().QueryRow(query).Scan(&n))
	return n
}

// Text runs a query that returns one text.
func (api *API) Text(query string) string {
	api.T.Helper()
	var text string
	require.NoError(api.T, api.SQL().QueryRow(query).Scan(&text))
	return text
}

// Rows runs a query and spells each row.
func (api *API) Rows(query string) []string {
	api.T.Helper()
	lines := []string{}
	for _, values := range api.values(query) {
		lines = append(lines, fmt.Sprint(values...))
	}
	return lines
}

// Contents is everything that the database holds, to see that nothing changed.
func (api *API) Contents() string {
	api.T.Helper()
	var text strings.Builder
	for _, table := range []string{"users", "patients", "patient_identifiers", "doctors", "mappings"} {
		for _, values := range api.values("SELECT * FROM " + table + " ORDER BY id") {
			_, _ = fmt.Fprintln(&text, table, values)
		}
	}
	return text.String()
}

// values runs a query and reads all its rows.
func (api *API) values(query string) [][]any {
	api.T.Helper()
	found, err := api.SQL().Query(query)
	require.NoError(api.T, err)
	defer func() { _ = found.Close() }()
	columns, err := found.Columns()
	require.NoError(api.T, err)
	var rows [][]any
	for found.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(api.T, found.Scan(into...))
		rows = append(rows, values)
	}
	require.NoError(api.T, found.Err())
	return rows
}

// Ago is a time in SQL, as this program writes it: SQLite compares texts.
func Ago(d time.Duration) string {
	return time.Now().UTC().Add(-d).Format("'2006-01-02 15:04:05.999999+00:00'")
}

// Seal seals every event of the audit trail.
func (api *API) Seal() {
	api.T.Helper()
	require.NoError(api.T, api.DB.SealAll(api.T.Context()))
}

// VerifyAudit proves the audit trail.
func (api *API) VerifyAudit() (*models.AuditReport, error) {
	return api.DB.VerifyAudit(api.T.Context(), "", func(int64, int64) {})
}

// LiftAppendOnly lets Exec change events and seals, as a holder of the database can. On PostgreSQL it leaves the triggers that
// refuse that, so that the database is good for another test.
func (api *API) LiftAppendOnly() {
	api.T.Helper()
	if api.lifted = api.IsPostgres(); !api.lifted {
		api.DropAppendOnly()
	}
}

// DropAppendOnly removes the triggers themselves.
func (api *API) DropAppendOnly() {
	api.T.Helper()
	var statements strings.Builder
	for _, table := range []string{"events", "seals"} {
		if api.IsPostgres() {
			statements.WriteString("DROP TRIGGER IF EXISTS " + table + "_append_only ON " + table + ";")
			continue
		}
		statements.WriteString("DROP TRIGGER IF EXISTS " + table + "_no_update; DROP TRIGGER IF EXISTS " + table + "_no_delete;")
	}
	api.Exec(statements.String())
}
