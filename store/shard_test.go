package store

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemoryRemovesFewRecordsPerCall looks inside, since how many records are
// removed while a lock is held cannot be seen from without.
func TestMemoryRemovesFewRecordsPerCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 50_000
		var m Memory
		for i := range n {
			if ok, err := m.CompareAndSwap(t.Context(), fmt.Sprint("key", i), nil, []byte("value"), time.Hour); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		time.Sleep(2 * time.Hour)
		before, calls := n, 0
		for ; before > 0 && calls < n; calls++ {
			if _, ok, err := m.Get(t.Context(), fmt.Sprint("key", calls)); ok || err != nil {
				t.Fatal(ok, err)
			}
			after := m.live()
			if removed := before - after; removed > 2*batch {
				t.Fatalf("one call removed %d records", removed)
			}
			before = after
		}
		t.Logf("%d records were gone after %d calls", n, calls)
		if before > 0 {
			t.Errorf("%d records are left after %d calls", before, calls)
		}
	})
}

func TestMemorySweepNeverRemovesManyUnderOneLock(t *testing.T) {
	if batch > 64 || sweepBatch > 64 {
		t.Error("more than 64 removals under one hold of a lock")
	}
}

func (m *Memory) live() (n int) {
	for i := range m.shards {
		n += m.shards[i].live
	}
	return n
}
