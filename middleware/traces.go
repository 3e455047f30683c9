package middleware

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"healthcare/config"
	"healthcare/version"
)

// tracesLimit is how long the last traces may take to be sent when the server ends.
const tracesLimit = 2 * time.Second

// StartTraces begins to send traces where OpenTelemetry's variables ask for it, until the function that it returns is called.
// Whether they arrive changes nothing for clients; if they do not, the log says so.
func StartTraces(ctx context.Context, cfg *config.Config, log *slog.Logger) (stop func(), err error) {
	if !cfg.OpenTelemetry.Traces() {
		return func() {}, nil
	}
	for name, value := range cfg.OpenTelemetry { // the library reads the environment, which does not have what is in .env
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	who, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", version.Name), attribute.String("service.version", version.Number)), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces cannot be sent", "error", err) }))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(who))
	otel.SetTracerProvider(provider)
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), tracesLimit)
		defer cancel()
		_ = provider.Shutdown(ctx) // which tells the error handler
	}, nil
}

// Trace makes a span of each request, with the names that OpenTelemetry's conventions for HTTP servers give. Like the log, it holds the
// pattern of the route, and no address, query, name or token.
func Trace() gin.HandlerFunc {
	tracer := otel.Tracer(version.Name)
	return func(c *gin.Context) {
		ctx := otel.GetTextMapPropagator().Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
		method := c.Request.Method
		if !slices.Contains(knownMethods, method) {
			method = "_OTHER"
		}
		ctx, span := tracer.Start(ctx, strings.TrimSpace(method+" "+c.FullPath()), oteltrace.WithSpanKind(oteltrace.SpanKindServer))
		defer span.End()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
		status := c.Writer.Status()
		span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", c.FullPath()), attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
}

var knownMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
