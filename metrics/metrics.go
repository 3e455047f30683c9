// Package metrics tells Prometheus how this instance is. Each instance of the server in a process has its own registry.
// No label holds what a client chooses. Begin with Metrics.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"healthcare/apierror"
	"healthcare/models"
	"healthcare/version"
)

const namespace = "healthcare"

// Metrics are those of one instance. A nil one takes note of nothing.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	refused   map[apierror.Code]*prometheus.CounterVec
}

// New makes the metrics of an instance with this database.
func New(db *models.DB) *Metrics {
	labels := []string{"route", "method", "status"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "http_requests_total",
			Help: "Requests that were answered, by the pattern of their path, their method and the class of the status."}, labels),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "http_request_duration_seconds",
			Help:    "How long requests took until their answer was written.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}}, labels),
		refused: map[apierror.Code]*prometheus.CounterVec{
			apierror.Unavailable: causes("unavailable_total", "Answers of status 503, by their cause.", apierror.Unavailable),
			apierror.Throttled:   causes("throttled_total", "Answers of status 429, by their cause: locks of logins and limits of rates.", apierror.Throttled),
		},
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info",
		Help: "1, for the version, the commit and the Go that this program was built from."}, []string{"version", "commit", "go"})
	build.WithLabelValues(version.Number, version.Commit(), runtime.Version()).Set(1)
	m.registry.MustRegister(
		m.requests, m.durations, m.refused[apierror.Unavailable], m.refused[apierror.Throttled], build, newState(db),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// causes begins each cause with zero, so that the first one already is an increase.
func causes(name, help string, code apierror.Code) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{"cause"})
	for _, c := range apierror.Causes[code] {
		v.WithLabelValues(string(c))
	}
	return v
}

// known are the methods that are labels by themselves.
var known = map[string]string{
	http.MethodGet: http.MethodGet, http.MethodPost: http.MethodPost, http.MethodPut: http.MethodPut,
	http.MethodPatch: http.MethodPatch, http.MethodDelete: http.MethodDelete, http.MethodOptions: http.MethodOptions,
}

// Answered counts a request. The route is the pattern of its path, "" if it has none.
func (m *Metrics) Answered(route, method string, status int, took time.Duration) {
	if m == nil {
		return
	}
	if route == "" {
		route = "none"
	}
	if method = known[method]; method == "" {
		method = "other"
	}
	class := strconv.Itoa(status/100) + "xx"
	m.requests.WithLabelValues(route, method, class).Inc()
	m.durations.WithLabelValues(route, method, class).Observe(took.Seconds())
}

// Refused counts an answer of status 503 or 429.
func (m *Metrics) Refused(code apierror.Code, cause apierror.Cause) {
	if m != nil && m.refused[code] != nil {
		m.refused[code].WithLabelValues(string(cause)).Inc()
	}
}

// Places reports how many of the places to work in are taken.
func (m *Metrics) Places(of string, most int, used func() int) {
	if m == nil {
		return
	}
	constant := prometheus.Labels{"of": of}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "places_in_use", ConstLabels: constant,
			Help: "Requests at work. When all places are in use, others are answered 503."}, func() float64 { return float64(used()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "places", ConstLabels: constant,
			Help: "How many requests may be at work at once."}, func() float64 { return float64(most) }),
	)
}

// Handler answers a scrape; nil for a nil one.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return nil
	}
	mux := http.NewServeMux()
	// What cannot be collected is left out, and the rest is told all the same.
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4}))
	return mux
}
