package operations

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// metricNames are the metrics that a text names, without what a histogram adds.
func metricNames(text string) map[string]bool {
	names := map[string]bool{}
	for _, name := range regexp.MustCompile(`\b(?:healthcare|process|go)_[a-z0-9_]+`).FindAllString(text, -1) {
		names[strings.TrimSuffix(name, "_bucket")] = true
	}
	return names
}

func deployed(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(kit.Root(append([]string{"deploy"}, elements...)...))
	require.NoError(t, err)
	return string(content)
}

func TestTheDashboardAndTheAlertsNameMetricsThatExist(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.Nobody().Get("/readyz").Expect(http.StatusOK)
		saysOfBackups(api) // by which the database has answered
		_, scraped := api.Scrape()
		exist := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(scraped, -1) {
			exist[m[1]] = true
		}
		for file, least := range map[string]int{"prometheus/alerts.yml": 8, "grafana/dashboard.json": 20} {
			named := metricNames(deployed(t, file))
			assert.GreaterOrEqual(t, len(named), least, file)
			for name := range named {
				assert.True(t, exist[name], "%s names %s, which there is not", file, name)
			}
		}
		dashboard := metricNames(deployed(t, "grafana/dashboard.json"))
		for name := range exist {
			assert.True(t, dashboard[name] || !strings.HasPrefix(name, "healthcare_"), "no panel shows %s", name)
		}
	}, kit.WithMetrics)
}

func TestTheDashboardIsJSONWhosePanelsHaveTitlesAndQueries(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(deployed(t, "grafana", "dashboard.json")), &dashboard))
	assert.GreaterOrEqual(t, len(dashboard.Panels), 10)
	for i, p := range dashboard.Panels {
		assert.Equal(t, i+1, p.ID)
		assert.NotEmpty(t, p.Title)
		assert.NotEmpty(t, p.Targets, p.Title)
	}
}

func TestEachAlertHasATestAndSaysWhereToReadOn(t *testing.T) {
	t.Parallel()
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Labels      struct{ Severity string }
				Annotations struct{ Summary, Runbook string }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(deployed(t, "prometheus", "alerts.yml")), &alerts))
	tests := deployed(t, "prometheus", "alerts_test.yml")
	pages, err := os.ReadFile(kit.Root("docs", "operations.md"))
	require.NoError(t, err)
	rules := alerts.Groups[0].Rules
	assert.Greater(t, len(rules), 8)
	for _, r := range rules {
		assert.Contains(t, tests, "alertname: "+r.Alert+"\n")
		assert.Contains(t, []string{"critical", "warning"}, r.Labels.Severity)
		assert.Equal(t, "docs/operations.md#"+strings.ToLower(r.Alert), r.Annotations.Runbook)
		assert.NotEmpty(t, r.Annotations.Summary)
		assert.Contains(t, string(pages), "\n### "+r.Alert+"\n")
	}
}
