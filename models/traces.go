package models

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"gorm.io/gorm"

	"healthcare/version"
)

const spanOfStatement = "healthcare:span"

// traceStatements makes a span of each statement within its request's, by GORM's callbacks. It holds the text with its
// placeholders, and never a value; of an error only that there was one, because a database quotes values in its own.
func traceStatements(g *gorm.DB) error {
	tracer := otel.Tracer(version.Name)
	system := map[string]string{"postgres": "postgresql"}[g.Name()]
	if system == "" {
		system = g.Name()
	}
	begin := func(db *gorm.DB) {
		if trace.SpanContextFromContext(db.Statement.Context).IsValid() { // what the server does by itself is no one's request
			_, span := tracer.Start(db.Statement.Context, "", trace.WithSpanKind(trace.SpanKindClient))
			db.InstanceSet(spanOfStatement, span)
		}
	}
	end := func(operation string) func(*gorm.DB) {
		return func(db *gorm.DB) {
			kept, ok := db.InstanceGet(spanOfStatement)
			if !ok {
				return
			}
			span := kept.(trace.Span)
			span.SetName(operation + " " + db.Statement.Table)
			span.SetAttributes(attribute.String("db.system.name", system), attribute.String("db.operation.name", operation),
				attribute.String("db.collection.name", db.Statement.Table), attribute.String("db.query.text", db.Statement.SQL.String()))
			if db.Error != nil && !errors.Is(db.Error, gorm.ErrRecordNotFound) {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}
	}
	callback := g.Callback()
	const before, after = "healthcare:before", "healthcare:after"
	return errors.Join(
		callback.Query().Before("*").Register(before, begin), callback.Query().After("*").Register(after, end("SELECT")),
		callback.Row().Before("*").Register(before, begin), callback.Row().After("*").Register(after, end("SELECT")),
		callback.Raw().Before("*").Register(before, begin), callback.Raw().After("*").Register(after, end("EXECUTE")),
		callback.Create().Before("*").Register(before, begin), callback.Create().After("*").Register(after, end("INSERT")),
		callback.Update().Before("*").Register(before, begin), callback.Update().After("*").Register(after, end("UPDATE")),
		callback.Delete().Before("*").Register(before, begin), callback.Delete().After("*").Register(after, end("DELETE")),
	)
}
