package storetest

import (
	"math"
	"time"
)

var (
	first  = []byte("first")
	second = []byte("second")
	third  = []byte("third")
)

func basicCalls(k *kit) {
	key := k.key()
	k.wantAbsent(key)
	k.create(key, first)
	k.wantValue(key, first)
	k.mustSwap(key, first, second, alive)
	k.wantValue(key, second)
	k.delete(key)
	k.wantAbsent(key)
}

func getOfNothing(k *kit) {
	if value, ok := k.get(k.key()); ok || len(value) != 0 {
		k.Errorf("%q, %v", value, ok)
	}
}

func expiredIsAbsent(k *kit) {
	key := k.key()
	k.swap(key, nil, first, short)
	k.waitGone(key)
	if value, ok := k.get(key); ok || len(value) != 0 {
		k.Errorf("%q, %v", value, ok)
	}
}

func createAfterExpiry(k *kit) {
	key := k.key()
	k.swap(key, nil, first, short)
	k.waitGone(key)
	k.create(key, second)
	k.wantValue(key, second)
}

func swapAfterExpiry(k *kit) {
	key := k.key()
	k.swap(key, nil, first, short)
	time.Sleep(4 * short) // without a Get, which might remove the record
	k.mustNotSwap(key, first, second, alive)
	k.wantAbsent(key)
}

func createOnce(k *kit) {
	key := k.key()
	k.create(key, first)
	k.wantValue(key, first)
	k.mustNotSwap(key, nil, second, alive)
	k.mustNotSwap(key, nil, first, alive)
	k.wantValue(key, first)
}

func swapIfEqual(k *kit) {
	key := k.key()
	k.create(key, first)
	k.mustSwap(key, first, second, alive)
	k.wantValue(key, second)
	k.mustSwap(key, second, second, alive)
	value, _ := k.get(key)
	k.mustSwap(key, value, first, alive)
	k.wantValue(key, first)
}

func swapIfOther(k *kit) {
	key := k.key()
	k.create(key, first)
	for _, other := range []string{"f", "firs", "first ", "firsu", "Girst", "FIRST", "second"} {
		k.mustNotSwap(key, []byte(other), third, alive)
		k.wantValue(key, first)
	}
	k.mustSwap(key, first, second, alive)
	k.mustNotSwap(key, first, third, alive)
	k.wantValue(key, second)
}

func swapOfNothing(k *kit) {
	key := k.key()
	k.mustNotSwap(key, first, second, alive)
	k.mustNotSwap(key, second, second, alive)
	k.wantAbsent(key)
}

func deleteAny(k *kit) {
	key := k.key()
	k.create(key, first)
	k.mustSwap(key, first, second, alive)
	k.delete(key)
	k.wantAbsent(key)
	k.create(key, third)
	k.wantValue(key, third)
	k.delete(key)
	k.wantAbsent(key)
}

func deleteNothing(k *kit) {
	key := k.key()
	k.delete(key)
	k.create(key, first)
	k.delete(key)
	k.delete(key)
	k.wantAbsent(key)
}

func swapAfterDelete(k *kit) {
	key := k.key()
	k.create(key, first)
	k.delete(key)
	k.mustNotSwap(key, first, second, alive)
	k.mustNotSwap(key, second, first, alive)
	k.wantAbsent(key)
}

func keysApart(k *kit) {
	one, other := k.key(), k.key()
	k.create(one, first)
	k.wantAbsent(other)
	k.create(other, second)
	k.mustSwap(one, first, third, alive)
	k.wantValue(other, second)
	k.delete(other)
	k.wantValue(one, third)
}

// longerTTL retries with a longer ttl if the record expired before the swap
// because the store was slow.
func longerTTL(k *kit) {
	for _, new := range [][]byte{second, first} {
		outlives(k, new)
	}
}

func outlives(k *kit, new []byte) {
	for ttl := 4 * short; ttl < k.patience; ttl *= 2 {
		key := k.key()
		k.swap(key, nil, first, ttl)
		if k.swap(key, first, new, alive) {
			time.Sleep(ttl + 2*short)
			k.wantValue(key, new)
			return
		}
	}
	k.Errorf("every record expired before it was swapped")
}

