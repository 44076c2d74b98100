package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
)

// telemetry is the data that a collector would receive.
type telemetry struct {
	spans   *tracetest.InMemoryExporter
	reader  *metric.ManualReader
	traces  *trace.TracerProvider
	metrics *metric.MeterProvider
}

func collect() *telemetry {
	o := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	o.traces = trace.NewTracerProvider(trace.WithSyncer(o.spans))
	o.metrics = metric.NewMeterProvider(metric.WithReader(o.reader))
	return o
}

// counts returns the number of each event, as "mode: kind, reason", and the traces that are
// linked to the counts.
func (o *telemetry) counts(t *testing.T) (counts map[string]int64, traces map[string]string) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts, traces = make(map[string]int64), make(map[string]string)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "auth.events" {
				continue
			}
			for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
				name := spell(point.Attributes.ToSlice())
				counts[name] = point.Value
				for _, exemplar := range point.Exemplars {
					traces[name] = fmt.Sprintf("%x", exemplar.TraceID)
				}
			}
		}
	}
	return counts, traces
}

func spell(attributes []attribute.KeyValue) string {
	set := make(map[attribute.Key]string)
	for _, a := range attributes {
		set[a.Key] = a.Value.AsString()
	}
	text := set["auth.source"] + ": " + set["auth.kind"]
	if reason, ok := set["auth.reason"]; ok {
		text += ", " + reason
	}
	return text
}

func TestWhatHappensIsCountedAndStandsInItsTrace(t *testing.T) {
	o := collect()
	handler, err := newService(o.traces, o.metrics, &store.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	client := server.Client()
	client.Jar, _ = cookiejar.New(nil)
	account := url.Values{"user": {"alice"}, "password": {"correct horse"}}
	want := make(map[string]int64)
	for _, c := range []struct {
		method, path, header, value string
		form                        url.Values
		want                        []string
	}{
		{"POST", "/login", "", "", account, []string{"session: login"}},
		{"GET", "/me", "", "", nil, nil},
		{"POST", "/login", "", "", url.Values{"user": {"alice"}}, []string{"throttle: failed"}},
		{"GET", "/reports", "", "", nil, []string{"guard: denied, insufficient scope"}},
		{"POST", "/logout", "Origin", "https://elsewhere.example", nil, []string{"session: rejected, cross-origin request"}},
		{"POST", "/logout", "", "", nil, []string{"session: logout"}},
		{"GET", "/me", "Authorization", "Bearer made.up.token", nil, []string{"token: rejected, malformed token"}},
		{"POST", "/token/login", "", "", account, []string{"token: login"}},
		{"POST", "/token/logout", "Refresh-Attempt", "0123456789abcdefghijkl", nil, []string{"token: logout"}},
	} {
		o.spans.Reset()
		r, err := http.NewRequest(c.method, server.URL+c.path, strings.NewReader(c.form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		var recorded []string
		var traceID string
		for _, span := range o.spans.GetSpans() {
			traceID = span.SpanContext.TraceID().String()
			if name := c.method + " " + c.path; span.Name != name {
				t.Errorf("%s: the span is called %q", name, span.Name)
			}
			for _, event := range span.Events {
				if event.Name == "auth" {
					recorded = append(recorded, spell(event.Attributes))
				}
				if event.Time.Before(span.StartTime) || event.Time.After(span.EndTime) {
					t.Errorf("%s %s: an event outside of its span", c.method, c.path)
				}
			}
			if text := fmt.Sprintf("%+v", span.Events); strings.Contains(text, "alice") {
				t.Errorf("%s %s: a name is in the trace: %s", c.method, c.path, text)
			}
		}
		if !slices.Equal(recorded, c.want) {
			t.Errorf("%s %s: the trace has %q, want %q", c.method, c.path, recorded, c.want)
		}
		_, traces := o.counts(t)
		for _, event := range c.want {
			want[event]++
			if traces[event] != traceID {
				t.Errorf("%s %s: the count leads to the trace %q, not %q", c.method, c.path, traces[event], traceID)
			}
		}
	}
	if got, _ := o.counts(t); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestAFaultMakesItsSpanAnError(t *testing.T) {
	o := collect()
	events, err := reportTo(o.metrics)
	if err != nil {
		t.Fatal(err)
	}
	for kind, code := range map[auth.EventKind]codes.Code{auth.EventFault: codes.Error, auth.EventRejected: codes.Unset} {
		o.spans.Reset()
		ctx, span := o.traces.Tracer("").Start(t.Context(), "a request")
		events(ctx, auth.Event{Kind: kind, Time: time.Now(), Source: "session", Err: errors.New("store: down")})
		span.End()
		if got := o.spans.GetSpans()[0].Status.Code; got != code {
			t.Errorf("%s: %v, want %v", kind, got, code)
		}
	}
}

// Events outside of a request, such as a failing key server, are counted.
func TestWithoutASpanAnEventIsCounted(t *testing.T) {
	o := collect()
	events, err := reportTo(o.metrics)
	if err != nil {
		t.Fatal(err)
	}
	events(context.Background(), auth.Event{Kind: auth.EventFault, Source: "token", Reason: "keys not fetched", Err: errors.New("down")})
	if got, _ := o.counts(t); !maps.Equal(got, map[string]int64{"token: fault, keys not fetched": 1}) {
		t.Errorf("counted %v", got)
	}
}
