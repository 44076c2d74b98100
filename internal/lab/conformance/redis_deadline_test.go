package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/redis/rueidis"
)

// More calls than the client can queue end when their contexts do, and when the
// server goes on, so does everything.
//
// The connection of one store is kept, so its calls have no other reason to end.
// Those of the other are given up when they are silent, as always: a call may
// then end with that error before its context has ended.
func TestRedisCallsEndWithTheirContext(t *testing.T) {
	server := servers.Redis(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr()}, AlwaysPipelining: true, DisableCache: true,
		PipelineMultiplex: -1, Dialer: net.Dialer{KeepAlive: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	kept, err := redisstore.New(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	n := openNear(t, server.URL())
	mustSwap(t, n, "k", nil, []byte("v"), time.Minute)
	before := runtime.NumGoroutine()
	server.Pause()
	for _, err := range manyCalls(t, kept.Get, kept) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of a server that is paused: %v", err)
		}
	}
	for _, get := range []getter{n.Get, n.GetCached} {
		for _, err := range manyCalls(t, get, n) {
			wantError(t, "of a server that is paused", err)
		}
	}
	_, _, err = n.Get(context.Background(), "k")
	wantError(t, "without a deadline", err)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := kept.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	server.Resume()
	for _, get := range []getter{n.Get, n.GetCached, kept.Get} {
		waitFor(t, func() bool { _, ok, err := get(t.Context(), "k"); return ok && err == nil })
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before+20 }) // of other connections
}

type getter func(ctx context.Context, key string) ([]byte, bool, error)

// manyCalls makes 3000 calls with a deadline after 300 ms each, and returns their
// errors.
func manyCalls(t *testing.T, get getter, s store.Store) []error {
	errs := make([]error, 3000)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			switch key := fmt.Sprint("k", i); i % 3 {
			case 0:
				_, _, errs[i] = get(ctx, key)
			case 1:
				_, errs[i] = s.CompareAndSwap(ctx, key, nil, []byte("v"), time.Minute)
			case 2:
				errs[i] = s.Delete(ctx, key)
			}
		})
	}
	group.Wait()
	return errs
}

// A driver that tried again would say that a swap has not happened which has.
func TestRedisWritesAreNeverTriedAgain(t *testing.T) {
	server := servers.Redis(t)
	way := servers.NewProxy(t, server.Addr())
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{way.Addr()}, AlwaysPipelining: true, PipelineMultiplex: -1, // one connection
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s, err := redisstore.New(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	direct := openRedis(t, server.URL())
	mustSwap(t, s, "swapped", nil, []byte("old"), time.Minute)
	before := commands(server)
	lost := func(write func() error) {
		t.Helper()
		waitFor(t, func() bool { _, _, err := s.Get(t.Context(), "any"); return err == nil }) // it is connected
		way.DropAnswers(true)
		wantError(t, "a write whose answer is lost", write())
		way.DropAnswers(false)
	}
	lost(func() error {
		return second(s.CompareAndSwap(t.Context(), "swapped", []byte("old"), []byte("new"), time.Minute))
	})
	lost(func() error { return second(s.CompareAndSwap(t.Context(), "created", nil, []byte("new"), time.Minute)) })
	wantValue(t, direct, "swapped", "new")
	wantValue(t, direct, "created", "new")
	lost(func() error { return s.Delete(t.Context(), "created") })
	wantValue(t, direct, "created", "")
	after := commands(server)
	for command, want := range map[string]int{"evalsha": 1, "set": 2, "del": 1} { // the script makes a SET as well
		if calls := after[command] - before[command]; calls != want {
			t.Errorf("%d calls of %s, want %d", calls, command, want)
		}
	}
}

func TestRedisCloseEndsGoroutinesAndConnections(t *testing.T) {
	server := servers.Redis(t)
	time.Sleep(100 * time.Millisecond)
	goroutines, connections := runtime.NumGoroutine(), len(server.Clients())
	for range 5 {
		n, err := redisstore.OpenNear(t.Context(), server.URL())
		if err != nil {
			t.Fatal(err)
		}
		mustSwap(t, n, "k", nil, []byte("v"), time.Minute)
		wantCached(t, n, "k", "v")
		if err := n.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		n.Close()
		n.Close() // once more does no harm
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines && len(server.Clients()) <= connections })
}
