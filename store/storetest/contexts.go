package storetest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"time"
)

func endedContext(k *kit) {
	absent, present := k.key(), k.key()
	k.create(present, first)
	canceled, cancel := context.WithCancel(k.ctx)
	cancel()
	late, cancel := context.WithDeadline(k.ctx, time.Now().Add(-time.Second))
	defer cancel()
	s := k.stores[0]
	for _, ctx := range []context.Context{canceled, late} {
		if value, ok, err := s.Get(ctx, present); err == nil || ok || value != nil {
			k.Errorf("Get: %q, %v, %v", value, ok, err)
		}
		if swapped, err := s.CompareAndSwap(ctx, absent, nil, second, alive); err == nil || swapped {
			k.Errorf("create: %v, %v", swapped, err)
		}
		if swapped, err := s.CompareAndSwap(ctx, present, first, second, alive); err == nil || swapped {
			k.Errorf("swap: %v, %v", swapped, err)
		}
		if err := s.Delete(ctx, present); err == nil {
			k.Errorf("Delete: no error")
		}
	}
	for range 2 {
		k.wantAbsent(absent)
		k.wantValue(present, first)
		time.Sleep(2 * short) // no write happens later either
	}
	k.wantAbsent(absent)
	k.wantValue(present, first)
}

// canceledContext cancels swaps at random moments. After an error the swap may
// or may not have happened; true and false are definite.
func canceledContext(k *kit) {
	old, new := bytes.Repeat(first, 5000), bytes.Repeat(second, 5000)
	for range 50 {
		key := k.key()
		k.create(key, old)
		ctx, cancel := context.WithTimeout(k.ctx, rand.N(2*time.Millisecond))
		swapped, err := k.stores[0].CompareAndSwap(ctx, key, old, new, alive)
		cancel()
		value, _ := k.get(key)
		switch {
		case err != nil && swapped:
			k.fatalf("swapped is true with an error: %v", err)
		case err != nil && !bytes.Equal(value, old) && !bytes.Equal(value, new):
			k.fatalf("half a write: %s", shown(value))
		case err == nil && !swapped:
			k.fatalf("swapped is false, although the value was old")
		case err == nil && !bytes.Equal(value, new):
			k.fatalf("swapped is true, and the value is %s", shown(value))
		}
		k.delete(key)
	}
}

// canceledWriteIsNoRollback writes after swaps whose outcome is unknown. Such a swap
// may happen late, but only if the value is still its old value.
func canceledWriteIsNoRollback(k *kit) {
	var later []string
	for range 20 {
		key := k.key()
		k.create(key, first)
		ctx, cancel := context.WithTimeout(k.ctx, rand.N(time.Millisecond))
		k.stores[0].CompareAndSwap(ctx, key, first, second, alive)
		cancel()
		if k.swap(key, first, third, alive) {
			later = append(later, key)
		} else {
			k.wantValue(key, second)
		}
	}
	time.Sleep(4 * short)
	for _, key := range later {
		k.wantValue(key, third)
	}
}
