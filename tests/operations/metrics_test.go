package operations

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/models"
	"healthcare/tests/kit"
)

func TestMetricsCountRequestsByRouteMethodAndClassOfStatus(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		before, _ := api.Scrape()
		for range 3 {
			ana.Get("/api/patients/").Expect(http.StatusOK)
		}
		patient := ana.Patient("Petra")
		ana.Get(kit.Path("patients", patient)).Expect(http.StatusOK)
		ana.Post("/api/patients/", kit.Object{}).Expect(http.StatusBadRequest)
		ana.Get("/api/Petra/").Expect(http.StatusNotFound)
		ana.Do("PETRA", "/api/patients/", nil).Expect(http.StatusMethodNotAllowed)
		var after kit.Scraped
		for series, more := range map[string]float64{
			`method="GET",route="/api/patients",status="2xx"`:     3,
			`method="POST",route="/api/patients",status="2xx"`:    1,
			`method="POST",route="/api/patients",status="4xx"`:    1,
			`method="GET",route="/api/patients/:id",status="2xx"`: 1,
			`method="GET",route="none",status="4xx"`:              1,
			`method="other",route="none",status="4xx"`:            1,
		} {
			counted := func() bool { // an answer may arrive before it is counted
				after, _ = api.Scrape()
				name := "healthcare_http_requests_total{" + series + "}"
				return after[name]-before[name] == more
			}
			require.Eventually(t, counted, kit.WaitLimit, time.Millisecond, series)
			assert.InDelta(t, after["healthcare_http_requests_total{"+series+"}"], after["healthcare_http_request_duration_seconds_count{"+series+"}"], 0, series)
			assert.Positive(t, after["healthcare_http_request_duration_seconds_sum{"+series+"}"], series)
		}
	}, kit.WithMetrics)
}

func TestMetricsHoldNothingThatAClientChooses(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		for i := range 20 {
			ana.Do(fmt.Sprint("PETRA", i), fmt.Sprint("/api/Petra", i), kit.Object{"name": "Petra"}, "User-Agent", "Petra", "X-Request-ID", "Petra")
			ana.Get(fmt.Sprint("/api/patients/Petra", i, "?search=Petra"))
			api.Nobody().Post(kit.LoginPath, kit.Object{"username": fmt.Sprint("petra", i), "password": "Petra"})
		}
		scraped, text := api.Scrape()
		kit.Absent(t, text, "Petra", "petra", "PETRA", "example.org", ana.Token, ana.Name, "Berlin", "127.0.0.1")
		routes := map[string]bool{"none": true}
		for _, r := range api.Routes {
			routes[r.Path] = true
		}
		known := regexp.MustCompile(`^healthcare_http_requests_total\{method="(GET|POST|PUT|PATCH|DELETE|OPTIONS|other)",route="([^"]+)",status="[1-5]xx"\}$`)
		found := 0
		for series := range scraped {
			if strings.HasPrefix(series, "healthcare_http_requests_total") {
				found++
				m := known.FindStringSubmatch(series)
				require.NotNil(t, m, series)
				assert.True(t, routes[m[2]], series)
			}
		}
		assert.Greater(t, found, 5)
	}, kit.WithMetrics)
}

func TestMetricsTellTheCauseOfA429(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for range 5 {
			api.Nobody().Post(kit.LoginPath, kit.Object{"username": "ana", "password": "wrong"}).Expect(http.StatusUnauthorized)
		}
		api.Nobody().Post(kit.LoginPath, kit.Object{"username": "ana", "password": "wrong"}).Expect(http.StatusTooManyRequests)
		for range 6 {
			ana.Get("/api/auth/me/")
		}
		counted := func() bool {
			now, _ := api.Scrape()
			return now[`healthcare_throttled_total{cause="lockout"}`] == 1 && now[`healthcare_throttled_total{cause="account_rate"}`] == 1 &&
				now[`healthcare_throttled_total{cause="address_rate"}`] == 0
		}
		assert.Eventually(t, counted, kit.WaitLimit, time.Millisecond)
	}, kit.WithMetrics, func(cfg *config.Config) { cfg.AccountRateLimit = 5 })
}

// holdDatabase keeps all connections that can write, until it is told to release them.
func holdDatabase(t *testing.T, api *kit.API) (release func()) {
	t.Helper()
	began, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- api.DB.Write(t.Context(), models.Actor{}, func(*models.Tx) error {
			close(began)
			<-end
			return nil
		})
	}()
	<-began
	return func() { close(end); require.NoError(t, <-ended) }
}

func TestA503NamesItsCauseInTheLogAndInTheMetrics(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		patient := ana.Patient("Petra")
		expect := func(cause, reason string, ask func() *kit.Response) {
			t.Helper()
			before, _ := api.Scrape()
			r := ask().Expect(http.StatusServiceUnavailable)
			series := `healthcare_unavailable_total{cause="` + cause + `"}`
			counted := func() bool { now, _ := api.Scrape(); return now[series] == before[series]+1 }
			require.Eventually(t, counted, kit.WaitLimit, time.Millisecond, "%s\n%s", cause, api.Log)
			line := loggedOf(api, r)
			for _, says := range []string{"level=WARN", "status=503", "cause=" + cause, reason} {
				assert.Contains(t, line, says)
			}
		}
		patch := func() *kit.Response { return ana.Patch(kit.Path("patients", patient), kit.Object{"name": "Paula"}) }

		release := holdDatabase(t, api)
		expect("pool", "", patch)
		release()

		// Somebody else holds the row, or SQLite's file.
		tx, err := api.SQL().Begin()
		require.NoError(t, err)
		_, err = tx.Exec("UPDATE patients SET name = name")
		require.NoError(t, err)
		if api.IsPostgres() {
			expect("limit", "", patch)
		} else {
			expect("database", `reason="SQLite `, patch)
		}
		require.NoError(t, tx.Rollback())
		patch().Expect(http.StatusOK)
	}, kit.WithMetrics, func(cfg *config.Config) { cfg.MaxConns, cfg.RequestTimeout = 1, 1500*time.Millisecond })
}

