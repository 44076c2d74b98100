package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// broken is a Memory with a mistake in one of its methods.
type broken struct {
	*store.Memory
	get    func(ctx context.Context, key string) ([]byte, bool, error)
	swap   func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error)
	delete func(ctx context.Context, key string) error
}

func (b *broken) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if b.get != nil {
		return b.get(ctx, key)
	}
	return b.Memory.Get(ctx, key)
}

func (b *broken) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if b.swap != nil {
		return b.swap(ctx, key, old, new, ttl)
	}
	return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (b *broken) Delete(ctx context.Context, key string) error {
	if b.delete != nil {
		return b.delete(ctx, key)
	}
	return b.Memory.Delete(ctx, key)
}

// set writes without comparing, which a store must not do.
func (b *broken) set(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	b.Memory.Delete(ctx, key)
	return b.Memory.CompareAndSwap(ctx, key, nil, value, ttl)
}

var errBroken = errors.New("broken")

// mutants are mistakes of backends, each with the rules that detect it.
var mutants = []struct {
	mistake string
	rules   []func(*kit)
	make    func(b *broken)
}{
	{"absence is an error", []func(*kit){getOfNothing}, func(b *broken) {
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			value, ok, err := b.Memory.Get(ctx, key)
			if !ok {
				err = errBroken
			}
			return value, ok, err
		}
	}},
	{"records never expire", []func(*kit){expiredIsAbsent, shorterTTL, tinyTTL, expireAtOnce}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			return b.Memory.CompareAndSwap(ctx, key, old, new, alive)
		}
	}},
	{"a key is created once only", []func(*kit){createAfterExpiry, deleteAny}, func(b *broken) {
		var created sync.Map
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if _, again := created.LoadOrStore(key, true); again && old == nil {
				return false, nil
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a swap revives an expired record", []func(*kit){swapAfterExpiry, swapAfterDelete}, func(b *broken) {
		var last sync.Map
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if was, ok := last.Swap(key, string(new)); ok && was == string(old) {
				return b.set(ctx, key, new, ttl)
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a nil old overwrites", []func(*kit){createOnce, oneCreator, linearizable}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if old == nil {
				return b.set(ctx, key, new, ttl)
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a swap says false although it was applied", []func(*kit){swapIfEqual, canceledContext, linearizable, refreshSchedules}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			return swapped && old == nil, err
		}
	}},
	{"old is ignored where there is a record", []func(*kit){swapIfOther, valuesApart, noLostUpdate, linearizable, sessionUpdates, sessionLogout, sessionLogoutAll, sessionRights, refreshLogout, refreshSchedules}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if value, ok, _ := b.Memory.Get(ctx, key); ok && old != nil {
				old = value
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a swap creates", []func(*kit){swapOfNothing, swapAfterDelete, swapAfterExpiry, sessionLogout}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if _, ok, _ := b.Memory.Get(ctx, key); !ok {
				old = nil
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"Delete does nothing", []func(*kit){basicCalls, deleteAny, swapAfterDelete, linearizable, refreshSchedules}, func(b *broken) {
		b.delete = func(context.Context, string) error { return nil }
	}},
	{"Delete of nothing is an error", []func(*kit){deleteNothing}, func(b *broken) {
		b.delete = func(ctx context.Context, key string) error {
			if _, ok, _ := b.Memory.Get(ctx, key); !ok {
				return errBroken
			}
			return b.Memory.Delete(ctx, key)
		}
	}},
	{"all keys are one", []func(*kit){keysApart, sessionRepeatedLogin}, rename(func(string) string { return "key" })},
	{"keys are truncated", []func(*kit){keyLengths}, rename(func(key string) string { return key[:min(len(key), 127)] })},
	{"keys are folded", []func(*kit){keyCharacters}, rename(strings.ToLower)},
	{"any key is accepted", []func(*kit){badKeys}, rename(func(key string) string { return fmt.Sprintf("%.64x", key) })},
	{"a swap keeps the old ttl", []func(*kit){longerTTL, shorterTTL}, func(b *broken) {
		var ends sync.Map
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			end, loaded := ends.LoadOrStore(key, time.Now().Add(ttl))
			if loaded {
				ttl = max(1, time.Until(end.(time.Time)))
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a swap that is refused sets the ttl", []func(*kit){failedSwapKeepsTTL}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			if value, ok, _ := b.Memory.Get(ctx, key); ok && !swapped {
				b.Memory.CompareAndSwap(ctx, key, value, value, ttl)
			}
			return swapped, err
		}
	}},
	{"a ttl of zero never expires", []func(*kit){nonPositiveTTL}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if ttl <= 0 {
				ttl = alive
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a ttl of zero is an error, after the write", []func(*kit){nonPositiveTTL}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if ttl <= 0 {
				b.Memory.CompareAndSwap(ctx, key, old, new, alive)
				return false, errBroken
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a ttl is rounded down to zero, which never expires", []func(*kit){tinyTTL}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if ttl > 0 && ttl < time.Millisecond {
				ttl = alive
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a ttl beyond 30 days is an error", []func(*kit){longTTL}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if ttl > 30*24*time.Hour {
				return false, errBroken
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"a ttl is kept as 32 bits of milliseconds", []func(*kit){longTTL}, useTTL(func(ttl time.Duration) time.Duration {
		return time.Duration(max(1, int32(ttl.Milliseconds()))) * time.Millisecond
	})},
	{"a ttl is kept as 32 bits of seconds", []func(*kit){longTTL}, useTTL(func(ttl time.Duration) time.Duration {
		return time.Duration(max(1, uint32(ttl/time.Second))) * time.Second
	})},
	{"a ttl is cut down to whole seconds", []func(*kit){presentUntilExpiry}, useTTL(func(ttl time.Duration) time.Duration {
		return max(time.Second, ttl.Truncate(time.Second))
	})},
	{"a nil old replaces what has up to a second to live", []func(*kit){presentUntilExpiry}, func(b *broken) {
		var ends sync.Map
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if end, ok := ends.Load(key); ok && old == nil && time.Until(end.(time.Time)) < time.Second {
				return b.set(ctx, key, new, ttl)
			}
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			if swapped {
				ends.Store(key, time.Now().Add(ttl))
			}
			return swapped, err
		}
	}},
	{"a swap to equal bytes keeps the old ttl", []func(*kit){longerTTL, shorterTTL}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if value, ok, _ := b.Memory.Get(ctx, key); ok && bytes.Equal(old, new) && bytes.Equal(value, old) {
				return true, nil
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"beyond 2,000 records the oldest is dropped", []func(*kit){manyLive}, func(b *broken) {
		var mu sync.Mutex
		var made []string
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			mu.Lock()
			defer mu.Unlock()
			if made = append(made, key); len(made) > 2000 {
				b.Memory.Delete(ctx, made[0])
				made = made[1:]
			}
			return swapped, err
		}
	}},
	{"only length and ends are compared", []func(*kit){valuesApart}, func(b *broken) {
		ends := func(v []byte) string {
			return fmt.Sprintf("%d %x %x", len(v), v[:min(8, len(v))], v[max(0, len(v)-8):])
		}
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if value, ok, _ := b.Memory.Get(ctx, key); ok && len(old) > 0 && ends(old) == ends(value) {
				old = value
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"values are truncated", []func(*kit){valueLengths}, revalue(func(v []byte) []byte { return v[:min(len(v), 65535)] })},
	{"values end at NUL", []func(*kit){valueBytes, valuesApart}, revalue(func(v []byte) []byte {
		before, _, _ := bytes.Cut(v, []byte{0})
		return append(before[:len(before):len(before)], '$')
	})},
	{"values are text", []func(*kit){valueBytes}, revalue(func(v []byte) []byte { return bytes.ToValidUTF8(v, []byte("?")) })},
	{"trailing spaces are ignored", []func(*kit){valuesApart}, revalue(func(v []byte) []byte { return bytes.TrimRight(v, " ") })},
	{"an empty new is written", []func(*kit){badNew}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if len(new) == 0 {
				new = []byte{0}
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"an empty old is nil", []func(*kit){badOld}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if len(old) == 0 {
				old = nil
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}},
	{"new is kept without a copy", []func(*kit){copiesNew}, func(b *broken) {
		var kept sync.Map
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			_, ok, err := b.Memory.Get(ctx, key)
			if value, found := kept.Load(key); found && ok {
				return value.([]byte), true, nil
			}
			return nil, ok, err
		}
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			if swapped {
				kept.Store(key, new)
			}
			return swapped, err
		}
	}},
	{"Get reuses its buffer", []func(*kit){keepsReturned}, func(b *broken) {
		buffer := make([]byte, store.MaxValue)
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			value, ok, err := b.Memory.Get(ctx, key)
			return buffer[:copy(buffer, value)], ok, err
		}
	}},
	{"a swap reads first and writes later", []func(*kit){oneCreator, oneWinner, noLostUpdate, linearizable, sessionUpdates}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			value, ok, _ := b.Memory.Get(ctx, key)
			if ok != (old != nil) || !bytes.Equal(value, old) {
				return false, nil
			}
			time.Sleep(100 * time.Microsecond)
			b.set(ctx, key, new, ttl)
			return true, nil
		}
	}},
	{"reads come from a cache", []func(*kit){readsOwnWrites, linearizable, refreshSchedules}, func(b *broken) {
		var cache sync.Map
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			if value, ok := cache.Load(key); ok {
				return value.([]byte), true, nil
			}
			value, ok, err := b.Memory.Get(ctx, key)
			if ok {
				cache.Store(key, value)
				time.AfterFunc(time.Millisecond, func() { cache.Delete(key) })
			}
			return value, ok, err
		}
	}},
	{"a swap succeeds twice", []func(*kit){oneCreator, oneWinner, noLostUpdate, linearizable, sessionUpdates}, func(b *broken) {
		type step struct{ key, old string }
		var done sync.Map
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			if swapped {
				done.Store(step{key, string(old)}, true)
				return true, err
			}
			_, again := done.LoadAndDelete(step{key, string(old)})
			return again, err
		}
	}},
	{"a ttl is a hundredth", []func(*kit){presentUntilExpiry}, useTTL(func(ttl time.Duration) time.Duration { return ttl/100 + 1 })},
	{"contexts are ignored", []func(*kit){endedContext}, func(b *broken) {
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			return b.Memory.Get(context.WithoutCancel(ctx), key)
		}
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			return b.Memory.CompareAndSwap(context.WithoutCancel(ctx), key, old, new, ttl)
		}
		b.delete = func(ctx context.Context, key string) error {
			return b.Memory.Delete(context.WithoutCancel(ctx), key)
		}
	}},
	{"a context that has ended is an error, after the write", []func(*kit){endedContext}, func(b *broken) {
		b.delete = func(ctx context.Context, key string) error {
			b.Memory.Delete(context.WithoutCancel(ctx), key)
			return ctx.Err()
		}
	}},
	{"a canceled context leaves half a write", []func(*kit){canceledContext}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			half := new[:(len(new)+1)/2]
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, half, ttl)
			if !swapped || len(half) == len(new) {
				return swapped, err
			}
			time.Sleep(time.Millisecond)
			return b.Memory.CompareAndSwap(ctx, key, half, new, ttl)
		}
	}},
	{"a call whose context has ended writes 50 ms later", []func(*kit){endedContext}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			if err != nil {
				old, new := bytes.Clone(old), bytes.Clone(new)
				time.AfterFunc(50*time.Millisecond, func() {
					b.Memory.CompareAndSwap(context.Background(), key, old, new, ttl)
				})
			}
			return swapped, err
		}
	}},
	{"a canceled swap writes 50 ms later, over any value", []func(*kit){canceledWriteIsNoRollback}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			time.Sleep(time.Millisecond / 2)
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			if err != nil {
				time.AfterFunc(50*time.Millisecond, func() { b.set(context.Background(), key, new, ttl) })
			}
			return swapped, err
		}
	}},
	{"a canceled context is a refusal", []func(*kit){canceledContext}, func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			time.Sleep(time.Millisecond)
			swapped, _ := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			return swapped, nil
		}
	}},
}

