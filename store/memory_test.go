package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

var _ store.Store = (*store.Memory)(nil)

// create writes a record under a key that must be absent.
func create(t testing.TB, m *store.Memory, key, value string, ttl time.Duration) {
	t.Helper()
	if ok, err := m.CompareAndSwap(context.Background(), key, nil, []byte(value), ttl); !ok || err != nil {
		t.Fatalf("create: %v, %v", ok, err)
	}
}

// has reports whether there is a record under key.
func has(t testing.TB, m *store.Memory, key string) bool {
	t.Helper()
	_, ok, err := m.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestMemoryDoesWhatAMapWouldDo compares random calls with a plain map. The few
// keys collide, expire, are extended, shortened and reused all the time.
func TestMemoryDoesWhatAMapWouldDo(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) { compareWithMap(t, seed) })
	}
}

func compareWithMap(t *testing.T, seed uint64) {
	type record struct {
		value   string
		expires time.Time
	}
	var m store.Memory
	model := make(map[string]record)
	random := rand.New(rand.NewPCG(seed, 0))
	keys := 10 << random.IntN(10)
	for n := range 20_000 {
		key := fmt.Sprint("key", random.IntN(keys))
		want, live := model[key]
		live = live && time.Now().Before(want.expires)
		value, ok, err := m.Get(t.Context(), key)
		if ok != live || err != nil || ok && string(value) != want.value {
			t.Fatalf("seed %d, call %d: Get: %q, %v, %v, want %q, %v", seed, n, value, ok, err, want.value, live)
		}
		switch random.IntN(8) {
		case 0:
			if err := m.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			delete(model, key)
		case 1:
			time.Sleep(time.Duration(math.Exp(random.Float64()*35)) / 10_000)
		default:
			var old []byte
			if random.IntN(2) == 0 {
				old = value
			}
			next := record{fmt.Sprint("value", n), time.Now()}
			ttl := 1 + time.Duration(math.Exp(random.Float64()*35))
			next.expires = next.expires.Add(ttl)
			swapped, err := m.CompareAndSwap(t.Context(), key, old, []byte(next.value), ttl)
			if swapped != (live == (old != nil)) || err != nil {
				t.Fatalf("seed %d, call %d: swap: %v, %v", seed, n, swapped, err)
			}
			if swapped {
				model[key] = next
			}
		}
	}
}

func TestMemoryBounds(t *testing.T) {
	valid := []byte("value")
	for _, test := range []struct {
		rule     string
		maxBytes int64
		key      string
		old, new []byte
		ttl      time.Duration
		full     bool
		wantErr  bool
	}{
		{rule: "zero MaxBytes is the default", key: "k", new: valid, ttl: 1},
		{rule: "a negative MaxBytes is an error", maxBytes: -1, key: "k", new: valid, ttl: 1, wantErr: true},
		{rule: "a record that can never fit is refused", maxBytes: 50, key: "k", new: valid, ttl: 1, wantErr: true, full: true},
		{rule: "a ttl of zero is an error", key: "k", new: valid, wantErr: true},
		{rule: "a negative ttl is an error", key: "k", new: valid, ttl: -1, wantErr: true},
		{rule: "the longest ttl does not overflow", key: "k", new: valid, ttl: math.MaxInt64},
		{rule: "an empty key is an error", new: valid, ttl: 1, wantErr: true},
		{rule: "a long key is an error", key: strings.Repeat("k", 129), new: valid, ttl: 1, wantErr: true},
		{rule: "a space in a key is an error", key: "a b", new: valid, ttl: 1, wantErr: true},
		{rule: "an empty value is an error", key: "k", new: []byte{}, ttl: 1, wantErr: true},
		{rule: "a long value is an error", key: "k", new: make([]byte, store.MaxValue+1), ttl: 1, wantErr: true},
		{rule: "an empty old is an error", key: "k", old: []byte{}, new: valid, ttl: 1, wantErr: true},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := store.Memory{MaxBytes: test.maxBytes}
				swapped, err := m.CompareAndSwap(t.Context(), test.key, test.old, test.new, test.ttl)
				if swapped == test.wantErr || (err != nil) != test.wantErr || errors.Is(err, store.ErrFull) != test.full {
					t.Errorf("%v, %v", swapped, err)
				}
			})
		})
	}
}

