package storetest

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// expireAtOnce compares the slowest read while records expire with the slowest
// read while no record expires, because a busy machine delays both. In a store
// whose reads wait for expiring records, they wait in every round; so the
// fastest round counts.
func expireAtOnce(k *kit) {
	const rounds, records, noise = 5, 400, 10
	calm, expiring := time.Duration(0), time.Duration(math.MaxInt64)
	for range rounds {
		lives := k.key()
		k.create(lives, first)
		calm = max(calm, k.slowestRead(lives, time.Now().Add(2*short)))
		prefix, deadline := k.expireSoon(records)
		time.Sleep(time.Until(deadline) - short)
		expiring = min(expiring, k.slowestRead(lives, deadline.Add(short)))
		for n := range records {
			k.waitGone(fmt.Sprint(prefix, n))
		}
	}
	if expiring > short && expiring > noise*calm {
		k.Errorf("a read took %v while other records expired, and %v while none expired", expiring, calm)
	}
}

// expireSoon creates records that all expire at one moment, after the last was
// created.
func (k *kit) expireSoon(records int) (prefix string, deadline time.Time) {
	const writers = 8
	for life := 4 * short; ; life *= 2 {
		prefix, deadline = k.key(), time.Now().Add(life)
		k.parallel(writers, func(i int, v view) error {
			for n := i; n < records; n += writers {
				ttl := max(time.Until(deadline), short)
				if _, err := k.stores[v.which].CompareAndSwap(k.ctx, fmt.Sprint(prefix, n), nil, second, ttl); err != nil {
					return err
				}
			}
			return nil
		})
		if time.Now().Before(deadline) || life > k.patience {
			return prefix, deadline
		}
	}
}

// slowestRead reads a record repeatedly, and once more after end.
func (k *kit) slowestRead(key string, end time.Time) (slowest time.Duration) {
	for last := false; ; time.Sleep(short / 50) {
		start := time.Now()
		k.wantValue(key, first)
		slowest = max(slowest, time.Since(start))
		if last {
			return slowest
		}
		last = !time.Now().Before(end)
	}
}

// manyLive writes records for some seconds and checks that all of them are
// present. In that time a server that syncs each write to disk completes a few
// thousand.
func manyLive(k *kit) {
	const minimum, maximum, writers = 4000, 20_000, 8
	prefix, start := k.key(), time.Now()
	var made atomic.Int64
	each := func(from, to int, do func(v view, key string) error) {
		k.parallel(writers, func(i int, v view) error {
			for n := from + i; n < to; n += writers {
				if err := do(v, fmt.Sprint(prefix, n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	create := func(v view, key string) error {
		made.Add(1)
		_, err := v.swap(key, nil, first)
		return err
	}
	for n := 0; n < maximum && (n < minimum || time.Since(start) < k.patience/10); n += minimum {
		each(n, n+minimum, create)
	}
	var lost atomic.Int64
	each(0, int(made.Load()), func(v view, key string) error {
		_, ok, err := v.get(key)
		if !ok && err == nil {
			lost.Add(1)
		}
		return err
	})
	if lost.Load() > 0 && time.Since(start) < alive {
		k.Errorf("%d of %d records are absent", lost.Load(), made.Load())
	}
}