// rename simulates the use of other keys.
func rename(other func(key string) string) func(*broken) {
	return func(b *broken) {
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			return b.Memory.Get(ctx, other(key))
		}
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			return b.Memory.CompareAndSwap(ctx, other(key), old, new, ttl)
		}
		b.delete = func(ctx context.Context, key string) error {
			return b.Memory.Delete(ctx, other(key))
		}
	}
}

// revalue simulates the storage of other values.
func revalue(other func(value []byte) []byte) func(*broken) {
	return func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if len(old) > 0 {
				old = other(old)
			}
			return b.Memory.CompareAndSwap(ctx, key, old, other(new), ttl)
		}
	}
}

// useTTL simulates the use of other times to live.
func useTTL(other func(ttl time.Duration) time.Duration) func(*broken) {
	return func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if ttl > 0 {
				ttl = other(ttl)
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}
}

// A recorder records the failures of a rule.
type recorder struct {
	ctx      context.Context
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) FailNow() { runtime.Goexit() }

func (r *recorder) Context() context.Context { return r.ctx }

// failuresOf checks a rule on a store, or on two views of it, and returns its failures.
func failuresOf(t *testing.T, check func(*kit), s store.Store, other ...store.Store) []string {
	r := &recorder{ctx: t.Context()}
	k := newKit(t, r, &store.Memory{}, &store.Memory{}) // not s: newKit probes the store
	k.stores = [2]store.Store{s, append(other, s)[0]}
	k.patience = 500 * time.Millisecond
	var group sync.WaitGroup
	group.Go(func() { check(k) })
	group.Wait()
	return r.failures
}