func shorterTTL(k *kit) {
	for _, new := range [][]byte{second, first} {
		key := k.key()
		k.create(key, first)
		k.mustSwap(key, first, new, short)
		k.waitGone(key)
	}
}

func failedSwapKeepsTTL(k *kit) {
	lives, ends := k.key(), k.key()
	k.create(lives, first)
	k.swap(ends, nil, first, short)
	k.mustNotSwap(lives, second, third, short)
	k.mustNotSwap(lives, nil, third, short)
	k.mustNotSwap(ends, second, third, alive)
	k.waitGone(ends)
	time.Sleep(2 * short)
	k.wantValue(lives, first)
}

func nonPositiveTTL(k *kit) {
	absent, present := k.key(), k.key()
	k.create(present, first)
	for _, ttl := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		k.mustRefuse(ttl.String(), absent, nil, second, ttl)
		k.mustRefuse(ttl.String(), present, first, second, ttl)
	}
	k.wantAbsent(absent)
	k.wantValue(present, first)
}

func tinyTTL(k *kit) {
	for _, ttl := range []time.Duration{1, time.Microsecond, time.Millisecond - 1, 1_500_000} {
		created, swapped := k.key(), k.key()
		if !k.swap(created, nil, first, ttl) {
			k.Errorf("%v: not created", ttl)
		}
		k.create(swapped, first)
		k.mustSwap(swapped, first, second, ttl)
		k.waitGone(created)
		k.waitGone(swapped)
	}
}

// presentUntilExpiry uses a ttl of nearly two seconds, so that a store that
// truncates it to seconds is one second short. A call that returns at the end
// of the ttl, or close to it, is ignored.
func presentUntilExpiry(k *kit) {
	const ttl, margin = 1950 * time.Millisecond, short / 2
	created, swapped := k.key(), k.key()
	start := time.Now()
	k.create(swapped, first)
	k.swap(created, nil, first, ttl)
	k.swap(swapped, first, first, ttl)
	for end := start.Add(ttl - margin); time.Now().Before(end); time.Sleep(short / 5) {
		k.mustLive(created, end)
		k.mustLive(swapped, end)
	}
	k.waitGone(created)
	k.waitGone(swapped)
}

// mustLive reads a record and tries to create it.
func (k *kit) mustLive(key string, end time.Time) {
	k.Helper()
	_, ok := k.get(key)
	replaced := k.swap(key, nil, second, short)
	switch left := time.Until(end); {
	case left <= 0: // it may have expired meanwhile
	case !ok:
		k.fatalf("the record is absent %v before its end", left)
	case replaced:
		k.fatalf("nil replaced the record %v before its end", left)
	}
}

// longTTL uses ttls that become one unit or a negative number if they are
// counted in a unit and stored in 32 bits: the record soon expires, or is
// refused.
func longTTL(k *kit) {
	keys := make(map[time.Duration]string)
	defer func() {
		for _, key := range keys {
			k.stores[0].Delete(k.ctx, key)
		}
	}()
	for _, ttl := range longTTLs() {
		key := k.key()
		keys[ttl] = key
		if !k.swap(key, nil, first, ttl) || !k.swap(key, first, second, ttl) {
			k.Errorf("%v: not created, or absent at once", ttl)
		}
	}
	time.Sleep(1100 * time.Millisecond) // longer than 1 of the longest unit
	for ttl, key := range keys {
		if value, ok := k.get(key); !ok || string(value) != string(second) {
			k.Errorf("a record with a ttl of %v: %s, %v", ttl, shown(value), ok)
		}
	}
}

func longTTLs() []time.Duration {
	lives := []time.Duration{366 * 24 * time.Hour, math.MaxInt64}
	for _, unit := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		lives = append(lives, (1<<31+1)*unit, (1<<32+1)*unit)
	}
	return lives
}
