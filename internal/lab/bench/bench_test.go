//go:build !race

// The race detector changes what is measured here.

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		exitOn(child(os.Args[2:], os.Stdin, os.Stdout))
		return
	}
	os.Exit(m.Run())
}

// A disturbed run is repeated: what is always too slow fails each time.
func TestSessionReadIsFarFasterThanThatOfScs(t *testing.T) {
	for range 5 {
		p, err := openMemory(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		sites, err := p.sites()
		if err != nil {
			t.Fatal(err)
		}
		b := little()
		b.rounds = 101
		if err := b.reads(t.Context(), b.effort, p, sites); err != nil {
			t.Fatal(err)
		}
		rows := b.group("read", "", 1)
		bare, ours, scs := rows[0], rows[1], rows[2]
		more := ours.allocs - bare.allocs
		t.Logf("scs takes %.1f times as long; %.1f allocations more than the bare handler", scs.toOurs, more)
		if more > 5.5 { // what the runtime does meanwhile is counted too
			t.Errorf("%.1f allocations more than the bare handler, want 5 at most", more)
		}
		if scs.toOurs >= 5 {
			return
		}
	}
	t.Error("want 5 times at least")
}

func TestVerifyingAgainIsFarFasterThanTheMiddlewareOfOthers(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all, err := keyPair{key, jwt.SigningMethodES256}.middlewares()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		m, err := group{"request", "ES256", 1, all}.measure(t.Context(), effort{31, time.Millisecond / 4})
		if err != nil {
			t.Fatal(err)
		}
		if more := m.rows[1].allocs - m.rows[0].allocs; more > 2.5 { // what the runtime does meanwhile is counted too
			t.Errorf("%.1f allocations more than the bare handler, want 2 at most", more)
		}
		if len(m.rows) != 8 {
			t.Fatalf("%d rows, want 8", len(m.rows))
		}
		slowEnough := func(r row) bool { return r.toOurs >= 5 }
		if peers := m.rows[4:]; !slices.ContainsFunc(peers, func(r row) bool { return !slowEnough(r) }) {
			return
		}
		t.Logf("%+v", m.rows)
	}
	t.Error("want 5 times at least")
}

// Every topic that needs no server works with little effort.
func TestTopicsAreMeasured(t *testing.T) {
	b := little()
	b.powers = 3
	for _, name := range []string{"tokens", "logins", "server", "growth"} {
		i := slices.IndexFunc(topics, func(t topic) bool { return t.name == name })
		if err := topics[i].measure(t.Context(), b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, o := range places[:2] { // without a server
		if err := b.visit(t.Context(), o); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	if len(b.missing) > 0 {
		t.Errorf("left out: %q", b.missing)
	}
	if len(b.groups) != 2*5+2*4 || len(b.costs) != 10 || len(b.servers) != len(served) || len(b.growth) != 2 {
		t.Errorf("%d groups, %d costs, %d servers, %d sizes", len(b.groups), len(b.costs), len(b.servers), len(b.growth))
	}
	for _, e := range b.results.ends {
		if e.latest != 0 {
			t.Errorf("%s in %s: a request was served %v after a logout", e.how, e.where, e.latest)
		}
	}
}

// Logins and refreshes cost no more calls of the store than is published.
func TestCallsOfTheStore(t *testing.T) {
	costs, err := storeCalls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range costs {
		t.Logf("%+v", c)
		reads := map[string]int{"sessions": 1, "tokens": 0, "tokens with RevocationCheck": 1}
		if c.what == "request" && (c.gets != reads[c.how] || c.swaps+c.deletions > 0) {
			t.Errorf("%+v", c)
		}
	}
}

func TestWhatIsNotInstalledIsLeftOut(t *testing.T) {
	b := little()
	for _, err := range []error{
		b.visit(t.Context(), opener{"nowhere", func(_ context.Context, h *host) (p place, err error) {
			return p, h.start(func() { h.Skipf("%s is missing", "server") })
		}}),
		b.visit(t.Context(), opener{"elsewhere", func(_ context.Context, h *host) (p place, err error) {
			return p, h.start(func() { h.Fatal("the port is taken") })
		}}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{"sessions in nowhere: server is missing", "sessions in elsewhere: the port is taken"}
	if !slices.Equal(b.missing, want) {
		t.Errorf("%q, want %q", b.missing, want)
	}
}
