package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemoryRemovesFewRecordsPerCall uses internals, because the number of
// records that are removed under a lock is not visible from outside.
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
		t.Logf("%d records were removed after %d calls", n, calls)
		if before > 0 {
			t.Errorf("%d records are left after %d calls", before, calls)
		}
	})
}

// TestMemoryKeepsNothingThatHasExpired does random writes with a ttl of a
// microsecond to years, many of which change later. At random times it counts
// the records: all that have not expired are present, and none that expired
// more than a tick ago.
//
// ASVS 5.0, 14.2.7.
func TestMemoryKeepsNothingThatHasExpired(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) { countKept(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func countKept(t *testing.T, random *rand.Rand) {
	const slack = 1 << tickBits
	var m Memory
	m.once.Do(m.start)
	ends := make(map[string]time.Time)
	value := []byte("value")
	for range 10_000 {
		key := fmt.Sprint("key", random.IntN(3000))
		ttl := 1000 + time.Duration(math.Exp(random.Float64()*40))
		old := value
		if !time.Now().Before(ends[key]) {
			old = nil
		}
		if ok, err := m.CompareAndSwap(t.Context(), key, old, value, ttl); !ok || err != nil {
			t.Fatal(ok, err)
		}
		ends[key] = time.Now().Add(ttl)
		if random.IntN(10) == 0 {
			m.Delete(t.Context(), key)
			delete(ends, key)
		}
		if random.IntN(100) > 0 {
			continue
		}
		time.Sleep(time.Duration(math.Exp(random.Float64() * 38)))
		m.sweep(int64(time.Since(m.base)))
		lives, late := 0, 0
		for _, end := range ends {
			if time.Now().Before(end) {
				lives++
			} else if time.Since(end) < slack {
				late++
			}
		}
		if kept := m.live(); kept < lives || kept > lives+late {
			t.Fatalf("the store keeps %d records, and %d have not expired", kept, lives)
		}
	}
	time.Sleep(40 * 365 * 24 * time.Hour)
	m.sweep(int64(time.Since(m.base)))
	if kept, used := m.live(), m.used.Load(); kept != 0 || used != 0 {
		t.Errorf("%d records and %d bytes are left in the end", kept, used)
	}
}

// TestMemoryCopiesFewRecordsPerCall uses internals for the same reason. All records are in
// one shard.
func TestMemoryCopiesFewRecordsPerCall(t *testing.T) {
	const n, calls = 500, 3000
	var m Memory
	m.once.Do(m.start)
	var keys []string
	for i := 0; len(keys) < n; i++ {
		if key := fmt.Sprint("key", i); maphash.String(m.seed, key)>>(64-shardBits) == 0 {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if ok, err := m.CompareAndSwap(t.Context(), key, nil, []byte("value"), time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	random, all := rand.New(rand.NewPCG(5, 6)), 0
	for range calls {
		before, moved := slices.Clone(m.shards[0].records), 0
		if ok, err := m.CompareAndSwap(t.Context(), keys[random.IntN(n)], []byte("value"), []byte("value"), time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		for slot, r := range m.shards[0].records {
			if r.place != before[slot].place {
				moved++
			}
		}
		if moved > 1+2*minLook/(header+len("key100value"))+2 {
			t.Fatalf("one call copied %d records", moved)
		}
		all += moved - 1
	}
	t.Logf("%d records were copied in %d calls", all, calls)
}

// A client that is refused by a full store costs little, however much waste there is.
func TestMemoryThatIsFullCopiesFewRecordsForAWrite(t *testing.T) {
	m := Memory{MaxBytes: 16 << 20}
	value := make([]byte, 50)
	n := 0
	for ; ; n++ {
		if ok, err := m.CompareAndSwap(t.Context(), fmt.Sprint("key", n), nil, value, time.Hour); !ok {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	random := rand.New(rand.NewPCG(7, 8))
	for range 5 {
		for range n / 10 {
			if ok, err := m.CompareAndSwap(t.Context(), fmt.Sprint("key", random.IntN(n)), value, value, time.Hour); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		before := m.places()
		if _, err := m.CompareAndSwap(t.Context(), "one-more", nil, make([]byte, MaxValue), time.Hour); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		copied := 0
		for i, p := range m.places() {
			if before[i] != p {
				copied++
			}
		}
		t.Logf("%d of %d records were copied", copied, n)
		if most := (sweepAll + 4*chunkSize) / (header + len("key1") + len(value)); copied > most {
			t.Errorf("%d records were copied, want %d at most", copied, most)
		}
	}
}

// places returns the place of each record, by shard and slot.
func (m *Memory) places() (places []place) {
	for i := range m.shards {
		for _, r := range m.shards[i].records {
			places = append(places, r.place)
		}
	}
	return places
}

// A place has room for the number of the last chunk. Where no number is left, a write is
// refused, and the record stays; it can be deleted.
func TestMemoryRefusesWhatHasNoNumber(t *testing.T) {
	var m Memory
	m.once.Do(m.start)
	s := &m.shards[maphash.String(m.seed, "key")>>(64-shardBits)]
	s.list = make([]chunk, maxChunks-1)
	value, longer := []byte("value"), make([]byte, 3000)
	if ok, err := m.CompareAndSwap(t.Context(), "key", nil, value, time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := m.CompareAndSwap(t.Context(), "key", value, longer, time.Hour); ok || !errors.Is(err, ErrFull) {
		t.Fatal(ok, err)
	}
	if got, ok, err := m.Get(t.Context(), "key"); !ok || err != nil || string(got) != "value" {
		t.Fatal(got, ok, err)
	}
	if err := m.Delete(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	if ok, err := m.CompareAndSwap(t.Context(), "key", nil, longer, time.Hour); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestMemorySweepNeverRemovesManyUnderOneLock(t *testing.T) {
	if batch > 64 || sweepBatch > 64 {
		t.Error("more than 64 removals under one lock")
	}
}

func (m *Memory) live() (n int) {
	for i := range m.shards {
		n += m.shards[i].live
	}
	return n
}