func TestRulesSeeMistakes(t *testing.T) {
	for _, mutant := range mutants {
		t.Run(mutant.mistake, func(t *testing.T) {
			t.Parallel()
			for _, check := range mutant.rules {
				name := nameOf(check)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					b := &broken{Memory: &store.Memory{}}
					mutant.make(b)
					mustSee(t, failuresOf(t, check, b))
				})
			}
		})
	}
}

// mustSee fails the test if a rule sees no mistake, or speaks of it at length.
func mustSee(t *testing.T, failures []string) {
	t.Helper()
	if len(failures) == 0 {
		t.Fatal("the rule does not see the mistake")
	}
	t.Log(failures[0])
	if lines := strings.Count(failures[0], "\n") + 1; lines > 24 {
		t.Errorf("the failure has %d lines", lines)
	}
}

// processes are mistakes of backends that only two processes show.
var processes = []struct {
	mistake string
	rules   []func(*kit)
	make    func(b *broken)
}{
	{"a process reads its own old value", []func(*kit){readsOwnWrites, linearizable, sessionUpdates, sessionLogout, refreshSchedules}, func(b *broken) {
		var own sync.Map
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
			if swapped {
				own.Store(key, new)
			}
			return swapped, err
		}
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			if value, ok := own.Load(key); ok {
				return value.([]byte), true, nil
			}
			return b.Memory.Get(ctx, key)
		}
	}},
	{"reads are stale for a moment", []func(*kit){readsOwnWrites, linearizable, refreshSchedules}, staleReads},
	{"each process has its own locks", []func(*kit){oneCreator, noLostUpdate, linearizable, sessionUpdates}, func(b *broken) {
		var mu sync.Mutex
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			value, ok, _ := b.Memory.Get(ctx, key)
			if ok != (old != nil) || !bytes.Equal(value, old) {
				return false, nil
			}
			time.Sleep(100 * time.Microsecond)
			return b.set(ctx, key, new, ttl)
		}
	}},
}

