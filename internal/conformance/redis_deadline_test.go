package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/conformance/servers"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/redis/rueidis"
)

// More calls than the client can queue end in time, and when the server goes
// on, so does everything.
func TestRedisCallsEndWithTheirContext(t *testing.T) {
	const calls = 3000
	server := servers.Redis(t)
	n := openNear(t, server.URL())
	mustSwap(t, n, "k", nil, []byte("v"), time.Minute)
	before := runtime.NumGoroutine()
	server.Pause()
	var slowest slowest
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			var err error
			switch key := fmt.Sprint("k", i); i % 4 {
			case 0:
				_, _, err = n.Get(ctx, key)
			case 1:
				_, _, err = n.GetCached(ctx, key)
			case 2:
				_, err = n.CompareAndSwap(ctx, key, nil, []byte("v"), time.Minute)
			case 3:
				err = n.Delete(ctx, key)
			}
			slowest.note(time.Since(start))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("of a server that is paused: %v", err)
			}
		})
	}
	group.Wait()
	if slowest.time > 2*time.Second {
		t.Errorf("a call with a deadline of 300 ms took %v", slowest.time)
	}
	start := time.Now()
	_, _, err := n.Get(context.Background(), "k")
	wantError(t, "without a deadline", err)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("without a deadline: %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start = time.Now()
	if _, err := n.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("cancelled: %v", took)
	}
	server.Resume()
	waitFor(t, func() bool { _, ok, err := n.Get(t.Context(), "k"); return ok && err == nil })
	waitFor(t, func() bool { _, ok, err := n.GetCached(t.Context(), "k"); return ok && err == nil })
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before+20 }) // of other connections
}

type slowest struct {
	mu   sync.Mutex
	time time.Duration
}

func (s *slowest) note(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = max(s.time, took)
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
