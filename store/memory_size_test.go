package store_test

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// heap returns the bytes of live objects.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// load creates n records with keys of 43 bytes and values of 48.
func load(t testing.TB, m *store.Memory, n int, ttl time.Duration) {
	t.Helper()
	value := make([]byte, 48)
	rand.Read(value)
	for i := range n {
		create(t, m, longKey(i), string(value), ttl)
	}
}

func longKey(i int) string { return fmt.Sprintf("%043d", i) }

func TestMemoryTakesAtMost152BytesForARecord(t *testing.T) {
	n := 1_000_000
	if underRace || testing.Short() {
		n /= 10
	}
	var m store.Memory
	before := heap()
	load(t, &m, n, time.Hour)
	each := float64(heap()-before) / float64(n)
	t.Logf("%.1f bytes for each of %d records", each, n)
	if each > 152 {
		t.Errorf("%.1f bytes for a record, want 152 at most", each)
	}
	runtime.KeepAlive(&m)
}

func TestMemoryStaysWithinMaxBytes(t *testing.T) {
	for _, size := range []int{1, 10, 50, 200, 1000, 5000, 40_000} {
		m := store.Memory{MaxBytes: 8 << 20}
		value := strings.Repeat("v", size)
		before := heap()
		for i := 0; ; i++ {
			if _, err := m.CompareAndSwap(t.Context(), longKey(i), nil, []byte(value), time.Hour); err != nil {
				break
			}
		}
		const fixed = 768 << 10
		if took := heap() - before; took > m.MaxBytes+fixed || took < m.MaxBytes*6/10 {
			t.Errorf("values of %d bytes: %d bytes taken of %d", size, took, m.MaxBytes)
		}
		runtime.KeepAlive(&m)
	}
}

func TestMemoryIsSmallWhenEmptyAndAfterABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const few, burst = 768 << 10, 50_000
		var m store.Memory
		before := heap()
		if has(t, &m, "nothing") {
			t.Error("found nothing")
		}
		if took := heap() - before; took > 72<<10 {
			t.Errorf("an empty store takes %d bytes", took)
		}
		load(t, &m, burst, time.Hour)
		if took := heap() - before; took < burst*100 {
			t.Fatalf("%d records take only %d bytes", burst, took)
		}
		time.Sleep(2 * time.Hour)
		for range 2 * burst { // reads alone, of one key: all other shards are quiet
			has(t, &m, "nothing")
		}
		if took := heap() - before; took > few {
			t.Errorf("a store takes %d bytes after all of it has expired", took)
		}
		runtime.KeepAlive(&m)
	})
}

func TestMemoryDoesNotGrowByChurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m store.Memory
		load(t, &m, 1000, time.Hour)
		before := heap()
		for i := range 100_000 {
			key := longKey(1_000_000 + i)
			create(t, &m, key, "value", 30*24*time.Hour)
			if i%2 == 0 {
				if ok, err := m.CompareAndSwap(t.Context(), key, []byte("value"), []byte("other"), time.Hour); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			if err := m.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if grown := heap() - before; grown > 256<<10 {
			t.Errorf("grew by %d bytes", grown)
		}
		runtime.KeepAlive(&m)
	})
}

func TestMemoryGetAllocatesNothing(t *testing.T) {
	var m store.Memory
	load(t, &m, 1000, time.Hour)
	ctx, present, absent := t.Context(), longKey(1), longKey(-1)
	for _, key := range []string{present, absent} {
		if n := testing.AllocsPerRun(1000, func() { m.Get(ctx, key) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
