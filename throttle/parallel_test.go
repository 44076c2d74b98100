package throttle_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// servers are limiters of several hosts over one store.
func servers(t testing.TB, n int, c throttle.Config) []*door {
	if c.Store == nil {
		c.Store = &store.Memory{}
	}
	var doors []*door
	for range n {
		doors = append(doors, newDoor(t, c))
	}
	return doors
}

func checks(doors []*door) (n int) {
	for _, d := range doors {
		n += d.checks
	}
	return n
}

// atOnce runs n attempts at the same time, spread over the servers, and returns
// the number of each outcome.
func atOnce(doors []*door, n int, attempt func(i int, d *door) string) map[string]int {
	var all sync.WaitGroup
	var mu sync.Mutex
	ended, start := make(map[string]int), make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			got := attempt(i, doors[i%len(doors)])
			mu.Lock()
			defer mu.Unlock()
			ended[got]++
		})
	}
	close(start)
	all.Wait()
	return ended
}

// ASVS 5.0, 2.4.1 and 6.3.1: of a thousand concurrent requests from many addresses to
// several servers, only five are checked. The owner can log in meanwhile.
func TestAThousandAttemptsAtOnceOnOneAccount(t *testing.T) {
	doors := servers(t, 4, throttle.Config{Sealer: newSealer(t)})
	owner := from(0)
	doors[0].expect("right", owner, "alice", true)
	ended := atOnce(doors, 1001, func(i int, d *door) string {
		if i > 0 {
			return d.try(from(i), "alice", false)
		}
		for range 10 {
			if got := d.try(owner, "alice", true); got != "right" {
				return "the owner is " + got
			}
		}
		return "owner"
	})
	if ended["wrong"] != 5 || ended["throttled"] != 995 || ended["owner"] != 1 || checks(doors) != 1+10+5 {
		t.Errorf("%v, %d checks", ended, checks(doors))
	}
}

func TestAThousandAttemptsAtOnceFromOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doors := servers(t, 4, throttle.Config{Store: &slow{}}) // so that all look before any counts
		tried := make([]atomic.Bool, 1000)
		ended := atOnce(doors, 1000, func(i int, d *door) string {
			got := d.try(from(1), fmt.Sprint("account ", i), false)
			tried[i].Store(got == "wrong")
			return got
		})
		if ended["wrong"] != 100 || ended["throttled"] != 900 || checks(doors) != 100 {
			t.Errorf("%v, %d checks", ended, checks(doors))
		}
		// Attempts that the address refuses make no account wait.
		for i := range tried {
			want := map[bool]int{true: 4, false: 5}[tried[i].Load()]
			if got := doors[0].left(func(j int) *guest { return from(2 + i) }, fmt.Sprint("account ", i), true); got != want {
				t.Fatalf("account %d has %d attempts left, want %d", i, got, want)
			}
		}
	})
}

func TestAThousandAttemptsAtOnceOnOneDevice(t *testing.T) {
	doors := servers(t, 4, throttle.Config{Sealer: newSealer(t)})
	owner := from(0)
	doors[0].expect("right", owner, "alice", true)
	ended := atOnce(doors, 1000, func(_ int, d *door) string {
		known := *owner
		return d.try(&known, "alice", false)
	})
	if ended["wrong"] != 5 || ended["throttled"] != 995 {
		t.Errorf("%v", ended)
	}
	doors[0].wrongs(from(1), "alice", 5)
}

// At the end of a wait only one of any number of concurrent attempts is admitted.
func TestOneAttemptPassesAtTheEndOfEachWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doors := servers(t, 3, throttle.Config{})
		ended := atOnce(doors, 50, func(i int, d *door) string { return d.try(from(i), "alice", false) })
		if ended["wrong"] != 5 {
			t.Fatal(ended)
		}
		for wait := 30 * time.Second; wait <= time.Hour; wait *= 2 {
			time.Sleep(wait)
			ended := atOnce(doors, 50, func(i int, d *door) string { return d.try(from(i), "alice", false) })
			if ended["wrong"] != 1 || ended["throttled"] != 49 {
				t.Errorf("after %v: %v", wait, ended)
			}
		}
	})
}

// Right and wrong attempts and failing checks run concurrently. In the end, the attempts
// that failed after the last success are counted.
func TestNothingIsLostAmongParallelAttempts(t *testing.T) {
	doors := servers(t, 3, throttle.Config{Failures: 100})
	for round := range 20 {
		account := fmt.Sprint("account ", round)
		ended := atOnce(doors, 60, func(i int, d *door) string {
			if i%3 == 0 {
				return d.unable(from(i), account)
			}
			return d.try(from(i), account, false)
		})
		if ended["wrong"] != 40 || ended["unable"] != 20 {
			t.Fatal(ended)
		}
		doors[0].wrongs(from(1000+round), account, 60)
		doors[0].expect("throttled", from(2), account, true)
	}
}

// A refusal costs two reads at most, and no write.
func TestARefusalWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		d := newDoor(t, throttle.Config{Store: s, Sealer: newSealer(t)})
		owner := from(0)
		d.expect("right", owner, "alice", true)
		d.wrongs(owner, "alice", 5)
		d.wrongs(from(1), "alice", 5)
		for i := range 95 {
			d.wrongs(from(1), fmt.Sprint("account ", i), 1)
		}
		s.calls.Store(0)
		s.swaps.Store(0)
		for range 10 {
			d.expect("throttled", owner, "alice", true)
			d.expect("throttled", from(2), "alice", true)
			d.expect("throttled", from(1), "bob", true)
		}
		if reads, writes := s.calls.Load(), s.swaps.Load(); reads > 10*(1+1+2) || writes != 0 {
			t.Errorf("%d calls, %d of them swaps", reads, writes)
		}
	})
}

// slow is a store that takes a millisecond for each call, and counts them.
type slow struct {
	store.Memory
	calls, swaps atomic.Int64
}

func (s *slow) Get(ctx context.Context, key string) ([]byte, bool, error) {
	s.calls.Add(1)
	time.Sleep(time.Millisecond)
	return s.Memory.Get(ctx, key)
}

func (s *slow) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	s.calls.Add(1)
	s.swaps.Add(1)
	time.Sleep(time.Millisecond)
	return s.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

// The store calls of a flood grow with the number of attempts, not with its square, and
// every attempt ends within its deadline.
func TestAFloodCostsTheStoreFewCalls(t *testing.T) {
	for rule, attempt := range map[string]func(i int, d *door) string{
		"of one account":               func(i int, d *door) string { return d.try(from(i), "alice", false) },
		"from one address":             func(i int, d *door) string { return d.try(from(0), fmt.Sprint("account ", i), false) },
		"of one account, by its owner": func(i int, d *door) string { return d.try(from(0), "alice", true) },
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{}
				ended := atOnce(servers(t, 1, throttle.Config{Store: s, Failures: 100}), 1000, attempt)
				if calls := s.calls.Load(); calls > 8*1000 || ended["no answer"] > 0 {
					t.Errorf("%d calls, %v", calls, ended)
				} else {
					t.Logf("%d calls, %v", calls, ended)
				}
			})
		})
	}
}