// staleReads makes Get return what this process has read up to 5 ms before, unless it has
// written meanwhile.
func staleReads(b *broken) {
	type copied struct {
		value []byte
		ok    bool
		at    time.Time
	}
	var cache sync.Map
	b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
		if c, ok := cache.Load(key); ok && time.Since(c.(copied).at) < 5*time.Millisecond {
			return c.(copied).value, c.(copied).ok, nil
		}
		value, ok, err := b.Memory.Get(ctx, key)
		cache.Store(key, copied{value, ok, time.Now()})
		return value, ok, err
	}
	b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
		swapped, err := b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		cache.Delete(key)
		return swapped, err
	}
}

func TestRulesSeeMistakesOfTwoProcesses(t *testing.T) {
	for _, mutant := range processes {
		for _, check := range mutant.rules {
			t.Run(mutant.mistake+"/"+nameOf(check), func(t *testing.T) {
				t.Parallel()
				one, other := &broken{Memory: &store.Memory{}}, &broken{}
				other.Memory = one.Memory
				mutant.make(one)
				mutant.make(other)
				mustSee(t, failuresOf(t, check, one, other))
			})
		}
	}
}

// What the tests of mistakes use sees nothing in a store without one.
func TestRulesOfLoginsAcceptMemory(t *testing.T) {
	for _, group := range loginGroups {
		for _, rule := range group.rules {
			t.Run(rule.name, func(t *testing.T) {
				t.Parallel()
				s := &store.Memory{}
				if failures := failuresOf(t, rule.check, s); len(failures) > 0 {
					t.Errorf("%q", failures)
				}
			})
		}
	}
}

