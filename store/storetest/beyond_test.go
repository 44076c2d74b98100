package storetest

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

func TestMemoryKeepsLongLives(t *testing.T) {
	RunLongLives(t, func(*testing.T) store.Store { return &store.Memory{} })
}

func TestRunLongLivesSeesATTLOfADayAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broken{Memory: &store.Memory{}}
		useTTL(func(ttl time.Duration) time.Duration { return min(ttl, 24*time.Hour) })(b)
		if failures := failuresOf(t, func(k *kit) { longLived(k, 36*time.Hour) }, b); len(failures) == 0 {
			t.Error("the rule does not see the mistake")
		}
	})
}

// A locked store blocks writes until its lock is released.
type locked struct {
	*store.Memory
	lock     chan struct{}
	deadline bool          // whether a call ends with its context
	bound    time.Duration // how long a call waits at most; 0: forever
}

func (l *locked) wait(ctx context.Context) error {
	if !l.deadline {
		ctx = context.WithoutCancel(ctx)
	}
	if l.bound > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.bound)
		defer cancel()
	}
	select {
	case l.lock <- struct{}{}:
		<-l.lock
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *locked) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if err := l.wait(ctx); err != nil {
		return false, err
	}
	return l.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (l *locked) Delete(ctx context.Context, key string) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	return l.Memory.Delete(ctx, key)
}

func (l *locked) block(string) func() {
	l.lock <- struct{}{}
	return sync.OnceFunc(func() { <-l.lock })
}

func TestRunBlockedAcceptsAStoreThatHeedsDeadlines(t *testing.T) {
	var s *locked
	RunBlocked(t, func(*testing.T) store.Store {
		s = &locked{&store.Memory{}, make(chan struct{}, 1), true, time.Second}
		return s
	}, func(_ *testing.T, key string) func() { return s.block(key) })
}

func TestRunBlockedSeesCallsThatHang(t *testing.T) {
	for mistake, s := range map[string]*locked{
		"the deadline is ignored":                    {deadline: false},
		"without a deadline a call waits forever":    {deadline: true},
		"a call after its deadline returns no error": nil,
	} {
		if s == nil {
			s = &locked{deadline: true, bound: time.Nanosecond}
		}
		synctest.Test(t, func(t *testing.T) {
			s.Memory, s.lock = &store.Memory{}, make(chan struct{}, 1)
			seen := 0
			for _, rule := range blockedRules {
				block := s.block
				if s.bound > 0 {
					block = func(string) func() { return func() {} }
				}
				failures := failuresOf(t, func(k *kit) { rule.check(k, block) }, s)
				seen += len(failures)
				synctest.Wait()
			}
			if seen == 0 {
				t.Errorf("%s: no rule sees it", mistake)
			}
		})
	}
}
