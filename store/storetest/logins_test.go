package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// A slow store waits in each call.
type slow struct {
	*store.Memory
	delay time.Duration
}

func (s slow) Get(ctx context.Context, key string) ([]byte, bool, error) {
	time.Sleep(s.delay)
	return s.Memory.Get(ctx, key)
}

func (s slow) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	time.Sleep(s.delay)
	return s.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (s slow) Delete(ctx context.Context, key string) error {
	time.Sleep(s.delay)
	return s.Memory.Delete(ctx, key)
}

// The time is that of a bubble. A bubble also fails if a goroutine is left.
func TestRulesOfSessionsEndInSecondsOnASlowStore(t *testing.T) {
	const delay, limit = 50 * time.Millisecond, 20 * time.Second
	rules := append(slices.Clone(loginGroups[0].rules), rule{"refreshes and a logout", refreshLogout})
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				rule.check(newKit(t, t, slow{&store.Memory{}, delay}, &store.Memory{}))
				if took := time.Since(start); took > limit {
					t.Errorf("the rule took %v", took)
				}
			})
		})
	}
}

// What RunLogins says about the records that it leaves. Schedules of refreshes leave none.
func TestRulesOfLoginsLeaveFewRecordsForAnHour(t *testing.T) {
	var mu sync.Mutex
	longest, keys := time.Duration(0), make(map[string]bool)
	for _, rule := range append(slices.Clone(loginGroups[0].rules), rule{"refreshes and a logout", refreshLogout}) {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{Memory: &store.Memory{}}
			b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
				mu.Lock()
				longest, keys[key] = max(longest, ttl), true
				mu.Unlock()
				return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			}
			rule.check(newKit(t, t, b, &store.Memory{}))
		})
	}
	if longest > time.Hour || len(keys) > 500 {
		t.Errorf("%d records, which live for up to %v", len(keys), longest)
	}
	t.Logf("%d records, which live for up to %v", len(keys), longest)
}

// A nearCache is stale only where a contract allows it: in GetCached.
type nearCache struct{ *broken }

func (n nearCache) GetCached(ctx context.Context, key string) ([]byte, bool, error) {
	return n.broken.get(ctx, key)
}

func (n nearCache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	return n.Memory.Get(ctx, key)
}

func TestRulesOfSessionsAcceptANearCache(t *testing.T) {
	for _, rule := range loginGroups[0].rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			one := nearCache{&broken{Memory: &store.Memory{}}}
			other := nearCache{&broken{Memory: one.Memory}}
			staleReads(one.broken)
			staleReads(other.broken)
			if failures := failuresOf(t, rule.check, one, other); len(failures) > 0 {
				t.Errorf("%q", failures)
			}
		})
	}
}
