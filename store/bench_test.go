package store_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// keysOf returns the keys of the first n records of load.
func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = longKey(i)
	}
	return keys
}

func BenchmarkMemoryGet(b *testing.B) {
	var m store.Memory
	const n = 100_000
	load(b, &m, n, time.Hour)
	keys, ctx := keysOf(n), b.Context()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, err := m.Get(ctx, keys[i%n]); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkMemoryCreate(b *testing.B) {
	m := store.Memory{MaxBytes: 1 << 40}
	ctx, value := b.Context(), make([]byte, 48)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		// The ttl is short, so that the cost of a record includes its removal.
		// Two of the allocations make the key.
		if ok, err := m.CompareAndSwap(ctx, longKey(i), nil, value, 100*time.Millisecond); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkMemorySwap(b *testing.B) {
	var m store.Memory
	const n = 100_000
	ctx, keys := b.Context(), keysOf(n)
	values := [2][]byte{make([]byte, 48), append(make([]byte, 47), 1)}
	for _, key := range keys {
		create(b, &m, key, string(values[0]), time.Hour)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		old, new := values[i/n%2], values[(i/n+1)%2]
		if ok, err := m.CompareAndSwap(ctx, keys[i%n], old, new, time.Hour); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkMemoryParallelMix reads in 15 of 16 calls, and swaps or replaces a
// record in the others.
func BenchmarkMemoryParallelMix(b *testing.B) {
	var m store.Memory
	const n = 100_000
	load(b, &m, n, time.Hour)
	keys := keysOf(n)
	var start atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for i := int(start.Add(n / 7)); pb.Next(); i++ {
			key := keys[i*31%n]
			value, ok, err := m.Get(ctx, key)
			if err == nil && i%16 == 0 {
				if !ok {
					value = nil
				}
				_, err = m.CompareAndSwap(ctx, key, value, make([]byte, 48), time.Hour)
			}
			if err == nil && i%160 == 0 {
				err = m.Delete(ctx, key)
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
}