// The fake clock measures how long a read waits, without the delays of a busy
// machine.
func TestReadersThatWaitForWhatExpiresAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ends []time.Time
		b := &broken{Memory: &store.Memory{}}
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, time.Now().Add(ttl))
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
		b.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			mu.Lock()
			defer mu.Unlock()
			before := len(ends)
			ends = slices.DeleteFunc(ends, func(end time.Time) bool { return !end.After(time.Now()) })
			time.Sleep(time.Duration(before-len(ends)) * time.Millisecond)
			return b.Memory.Get(ctx, key)
		}
		if failures := failuresOf(t, expireAtOnce, b); len(failures) == 0 {
			t.Error("the rule does not see the mistake")
		}
		if failures := failuresOf(t, expireAtOnce, &store.Memory{}); len(failures) > 0 {
			t.Errorf("the rule sees a mistake in Memory: %q", failures)
		}
	})
}

// allGroups are all rules.
var allGroups = slices.Concat([]group{{"basics", basics}}, groups, loginGroups)

func TestEveryRuleSeesSomeMistake(t *testing.T) {
	seen := make(map[string]bool)
	for _, mutant := range mutants {
		for _, check := range mutant.rules {
			seen[nameOf(check)] = true
		}
	}
	for _, group := range allGroups {
		for _, rule := range group.rules {
			if !seen[nameOf(rule.check)] {
				t.Errorf("no mutant for %q", rule.name)
			}
		}
	}
}

// nameOf returns the name of a rule, by the address of its function.
func nameOf(check func(*kit)) string {
	for _, group := range allGroups {
		for _, rule := range group.rules {
			if reflect.ValueOf(rule.check).Pointer() == reflect.ValueOf(check).Pointer() {
				return rule.name
			}
		}
	}
	panic("no rule has this check")
}
