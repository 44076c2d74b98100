package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/authlatch/auth"
)

// reportTo returns a listener that counts events, and puts each onto the span in
// whose context it happened.
//
// Kind, mode and reason are fixed words, so there are some dozens of series. A
// trace has the log-in as well, which names nobody; whose it is stands in the
// logs.
func reportTo(provider metric.MeterProvider) (func(context.Context, auth.Event), error) {
	events, err := provider.Meter("github.com/authlatch/auth").Int64Counter("auth.events",
		metric.WithDescription("Log-ins, their ends, refusals and faults."), metric.WithUnit("{event}"))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e auth.Event) {
		about := []attribute.KeyValue{attribute.String("auth.kind", string(e.Kind)), attribute.String("auth.source", e.Source)}
		if e.Reason != "" {
			about = append(about, attribute.String("auth.reason", e.Reason))
		}
		events.Add(ctx, 1, metric.WithAttributes(about...)) // with ctx, a count leads to a trace
		span := trace.SpanFromContext(ctx)
		if e.LoginID != "" {
			about = append(about, attribute.String("auth.login_id", e.LoginID))
		}
		span.AddEvent("auth", trace.WithTimestamp(e.Time), trace.WithAttributes(about...))
		if e.Kind == auth.EventFault {
			span.RecordError(e.Err)
			span.SetStatus(codes.Error, "auth fault")
		}
	}, nil
}
