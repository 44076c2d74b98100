package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// valueOfSize returns a value that begins with its checksum.
func valueOfSize(random *rand.Rand, size int) []byte {
	value := make([]byte, size+4)
	for i := 4; i < len(value); i++ {
		value[i] = byte(random.Uint32())
	}
	sum := crc32.ChecksumIEEE(value[4:])
	value[0], value[1], value[2], value[3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	return value
}

func intact(value []byte) bool {
	sum := crc32.ChecksumIEEE(value[4:])
	return value[0] == byte(sum) && value[1] == byte(sum>>8) && value[2] == byte(sum>>16) && value[3] == byte(sum>>24)
}

// Sizes are from a few bytes to the longest value, most of them short.
func randomSize(random *rand.Rand) int {
	return min(int(math.Exp(random.Float64()*random.Float64()*11.2)), store.MaxValue-4)
}

// Readers keep what Get has returned while other goroutines replace, delete and let expire
// the same records, so that the memory around is copied and let go.
func TestMemoryNeverChangesWhatAReaderHolds(t *testing.T) {
	const keys = 2000
	m := store.Memory{MaxBytes: 32 << 20}
	rounds := 200_000
	if underRace || testing.Short() {
		rounds /= 20
	}
	var group sync.WaitGroup
	for worker := range uint64(4) {
		group.Go(func() {
			random := rand.New(rand.NewPCG(worker, 7))
			var held [][]byte
			for range rounds {
				key := fmt.Sprint("key", random.IntN(keys))
				value, ok, err := m.Get(t.Context(), key)
				if err != nil || ok && !intact(value) {
					t.Error("a value was read that no writer has written", err)
					return
				}
				if ok {
					held = append(held, value)
				}
				switch random.IntN(8) {
				case 0, 1, 2:
					ttl := time.Duration(1+random.IntN(50)) * time.Millisecond
					if _, err := m.CompareAndSwap(t.Context(), key, value, valueOfSize(random, randomSize(random)), ttl); err != nil {
						t.Error(err)
						return
					}
				case 3:
					if err := m.Delete(t.Context(), key); err != nil {
						t.Error(err)
						return
					}
				}
				if len(held) < 500 {
					continue
				}
				if slices.ContainsFunc(held, func(value []byte) bool { return !intact(value) }) {
					t.Error("a value has changed under its reader")
					return
				}
				held = held[:0]
			}
		})
	}
	group.Wait()
}

// FuzzMemory does the calls that the bytes of its input say, and compares with a map.
func FuzzMemory(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0, 200, 1, 1, 201, 3, 2, 7, 4}, 50))
	f.Add(bytes.Repeat([]byte{5, 255, 2, 5, 250, 2, 6, 9, 0, 7, 1, 200}, 30))
	f.Fuzz(func(t *testing.T, calls []byte) {
		synctest.Test(t, func(t *testing.T) { callsOf(t, calls) })
	})
}

// callsOf takes three bytes for a call: the key, the size of the value, and what to do.
func callsOf(t *testing.T, calls []byte) {
	type record struct {
		value   []byte
		expires time.Time
	}
	var m store.Memory
	model := make(map[string]record)
	for n := 0; len(calls) >= 3 && n < 5000; n, calls = n+1, calls[3:] {
		key, what := fmt.Sprint("key", calls[0]), calls[2]
		want, live := model[key]
		live = live && time.Now().Before(want.expires)
		value, ok, err := m.Get(t.Context(), key)
		if ok != live || err != nil || ok && !bytes.Equal(value, want.value) {
			t.Fatalf("call %d: Get: %v, %v; want %v", n, ok, err, live)
		}
		switch what % 8 {
		case 0:
			if err := m.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			delete(model, key)
		case 1:
			time.Sleep(time.Duration(what) * time.Second)
		default:
			next := bytes.Repeat([]byte{byte(n), what}, 1+int(calls[1])*int(calls[1])/2)
			ttl := time.Duration(1+int(what)) * time.Second
			if ok, err := m.CompareAndSwap(t.Context(), key, value, next, ttl); !ok || err != nil {
				t.Fatalf("call %d: swap: %v, %v", n, ok, err)
			}
			model[key] = record{next, time.Now().Add(ttl)}
		}
	}
	for key, want := range model {
		value, ok, err := m.Get(t.Context(), key)
		if live := time.Now().Before(want.expires); ok != live || err != nil || ok && !bytes.Equal(value, want.value) {
			t.Fatalf("%s in the end: %v, %v; want %v", key, ok, err, live)
		}
	}
}