func TestMetricsFollowTheAuditTrail(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		patient := ana.Patient("Petra") // its event is stored, and nothing seals it here
		before, _ := api.Scrape()
		assert.Positive(t, before["healthcare_audit_unsealed_events"])
		require.NoError(t, api.DB.SealAll(t.Context()))
		after, _ := api.Scrape()
		assert.Zero(t, after["healthcare_audit_unsealed_events"])
		assert.Greater(t, after["healthcare_audit_sealed_timestamp_seconds"], before["healthcare_audit_sealed_timestamp_seconds"])

		api.Exec("ALTER TABLE events RENAME TO away")
		ana.Get(kit.Path("patients", patient)).Expect(http.StatusOK)
		late := func() bool {
			api.Nobody().Get("/readyz")
			now, _ := api.Scrape()
			return now["healthcare_audit_queue_events"] == 1 && now["healthcare_audit_queue_oldest_seconds"] > 0 && now[`healthcare_unavailable_total{cause="audit"}`] > 0
		}
		require.Eventually(t, late, kit.WaitLimit, 10*time.Millisecond)
		api.Exec("ALTER TABLE away RENAME TO events")
		stored := func() bool {
			now, _ := api.Scrape()
			return now["healthcare_audit_queue_events"] == 0 && now["healthcare_audit_queue_oldest_seconds"] == 0 && now["healthcare_audit_unsealed_events"] == 1
		}
		assert.Eventually(t, stored, kit.WaitLimit, 10*time.Millisecond)
	}, kit.WithMetrics)
}

func TestMetricsShowThePoolThePlacesAndTheBuild(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		patient := ana.Patient("Petra")
		release := holdDatabase(t, api)
		answered := make(chan *kit.Response)
		go func() { answered <- ana.Patch(kit.Path("patients", patient), kit.Object{"name": "Paula"}) }()
		pool := `{pool="write"}`
		if api.IsPostgres() {
			pool = `{pool="all"}`
		}
		waits := func() bool {
			now, _ := api.Scrape()
			return now["healthcare_pool_in_use_connections"+pool] == 1 && now["healthcare_pool_open_connections"+pool] == 1 &&
				now["healthcare_pool_max_connections"+pool] == 1 && now["healthcare_pool_waits_total"+pool]+now["healthcare_writes_waiting"] > 0
		}
		require.Eventually(t, waits, kit.WaitLimit, time.Millisecond)
		if !api.IsPostgres() { // where who asks is looked up without the connection that is held
			now, _ := api.Scrape()
			assert.InDelta(t, 1, now[`healthcare_places_in_use{of="api"}`], 0)
		}
		release()
		(<-answered).Expect(http.StatusOK)
		now, text := api.Scrape()
		assert.InDelta(t, 64, now[`healthcare_places{of="api"}`], 0)
		assert.Contains(t, text, "healthcare_build_info{")
		for _, name := range []string{"go_goroutines", "process_open_fds", "process_cpu_seconds_total"} {
			assert.Positive(t, now[name], name)
		}
	}, kit.WithMetrics, func(cfg *config.Config) { cfg.MaxConns = 1 })
}

func TestAScrapeDoesNotWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	cfg := kit.BaseConfig(kit.FreshPostgres(t))
	kit.WithMetrics(cfg)
	api := kit.Start(t, cfg)
	api.User("ana").Patient("Petra")
	before, _ := api.Scrape()
	assert.Positive(t, before["healthcare_audit_unsealed_events"])
	tx, err := api.SQL().Begin()
	require.NoError(t, err)
	_, err = tx.Exec("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	for range 3 {
		during, _ := api.Scrape()
		assert.InDelta(t, before["healthcare_audit_unsealed_events"], during["healthcare_audit_unsealed_events"], 0, "what was known before")
	}
	require.NoError(t, tx.Rollback())
}

func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := kit.Launch(t, t.TempDir(), nil, "METRICS_ADDR=:0")
	api := p.Serving()
	p.Await(p.Err, "/metrics")
	url := regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+/metrics)`).FindStringSubmatch(p.Err.String())
	require.NotNil(t, url, p.Err)
	api.Nobody().Get("/healthz").Expect(http.StatusOK)
	values, _ := kit.ScrapeURL(t, url[1])
	assert.Contains(t, values, `healthcare_http_requests_total{method="GET",route="/healthz",status="2xx"}`)
	api.Nobody().Get("/metrics").Expect(http.StatusNotFound)
	require.NoError(t, p.Cmd.Process.Signal(os.Interrupt))
	assert.Zero(t, p.ExitCode())
	assert.ErrorIs(t, dial(strings.TrimSuffix(strings.TrimPrefix(url[1], "http://"), "/metrics")), syscall.ECONNREFUSED)
}

func TestWithoutMetricsAddrThereAreNone(t *testing.T) {
	t.Parallel()
	p := kit.Launch(t, t.TempDir(), nil)
	api := p.Serving()
	api.Nobody().Get("/metrics").Expect(http.StatusNotFound)
	kit.Absent(t, p.Err.String(), "metrics for")
}

func TestAMetricsAddrThatIsTakenEndsTheStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	code, _, stderr := kit.RunProgram(t, t.TempDir(), nil, "METRICS_ADDR="+taken.Addr().String())
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "METRICS_ADDR: ")
}

func dial(address string) error {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}
