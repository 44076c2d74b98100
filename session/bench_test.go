package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// typical is what the numbers of the design are for.
var typical = auth.Identity{Subject: "subject-0001", Scopes: "read write admin", Methods: "pwd"}

// bare is a handler that sets one header itself.
var bare = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
})

// discard is a ResponseWriter that is used again and again.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// loggedInRequest returns a request of a typical login.
func loggedInRequest(t testing.TB, m *session.Manager) *http.Request {
	b := &browser{}
	check(t, b.loginWith(m, typical))
	return b.request("GET")
}

func TestAuthenticatedReadAllocatesFiveTimes(t *testing.T) {
	if raceEnabled {
		t.Log("not measured under the race detector")
		return
	}
	m := newManager(t, session.Config{})
	r := loggedInRequest(t, m)
	guarded := (&middleware.Guard{Authenticator: m}).Require(bare)
	allocations := func(h http.Handler) float64 {
		return testing.AllocsPerRun(1000, func() {
			w := make(discard, 4)
			h.ServeHTTP(w, r)
		})
	}
	more := allocations(guarded) - allocations(bare)
	t.Logf("%v allocations more than the bare handler", more)
	if more > 5 {
		t.Errorf("%v allocations more than the bare handler, want 5 at most", more)
	}
}

// TestLoginTakesAtMost306Bytes logs in 200,000 subjects, or a million if
// AUTH_LONG is 1, or 50,000 with -short.
func TestLoginTakesAtMost306Bytes(t *testing.T) {
	if raceEnabled {
		t.Log("not measured under the race detector")
		return
	}
	n := 200_000
	if os.Getenv("AUTH_LONG") == "1" {
		n = 1_000_000
	}
	if testing.Short() {
		n = 50_000
	}
	s := &store.Memory{}
	m := newManager(t, session.Config{Store: s})
	r := httptest.NewRequest("POST", "/", nil)
	before := heap()
	for i := range n {
		check(t, m.Login(make(discard, 4), r, auth.Identity{Subject: fmt.Sprintf("s%011d", i)}))
	}
	each := float64(heap()-before) / float64(n)
	runtime.KeepAlive(s)
	t.Logf("%.1f bytes for each of %d logins", each, n)
	if each > 306 {
		t.Errorf("%.1f bytes for each login, want 306 at most", each)
	}
}

// heap returns the bytes of live objects.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func BenchmarkAuthenticateBare(b *testing.B) {
	m := newManager(b, session.Config{})
	benchmark(b, bare, loggedInRequest(b, m))
}

func BenchmarkAuthenticateMemory(b *testing.B) {
	m := newManager(b, session.Config{})
	benchmark(b, (&middleware.Guard{Authenticator: m}).Require(bare), loggedInRequest(b, m))
}

func BenchmarkAuthenticateWithoutCookie(b *testing.B) {
	m := newManager(b, session.Config{})
	benchmark(b, (&middleware.Guard{Authenticator: m}).Optional(bare), (&browser{}).request("GET"))
}

func benchmark(b *testing.B, h http.Handler, r *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(make(discard, 4), r)
	}
}

func BenchmarkLogin(b *testing.B) {
	m := newManager(b, session.Config{Store: &store.Memory{MaxBytes: 1 << 40}})
	r := httptest.NewRequest("POST", "/", nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := typical
		id.Subject = fmt.Sprintf("s%011d", i)
		if err := m.Login(make(discard, 4), r, id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoginAgain(b *testing.B) {
	m := newManager(b, session.Config{})
	browser := &browser{}
	b.ReportAllocs()
	for b.Loop() {
		if err := browser.loginWith(m, typical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	m := newManager(b, session.Config{})
	s, err := m.Get(loggedInRequest(b, m))
	check(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Update(b.Context(), s, addOne); err != nil {
			b.Fatal(err)
		}
	}
}
