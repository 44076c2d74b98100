package store_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// TestMemoryReadsGoOnWhileHalfOfItExpires compares the 99.99th percentile of
// the duration of Get between a store half of which expires at one moment and a
// store of the same size in which no record expires.
//
// A shared machine interrupts any read for milliseconds at times. So reads of
// the two stores alternate, which gives both the same share of this noise, and
// the test uses the median ratio of nine runs.
//
// The stores hold 40,000 records each, or a million if AUTH_LONG is 1.
func TestMemoryReadsGoOnWhileHalfOfItExpires(t *testing.T) {
	runs, half, reads := 9, 20_000, 200_000
	if os.Getenv("AUTH_LONG") == "1" {
		half, reads = 500_000, 2_000_000
	}
	if underRace {
		runs, half, reads = 1, half/10, reads/10
	}
	if testing.Short() {
		runs, reads = 3, 100_000
	}
	var expiring, quiet store.Memory
	load(t, &expiring, half, 24*time.Hour)
	load(t, &quiet, 2*half, 24*time.Hour)
	keys := keysOf(half)
	var ratios []float64
	for range runs {
		loadUntilSoon(t, &expiring, half)
		slow, normal := slowReads(t, [2]*store.Memory{&expiring, &quiet}, keys, reads)
		t.Logf("99.99th percentile: %v while records expire, %v otherwise", slow, normal)
		ratios = append(ratios, float64(slow)/float64(normal))
	}
	slices.Sort(ratios)
	median := ratios[runs/2]
	t.Logf("median of ratios: %.2f", median)
	if median > 2 && !underRace {
		t.Errorf("reads are %.2f times as slow while records expire, want 2 at most", median)
	}
}

// loadUntilSoon creates n records besides those of load, which all expire at
// once, and returns just before they do.
func loadUntilSoon(t *testing.T, m *store.Memory, n int) {
	deadline := time.Now().Add(time.Duration(n)*3*time.Microsecond + 50*time.Millisecond)
	for i := range n {
		create(t, m, longKey(-1-i), "a value of forty-eight bytes, which expires soon", max(time.Until(deadline), time.Millisecond))
	}
	heap() // collect garbage now rather than while we measure
	time.Sleep(time.Until(deadline) - time.Millisecond)
}

// slowReads reads n times from each of two stores, from two goroutines, and
// returns the 99.99th percentile of the duration of a read for each.
func slowReads(t *testing.T, stores [2]*store.Memory, keys []string, n int) (time.Duration, time.Duration) {
	var times [2][]time.Duration
	times[0], times[1] = make([]time.Duration, n), make([]time.Duration, n)
	var group sync.WaitGroup
	for first := range 2 {
		group.Go(func() {
			ctx := context.Background()
			for i := first; i < n; i += 2 {
				for turn := range 2 {
					which := (i/2 + turn) % 2 // the first finds the key out of the cache
					start := time.Now()
					_, ok, err := stores[which].Get(ctx, keys[i*7919%len(keys)])
					times[which][i] = time.Since(start)
					if !ok || err != nil {
						t.Error(ok, err)
						return
					}
				}
			}
		})
	}
	group.Wait()
	slices.Sort(times[0])
	slices.Sort(times[1])
	rank := n - 1 - n/10_000
	return times[0][rank], times[1][rank]
}