// What the garbage collector does depends on how many objects there are, and on how many
// bytes of them may be pointers.
func TestMemoryIsLightForTheGarbageCollector(t *testing.T) {
	n := 1_000_000
	if underRace || testing.Short() {
		n /= 10
	}
	objectsBefore, bytesBefore := forCollector()
	var m store.Memory
	load(t, &m, n, time.Hour)
	objects, bytes := forCollector()
	objects, bytes = objects-objectsBefore, bytes-bytesBefore
	t.Logf("%d records: %d objects, %d bytes to scan", n, objects, bytes)
	if objects > 20_000 || bytes > 4<<20 {
		t.Errorf("%d records: %d objects and %d bytes to scan; want 20,000 and 4 MiB at most", n, objects, bytes)
	}
	runtime.KeepAlive(&m)
}

// forCollector returns the number of objects of the heap, and the bytes that are scanned
// for pointers.
func forCollector() (objects, bytes int64) {
	runtime.GC()
	runtime.GC()
	samples := []metrics.Sample{{Name: "/gc/heap/objects:objects"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64()), int64(samples[1].Value.Uint64())
}

// Records that are replaced again and again leave waste behind, but never much.
func TestMemoryGrowsByAFewBytesWhenItsRecordsAreReplaced(t *testing.T) {
	n := 100_000
	if underRace || testing.Short() {
		n /= 10
	}
	var m store.Memory
	before := heap()
	load(t, &m, n, time.Hour)
	loaded := heap() - before
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 3 * n {
		key := longKey(random.IntN(n))
		value, _, _ := m.Get(t.Context(), key)
		if ok, err := m.CompareAndSwap(t.Context(), key, value, fmt.Appendf(nil, "%048d", i), time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	replaced := heap() - before
	t.Logf("%d bytes for each record, and %d after replacements", loaded/int64(n), replaced/int64(n))
	if replaced > loaded*9/8 {
		t.Errorf("%d bytes, and %d after replacements: want an eighth more at most", loaded, replaced)
	}
	runtime.KeepAlive(&m)
}

// Long values that are replaced among many short ones leave much waste for each record that
// compaction has to look at.
func TestMemoryGrowsLittleWhereLongValuesAreReplacedAmongShortOnes(t *testing.T) {
	n := 2000
	if underRace || testing.Short() {
		n /= 4
	}
	var m store.Memory
	before := heap()
	long := make([]byte, 8000)
	for i := range n {
		create(t, &m, longKey(i), string(long), time.Hour)
		for j := range 250 {
			create(t, &m, fmt.Sprint("short", i, "-", j), "0123456789", time.Hour)
		}
	}
	loaded := heap() - before
	random := rand.New(rand.NewPCG(9, 10))
	for range 10 * n {
		if ok, err := m.CompareAndSwap(t.Context(), longKey(random.IntN(n)), long, long, time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	replaced := heap() - before
	t.Logf("%d bytes, and %d after replacements", loaded, replaced)
	if replaced > loaded*5/4 { // an eighth, and the chunk that each shard has begun
		t.Errorf("%d bytes, and %d after replacements: want a quarter more at most", loaded, replaced)
	}
	runtime.KeepAlive(&m)
}

// A store that is full takes writes that do not lengthen a value, a logout for one. Its
// memory stays near MaxBytes all the same.
func TestMemoryThatIsFullTakesReplacements(t *testing.T) {
	m := store.Memory{MaxBytes: 8 << 20}
	before := heap()
	n := fillWith(t, &m, 0, 100, time.Hour)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 3 * n {
		key := longKey(random.IntN(n))
		value, _, _ := m.Get(t.Context(), key)
		if ok, err := m.CompareAndSwap(t.Context(), key, value, fmt.Appendf(nil, "%0*d", len(value)-i%2, i), time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if took := heap() - before; took > m.MaxBytes*9/8+outside {
		t.Errorf("%d bytes taken of %d", took, m.MaxBytes)
	}
	runtime.KeepAlive(&m)
}

// Where each record is deleted and created again, a full store has room for nearly all of
// them: their chunks are not always as long as before.
func TestMemoryThatIsFullHasRoomForEachThatWasDeleted(t *testing.T) {
	m := store.Memory{MaxBytes: 2 << 20}
	n := fillWith(t, &m, 0, 100, time.Hour)
	refused := 0
	for i := range n {
		if err := m.Delete(t.Context(), longKey(i)); err != nil {
			t.Fatal(err)
		}
		ok, err := m.CompareAndSwap(t.Context(), longKey(i), nil, make([]byte, 100), time.Hour)
		if errors.Is(err, store.ErrFull) {
			refused++
		} else if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if refused > n/50 {
		t.Errorf("%d of %d do not fit where one was deleted", refused, n)
	}
}
