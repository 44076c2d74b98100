package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
)

// client uses a service and scrapes it.
type client struct {
	t *testing.T
	*http.Client
	url, metrics string
}

func open(t *testing.T) *client {
	registry := prometheus.NewRegistry()
	handler, err := newService(registry, &store.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	server, scraped := httptest.NewTLSServer(handler), httptest.NewServer(newMetrics(registry))
	t.Cleanup(server.Close)
	t.Cleanup(scraped.Close)
	c := &client{t, server.Client(), server.URL, scraped.URL}
	c.Jar, _ = cookiejar.New(nil)
	return c
}

func (c *client) do(method, path string, form url.Values, header ...string) int {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for ; len(header) > 0; header = header[2:] {
		r.Header.Set(header[0], header[1])
	}
	response, err := c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func (c *client) login(path, user string) {
	c.t.Helper()
	if status := c.do("POST", path, url.Values{"user": {user}, "password": {"correct horse"}}); status != http.StatusOK {
		c.t.Fatalf("login: %d", status)
	}
}

// scrape returns the series and their values, as Prometheus reads them.
func (c *client) scrape() map[string]string {
	c.t.Helper()
	response, err := http.Get(c.metrics + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		c.t.Fatalf("%d %v", response.StatusCode, err)
	}
	series := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok {
			series[name+"}"] = value
		}
	}
	return series
}

func series(kind auth.EventKind, mode, reason string) string {
	return fmt.Sprintf("auth_events_total{kind=%q,reason=%q,source=%q}", kind, reason, mode)
}

func TestWhatHappensIsCounted(t *testing.T) {
	c := open(t)
	c.login("/login", "alice")
	c.do("GET", "/me", nil)
	c.do("GET", "/reports", nil)
	c.do("GET", "/reports", nil)
	for range 6 {
		c.do("POST", "/login", url.Values{"user": {"bob"}, "password": {"battery staple"}})
	}
	c.do("POST", "/logout", nil, "Origin", "https://elsewhere.example")
	c.do("POST", "/logout", nil)
	c.do("GET", "/me", nil, "Authorization", "Bearer made.up.token")
	c.login("/token/login", "alice")
	c.do("POST", "/token/refresh", nil, "Refresh-Attempt", "0123456789abcdefghijkl")
	c.do("POST", "/token/logout", nil, "Refresh-Attempt", "0123456789abcdefghijkl")
	want := map[string]string{
		series(auth.EventLogin, "session", ""):                        "1",
		series(auth.EventDenied, "guard", "insufficient scope"):       "2",
		series(auth.EventRejected, "session", "cross-origin request"): "1",
		series(auth.EventFailed, "throttle", ""):                      "5",
		series(auth.EventThrottled, "throttle", "account"):            "1",
		series(auth.EventLogout, "session", ""):                       "1",
		series(auth.EventRejected, "token", "malformed token"):        "1",
		series(auth.EventLogin, "token", ""):                          "1",
		series(auth.EventRenewed, "token", ""):                        "1",
		series(auth.EventLogout, "token", ""):                         "1",
	}
	if got := c.scrape(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// For any requests, the number of series is that of the kinds of events, and the labels
// contain no names.
func TestClientsMakeNoSeries(t *testing.T) {
	c := open(t)
	hostile := func(i int) {
		name := fmt.Sprintf("canary-%d", i)
		c.Jar, _ = cookiejar.New(nil)
		c.do("POST", "/login", url.Values{"user": {name}, "password": {name}})
		c.login("/login", name)
		c.do("GET", "/reports", nil)
		c.do("POST", "/logout", nil, "Origin", "https://"+name+".example")
		c.do("POST", "/logout", nil)
		c.login("/token/login", name)
		c.do("POST", "/token/refresh", nil, "Refresh-Attempt", fmt.Sprintf("canary-%016d", i))
		c.do("POST", "/token/logout", nil, "Refresh-Attempt", fmt.Sprintf("canary-%016d", i))
		for _, credential := range []string{
			name, fmt.Sprintf("%043d", i), name + "." + name + "." + name,
			"eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImNhbmFyeSJ9.e30." + strings.Repeat("A", 86),
			"authlatch_refresh_" + fmt.Sprintf("%075d", i),
		} {
			c.do("GET", "/me", nil, "Authorization", "Bearer "+credential)
			c.do("GET", "/me", nil, "Authorization", credential)
			c.do("GET", "/me", nil, "Cookie", "__Host-Http-session="+credential)
			c.do("GET", "/me", nil, "Cookie", `__Host-Http-session="`+credential)
			c.do("POST", "/token/refresh", nil, "Cookie", "__Host-Http-refresh="+credential, "Refresh-Attempt", fmt.Sprintf("canary-%016d", i))
		}
	}
	hostile(0)
	known := c.scrape()
	for i := range 20 {
		hostile(i + 1)
	}
	if got := c.scrape(); len(got) != len(known) || len(known) < 10 {
		t.Errorf("%d series became %d: %v", len(known), len(got), got)
	}
	for name := range known {
		if strings.Contains(name, "canary") {
			t.Errorf("%s has what a client has sent", name)
		}
	}
}

// Events without a request are counted with fixed values too.
func TestNoFieldButFixedWordsIsALabel(t *testing.T) {
	registry := prometheus.NewRegistry()
	events, err := countIn(registry)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		name := fmt.Sprint("canary-", i)
		events(t.Context(), auth.Event{Kind: auth.EventFault, Source: "session", Subject: name, LoginID: name, Err: errors.New(name)})
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 1 || families[0].GetMetric()[0].GetCounter().GetValue() != 100 {
		t.Errorf("%v %v", families, err)
	}
}

func TestTheCountsHaveAnAddressOfTheirOwn(t *testing.T) {
	c := open(t)
	if status := c.do("GET", "/metrics", nil); status != http.StatusNotFound {
		t.Errorf("a user of the service gets %d", status)
	}
}

func TestTwoListenersAreNotTakenForOne(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := countIn(registry); err != nil {
		t.Fatal(err)
	}
	if events, err := countIn(registry); err == nil || events != nil {
		t.Error("the second one counts as well")
	}
}
