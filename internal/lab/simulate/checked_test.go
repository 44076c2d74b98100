package simulate_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/simulate"
	"github.com/authlatch/auth/store"
)

// A kept store knows which keys it has. It fails or forgets after a number of swaps.
type kept struct {
	store.Memory
	mu     sync.Mutex
	keys   map[string]bool
	swaps  int
	fails  int // the swap from which on it fails
	forget int // the swap that is lost
}

var errDown = errors.New("the server is down")

func (k *kept) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[key] = true
	switch k.swaps++; {
	case k.fails > 0 && k.swaps >= k.fails:
		return false, errDown
	case k.swaps == k.forget:
		value, ok, err := k.Memory.Get(ctx, key)
		return ok == (old != nil) && string(value) == string(old), err
	}
	return k.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func TestAScheduleLeavesNothing(t *testing.T) {
	s := &kept{keys: make(map[string]bool)}
	for n := range uint64(20) {
		if _, _, err := simulate.Try(t, s, 1, n); err != nil {
			t.Fatal(err)
		}
	}
	for key := range maps.Keys(s.keys) {
		if _, ok, err := s.Get(t.Context(), key); ok || err != nil {
			t.Errorf("a record is left, %v", err)
		}
	}
	for start := time.Now(); strings.Contains(stacks(), "simulate.newOutside"); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("a goroutine is left:\n%s", stacks())
		}
	}
}

func stacks() string {
	buffer := make([]byte, 1<<20)
	return string(buffer[:runtime.Stack(buffer, true)])
}

func TestAWrongStoreIsNamed(t *testing.T) {
	for n := range uint64(10) {
		down := &kept{keys: make(map[string]bool), fails: 4}
		if _, _, err := simulate.Try(t, down, 1, n); !errors.Is(err, errDown) || !strings.Contains(err.Error(), "the store returned an error: CompareAndSwap: ") {
			t.Errorf("a store that is down: %v", err)
		}
		forgets := &kept{keys: make(map[string]bool), forget: 3}
		if _, _, err := simulate.Try(t, forgets, 1, n); err == nil || !strings.Contains(err.Error(), "the store is wrong: ") {
			t.Errorf("a store that forgets a write: %v", err)
		}
	}
}
