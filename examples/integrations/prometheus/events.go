package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authlatch/auth"
)

// countIn returns a hook that counts events. Kind, source and reason have fixed values, so
// there are only some dozens of series for any requests of clients. Do not use the subject
// or the login as a label, because that would create a series for each.
//
// Alert on kind "reuse", and on a continuing kind "fault".
func countIn(registry prometheus.Registerer) (func(context.Context, auth.Event), error) {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auth_events_total",
		Help: "Logins, their ends, refusals and faults.",
	}, []string{"kind", "source", "reason"})
	if err := registry.Register(events); err != nil {
		return nil, err
	}
	return func(_ context.Context, e auth.Event) {
		events.WithLabelValues(string(e.Kind), e.Source, e.Reason).Inc()
	}, nil
}