// fill creates records until one does not fit, and returns how many fit.
func fill(t *testing.T, m *store.Memory, ttl time.Duration) int {
	t.Helper()
	for n := 0; ; n++ {
		ok, err := m.CompareAndSwap(t.Context(), fmt.Sprint("key", n), nil, []byte("some value"), ttl)
		if errors.Is(err, store.ErrFull) {
			return n
		}
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
}

func TestMemoryThatIsFull(t *testing.T) {
	full := func(t *testing.T) (*store.Memory, int) {
		m := &store.Memory{MaxBytes: 1 << 20}
		n := fill(t, m, time.Hour)
		if n < 5_000 {
			t.Fatalf("only %d records fit", n)
		}
		return m, n
	}
	t.Run("keeps what lives and lets it be changed", func(t *testing.T) {
		m, n := full(t)
		for i := range n {
			if !has(t, m, fmt.Sprint("key", i)) {
				t.Fatal("a record was dropped")
			}
		}
		ok, err := m.CompareAndSwap(t.Context(), "key0", []byte("some value"), []byte("next value"), time.Hour)
		if !ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("refuses a longer value and keeps the old one", func(t *testing.T) {
		m, _ := full(t)
		_, err := m.CompareAndSwap(t.Context(), "key0", []byte("some value"), make([]byte, 1000), time.Hour)
		value, _, _ := m.Get(t.Context(), "key0")
		if !errors.Is(err, store.ErrFull) || string(value) != "some value" {
			t.Errorf("%v, %q", err, value)
		}
	})
	t.Run("says no rather than full to a swap that would not happen", func(t *testing.T) {
		m, _ := full(t)
		if ok, err := m.CompareAndSwap(t.Context(), "key0", []byte("other"), make([]byte, 1000), time.Hour); ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("has room for one where one was deleted", func(t *testing.T) {
		m, _ := full(t)
		if err := m.Delete(t.Context(), "key0"); err != nil {
			t.Fatal(err)
		}
		create(t, m, "key0", "some value", time.Hour)
	})
	t.Run("has room for the longest value once all have expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m, _ := full(t)
			time.Sleep(time.Hour + 2*time.Millisecond)
			create(t, m, "long", strings.Repeat("v", store.MaxValue), time.Hour)
		})
	})
	t.Run("has room for as many once all have expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m, n := full(t)
			time.Sleep(time.Hour + 2*time.Millisecond)
			if again := fill(t, m, time.Hour); again < n*95/100 {
				t.Errorf("%d records fit at first, %d then", n, again)
			}
		})
	})
}

func TestMemoryHandsOutWhatItKeeps(t *testing.T) {
	var m store.Memory
	create(t, &m, "key", "value", time.Hour)
	first, _, _ := m.Get(t.Context(), "key")
	second, _, _ := m.Get(t.Context(), "key")
	if &first[0] != &second[0] {
		t.Error("Get copied the value")
	}
	if cap(first) != len(first) {
		t.Error("appending to the bytes that Get returned would write into the store")
	}
	if ok, err := m.CompareAndSwap(t.Context(), "key", first, []byte("other"), time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := m.Delete(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	create(t, &m, "key", "third", time.Hour)
	if string(first) != "value" {
		t.Errorf("the bytes that Get returned became %q", first)
	}
}

func TestMemoryDoesNothingAfterTheContextEnded(t *testing.T) {
	var m store.Memory
	create(t, &m, "key", "value", time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	value, ok, err := m.Get(ctx, "key")
	if value != nil || ok || !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %q, %v, %v", value, ok, err)
	}
	if ok, err := m.CompareAndSwap(ctx, "new", nil, []byte("value"), time.Hour); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("CompareAndSwap: %v, %v", ok, err)
	}
	if err := m.Delete(ctx, "key"); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete: %v", err)
	}
	if !has(t, &m, "key") || has(t, &m, "new") {
		t.Error("something was written")
	}
}

// ASVS 5.0, 15.4.1.
func TestMemoryUnderParallelUse(t *testing.T) {
	var m store.Memory
	var wins atomic.Int64
	var group sync.WaitGroup
	const rounds = 2000
	for range 8 {
		group.Go(func() {
			for n := range rounds {
				key, value := fmt.Sprint("key", n%200), []byte(fmt.Sprint("value", n))
				if ok, _ := m.CompareAndSwap(t.Context(), key, nil, value, time.Duration(1+n%3)*time.Millisecond); ok {
					wins.Add(1)
				}
				got, ok, _ := m.Get(t.Context(), key)
				if ok && !bytes.HasPrefix(got, []byte("value")) {
					t.Errorf("read %q", got)
				}
				if ok && n%5 == 0 {
					m.CompareAndSwap(t.Context(), key, got, append(got, '+'), time.Millisecond)
				}
				if n%7 == 0 {
					m.Delete(t.Context(), key)
				}
			}
		})
	}
	group.Wait()
	if wins.Load() == 0 {
		t.Error("no swap succeeded")
	}
}

// Calls that are canceled and calls on a full store release their locks: all
// calls end, and the store still works.
//
// ASVS 5.0, 15.4.3.
func TestMemoryLeavesNoLockBehind(t *testing.T) {
	m := store.Memory{MaxBytes: 64 << 10}
	var group sync.WaitGroup
	for client := range 16 {
		group.Go(func() {
			for n := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%3 == 0 {
					go cancel() // before, during or after the call
				}
				key := fmt.Sprint("key", (client*7+n)%400)
				m.CompareAndSwap(ctx, key, nil, make([]byte, 1+n%300), time.Duration(1+n%5)*time.Millisecond)
				value, _, _ := m.Get(ctx, key)
				m.CompareAndSwap(ctx, key, value, make([]byte, 1+n%900), time.Hour)
				m.CompareAndSwap(ctx, "bad key", nil, nil, -1)
				m.Delete(ctx, key)
				cancel()
			}
		})
	}
	group.Wait()
	for n := range 400 {
		if _, _, err := m.Get(t.Context(), fmt.Sprint("key", n)); err != nil {
			t.Fatal(err)
		}
	}
	create(t, &m, "new", "value", time.Hour)
}
