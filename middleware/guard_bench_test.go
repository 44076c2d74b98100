package middleware_test

import (
	"net/http"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// bare sets one header, as most handlers do.
var bare = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
})

// encoding is the Vary of a compressing middleware outside of the guard.
var encoding = []string{"Accept-Encoding"}

// discard is a ResponseWriter that has a new header for each response.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// A guard costs two allocations, the copy of the request and its context. The same
// guard nested within it costs none. An anonymous request costs one, for Vary,
// because it has no context of its own.
func TestGuardAllocations(t *testing.T) {
	guard := &middleware.Guard{Authenticator: valid}
	allocations := func(h http.Handler) float64 {
		r := get("/me")
		return testing.AllocsPerRun(1000, func() {
			w := &discard{make(http.Header)}
			w.header["Vary"] = encoding
			h.ServeHTTP(w, r)
		})
	}
	floor := allocations(bare)
	if floor == 0 {
		t.Fatal("the bare handler allocates nothing: the measurement does not work")
	}
	for name, h := range map[string]http.Handler{
		"Require":      guard.Require(bare),
		"Optional":     guard.Optional(bare),
		"RequireScope": guard.RequireScope("read delete")(bare),
		"nested":       guard.Require(guard.RequireScope("read")(guard.Optional(bare))),
		"AnyOf":        (&middleware.Guard{Authenticator: middleware.AnyOf(valid, none)}).Require(bare),
	} {
		if got := allocations(h) - floor; got != 2 {
			t.Errorf("%s: %v allocations more than the bare handler, want 2", name, got)
		}
	}
	masked := (&middleware.Guard{Authenticator: always(auth.Identity{}, auth.ErrNoCredential)}).Optional(bare)
	if got := allocations(masked) - floor; got != 1 {
		t.Errorf("anonymous: %v allocations more than the bare handler, want 1", got)
	}
}

func BenchmarkGuard(b *testing.B) {
	guard := &middleware.Guard{Authenticator: valid}
	for _, each := range []struct {
		name string
		h    http.Handler
	}{
		{"Bare", bare},
		{"Require", guard.Require(bare)},
		{"RequireScope", guard.RequireScope("delete")(bare)},
		{"Nested", guard.Require(guard.RequireScope("delete")(bare))},
		{"Anonymous", (&middleware.Guard{Authenticator: none}).Optional(bare)},
	} {
		b.Run(each.name, func(b *testing.B) {
			r := get("/me")
			b.ReportAllocs()
			for b.Loop() {
				each.h.ServeHTTP(&discard{make(http.Header)}, r)
			}
		})
	}
}
