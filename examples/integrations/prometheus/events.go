package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authlatch/auth"
)

// countIn returns a listener that counts events. Kind, mode and reason are fixed
// words, so there are some dozens of series whatever clients send; a subject or a
// log-in as a label would make one for each.
//
// To be woken up for: kind "reuse", and kind "fault" that goes on.
func countIn(registry prometheus.Registerer) (func(context.Context, auth.Event), error) {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auth_events_total",
		Help: "Log-ins, their ends, refusals and faults.",
	}, []string{"kind", "source", "reason"})
	if err := registry.Register(events); err != nil {
		return nil, err
	}
	return func(_ context.Context, e auth.Event) {
		events.WithLabelValues(string(e.Kind), e.Source, e.Reason).Inc()
	}, nil
}
