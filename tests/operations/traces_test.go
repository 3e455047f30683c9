package operations

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"healthcare/tests/kit"
)

// spans is a collector of OpenTelemetry, and what it was sent.
type spans struct {
	mu  sync.Mutex
	got []*tracepb.Span
	raw strings.Builder
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.raw.Write(body)
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			s.got = append(s.got, scope.Spans...)
		}
	}
}

// named are the spans of a trace with this name.
func (s *spans) named(trace, name string) (found []*tracepb.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range s.got {
		if hex.EncodeToString(span.TraceId) == trace && span.Name == name {
			found = append(found, span)
		}
	}
	return found
}

func attributes(span *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, a := range span.Attributes {
		all[a.Key] = a.Value.GetStringValue()
	}
	return all
}

func TestTracesTellOfARequestAndItsStatementsWithoutTheirValues(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sent := &spans{}
		to := httptest.NewServer(sent)
		defer to.Close()
		server := kit.Launch(t, t.TempDir(), nil, append(api.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+to.URL, "OTEL_BSP_SCHEDULE_DELAY=20")...).Serving()
		ana := server.User("ana")
		patient := ana.Patient("Petra")
		ana.Patch(kit.Path("patients", patient), kit.Object{"phone": "+49 30 5550117"}).Expect(http.StatusOK) // the text of the next one is kept
		const trace = "0af7651916cd43dd8448eb211c80319c"
		headers := []string{"traceparent", "00-" + trace + "-b7ad6b7169203331-01"}
		ana.Do("GET", kit.Path("patients", patient), nil, headers...).Expect(http.StatusOK)
		ana.Do("PATCH", kit.Path("patients", patient), kit.Object{"phone": "+49 30 5550118"}, headers...).Expect(http.StatusOK)
		ana.Do("GET", "/api/patients/?search=petra", nil, headers...).Expect(http.StatusOK)

		for _, name := range []string{"GET /api/patients/:id", "PATCH /api/patients/:id", "GET /api/patients"} {
			require.Eventually(t, func() bool { return len(sent.named(trace, name)) == 1 }, kit.WaitLimit, 5*time.Millisecond, name)
		}
		request := sent.named(trace, "GET /api/patients/:id")[0]
		assert.Equal(t, "b7ad6b7169203331", hex.EncodeToString(request.ParentSpanId))
		assert.Equal(t, "/api/patients/:id", attributes(request)["http.route"])
		var texts []string
		for _, span := range append(sent.named(trace, "SELECT patients"), sent.named(trace, "UPDATE patients")...) {
			of := attributes(span)
			assert.NotEmpty(t, of["db.query.text"])
			assert.Equal(t, map[bool]string{true: "postgresql", false: "sqlite"}[api.IsPostgres()], of["db.system.name"])
			texts = append(texts, of["db.query.text"])
			if span.Name == "UPDATE patients" {
				assert.Contains(t, of["db.query.text"], "phone")
			}
		}
		assert.GreaterOrEqual(t, len(texts), 3, "%q", texts)
		sent.mu.Lock()
		defer sent.mu.Unlock()
		kit.Absent(t, sent.raw.String(), "Petra", "petra", "5550117", "5550118", "ana@", kit.Password, ana.Token[:40])
	})
}

func TestNoTracesAreSentUnlessTheirVariableIsSet(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	sent := &spans{}
	to := httptest.NewServer(sent)
	defer to.Close()
	for _, off := range []string{"OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT="} {
		p := kit.Launch(t, t.TempDir(), nil, "OTEL_EXPORTER_OTLP_ENDPOINT="+to.URL, "OTEL_BSP_SCHEDULE_DELAY=1", off)
		p.Serving().Nobody().Get("/healthz").Expect(http.StatusOK)
		require.NoError(t, p.Cmd.Process.Signal(os.Interrupt))
		assert.Zero(t, p.ExitCode())
	}
	assert.Empty(t, sent.got)
}
