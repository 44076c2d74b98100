package conformance

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/conformance/servers"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// With the near cache a read costs at most three times what it costs in memory.
func TestNearCacheReadIsAlmostOneOfMemory(t *testing.T) {
	const pairs, requests = 15, 2000
	memory := newReader(t, &store.Memory{})
	near := newReader(t, openNear(t, servers.Redis(t).URL()))
	var ratios []float64
	for range pairs {
		ratios = append(ratios, float64(near.times(t, requests))/float64(memory.times(t, requests)))
	}
	slices.Sort(ratios)
	t.Logf("a read through the near cache costs %.2f times a read in memory (median of %d pairs)", ratios[pairs/2], pairs)
	if ratios[pairs/2] > 3 {
		t.Error("want 3 times at most")
	}
	m, n := testing.AllocsPerRun(requests, memory.read), testing.AllocsPerRun(requests, near.read)
	if n > m {
		t.Errorf("%v allocations, in memory %v", n, m)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	url := servers.Redis(b).URL()
	for _, s := range []struct {
		name  string
		store store.Store
	}{
		{"Memory", &store.Memory{}},
		{"NearCache", openNear(b, url)},
		{"Redis", openRedis(b, url)},
	} {
		r := newReader(b, s.store)
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.read()
			}
		})
		b.Run(s.name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r.read()
				}
			})
		})
	}
}

// A reader is a browser that is logged in.
type reader struct {
	manager *session.Manager
	request *http.Request
	failed  error
}

func newReader(t testing.TB, s store.Store) *reader {
	t.Helper()
	m, err := session.New(session.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	var c client
	if err := c.login(t.Context(), m, "alice"); err != nil {
		t.Fatal(err)
	}
	r := &reader{manager: m, request: c.request(t.Context(), "GET")}
	r.read()
	if r.failed != nil {
		t.Fatal(r.failed)
	}
	return r
}

func (r *reader) read() {
	if _, err := r.manager.Authenticate(r.request); err != nil {
		r.failed = err
	}
}

func (r *reader) times(t testing.TB, requests int) time.Duration {
	t.Helper()
	start := time.Now()
	for range requests {
		r.read()
	}
	if r.failed != nil {
		t.Fatal(r.failed)
	}
	return time.Since(start)
}
