package kit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"healthcare/config"
)

// WithMetrics is an option of OnBoth.
func WithMetrics(cfg *config.Config) { cfg.MetricsAddr = "127.0.0.1:0" }

// Scraped are the values that Prometheus gets, by name and labels: healthcare_places{of="api"}.
type Scraped map[string]float64

// Scrape asks the instance for its metrics.
func (api *API) Scrape() (values Scraped, text string) {
	api.T.Helper()
	s := httptest.NewServer(api.metrics)
	defer s.Close()
	return ScrapeURL(api.T, s.URL+"/metrics")
}

// ScrapeURL asks an address for metrics.
func ScrapeURL(t testing.TB, url string) (values Scraped, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	values = Scraped{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if end := strings.LastIndexByte(line, ' '); end > 0 && line[0] != '#' {
			values[line[:end]], err = strconv.ParseFloat(line[end+1:], 64)
			require.NoError(t, err, line)
		}
	}
	return values, string(raw)
}
