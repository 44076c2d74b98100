package store_test

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// outside is the memory of an empty store after use, which MaxBytes does not
// count.
const outside = 768 << 10

// fillWith creates records with values of size bytes until one does not fit.
func fillWith(t *testing.T, m *store.Memory, from, size int, ttl time.Duration) (n int) {
	t.Helper()
	value := []byte(strings.Repeat("v", size))
	for n = from; ; n++ {
		ok, err := m.CompareAndSwap(t.Context(), longKey(n), nil, value, ttl)
		if errors.Is(err, store.ErrFull) {
			return n
		}
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
}

// The worst sizes for the allocator: each is just above one of its size
// classes.
func TestMemoryStaysWithinMaxBytesForSizesThatTheAllocatorRoundsUp(t *testing.T) {
	for _, data := range []int{49, 65, 129, 257, 513, 1025, 1537, 3457, 4097, 6913, 8193, 24_577, 32_769, 40_961} {
		m := store.Memory{MaxBytes: 8 << 20}
		before := heap()
		fillWith(t, &m, 0, data-len(longKey(0))-1, time.Hour)
		took := heap() - before
		if took > m.MaxBytes+outside || took < m.MaxBytes*8/10 {
			t.Errorf("records of %d bytes: %d bytes taken of %d", data, took, m.MaxBytes)
		}
		runtime.KeepAlive(&m)
	}
}

// Free slots of deleted small records take memory, which is then not available
// to longer values.
func TestMemoryStaysWithinMaxBytesAfterManyWereDeleted(t *testing.T) {
	for _, kept := range []float64{0.24, 0.26, 0.49, 0.51, 0.9} {
		m := store.Memory{MaxBytes: 8 << 20}
		before := heap()
		n := fillWith(t, &m, 0, 1, time.Hour)
		for i := range n {
			if math.Mod(float64(i)*0.618034, 1) >= kept {
				if err := m.Delete(t.Context(), longKey(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		fillWith(t, &m, n, 2000, time.Hour)
		took := heap() - before
		if took > m.MaxBytes+outside || took < m.MaxBytes*8/10 {
			t.Errorf("%v of the small records kept: %d bytes taken of %d", kept, took, m.MaxBytes)
		}
		runtime.KeepAlive(&m)
	}
}

func TestMemoryCountsDownToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.Memory{MaxBytes: 1 << 20}
		first := fillWith(t, &m, 0, 10, time.Hour)
		for range 5 {
			time.Sleep(time.Hour + 2*time.Millisecond)
			again := fillWith(t, &m, 0, 10, time.Hour)
			if again < first*95/100 || again > first*105/100 { // the sizes of chunks differ
				t.Fatalf("%d records fit at first, and %d later", first, again)
			}
		}
	})
}

func TestTheLongestTTLLastsForYears(t *testing.T) {
	for _, ttl := range []time.Duration{math.MaxInt64, math.MaxInt64 - time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var m store.Memory
			has(t, &m, "starts-the-clock")
			time.Sleep(2 * time.Hour) // so that now and ttl together overflow
			create(t, &m, "k", "v", ttl)
			time.Sleep(17 * 365 * 24 * time.Hour)
			if !has(t, &m, "k") {
				t.Errorf("a record with a ttl of %v is absent after 17 years", ttl)
			}
		})
	}
}
