package conformance

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/redis/rueidis"
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

func TestRedisGetAllocatesAtMost8Times(t *testing.T) {
	ours, bare := redisGets(t)
	o, b := testing.AllocsPerRun(2000, ours), testing.AllocsPerRun(2000, bare)
	t.Logf("a Get allocates %v times, a bare call of the client %v times", o, b)
	if o > 8 {
		t.Errorf("a Get allocates %v times", o)
	}
}

func BenchmarkRedisGet(b *testing.B) {
	ours, bare := redisGets(b)
	for name, get := range map[string]func(){"Store": ours, "Bare": bare} {
		b.Run(name+"/one", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				get()
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					get()
				}
			})
		})
	}
}

// redisGets returns two ways to read one record, with the context of a request:
// a Store, and a client with the options of the Store's.
func redisGets(t testing.TB) (ours, bare func()) {
	t.Helper()
	server := servers.Redis(t)
	s := openRedis(t, server.URL())
	mustSwap(t, s, "k", nil, make([]byte, 150), time.Hour)
	option := rueidis.MustParseURL(server.URL())
	option.DisableCache, option.AlwaysPipelining = true, true
	client, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ours = func() {
		if _, ok, err := s.Get(ctx, "k"); !ok || err != nil {
			t.Error(ok, err)
		}
	}
	bare = func() {
		if _, err := client.Do(ctx, client.B().Get().Key("authlatch:k").Build()).AsBytes(); err != nil {
			t.Error(err)
		}
	}
	return ours, bare
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
