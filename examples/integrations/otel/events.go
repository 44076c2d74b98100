package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/authlatch/auth"
)

// reportTo returns a hook that counts events and adds each to the span in its context.
//
// Kind, source and reason have fixed values, so there are only some dozens of series. A trace
// also has the login ID, which does not identify the user; the logs have its subject.
func reportTo(provider metric.MeterProvider) (func(context.Context, auth.Event), error) {
	events, err := provider.Meter("github.com/authlatch/auth").Int64Counter("auth.events",
		metric.WithDescription("Logins, their ends, refusals and faults."), metric.WithUnit("{event}"))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e auth.Event) {
		about := []attribute.KeyValue{attribute.String("auth.kind", string(e.Kind)), attribute.String("auth.source", e.Source)}
		if e.Reason != "" {
			about = append(about, attribute.String("auth.reason", e.Reason))
		}
		events.Add(ctx, 1, metric.WithAttributes(about...)) // ctx links the count to the trace
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
