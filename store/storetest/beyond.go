package storetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// RunLongLives checks that records live for days and years, by the fake clock
// of testing/synctest. It is for stores that measure time by package time and
// ask no server: over a network connection the fake clock would stand still for
// ever. It calls open in each of its bubbles.
func RunLongLives(t *testing.T, open func(t *testing.T) store.Store) {
	for _, life := range []time.Duration{36 * time.Hour, 40 * 24 * time.Hour, 366 * 24 * time.Hour} {
		t.Run(life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one := open(t)
				longLived(&kit{t, [2]store.Store{one, one}, t.Context(), 20 * time.Second}, life)
			})
		})
	}
}

func longLived(k *kit, life time.Duration) {
	created, swapped := k.key(), k.key()
	k.swap(created, nil, first, life)
	k.create(swapped, second)
	k.mustSwap(swapped, second, first, life)
	time.Sleep(life - time.Second)
	k.wantValue(created, first)
	k.wantValue(swapped, first)
	time.Sleep(2 * time.Second)
	k.waitGone(created)
	k.waitGone(swapped)
}

// RunBlocked checks that no call hangs while the store cannot answer.
//
// Block makes writes of key wait until release is called: by a transaction that
// holds its row or the whole database, or by a server that is paused. Reads may
// wait too. RunBlocked then checks that a write with a deadline ends after it,
// that a write without a deadline ends by itself, both with an error, and that
// afterwards the store has the whole write or none of it.
//
// It takes as long as the store lets a call without a deadline wait, twice.
func RunBlocked(t *testing.T, open func(t *testing.T) store.Store, block func(t *testing.T, key string) (release func())) {
	for _, rule := range blockedRules {
		t.Run(rule.name, func(t *testing.T) {
			one := open(t)
			k := newKit(t, one, one)
			rule.check(k, func(key string) func() { return block(t, key) })
		})
	}
}

var blockedRules = []struct {
	name  string
	check func(k *kit, block func(key string) (release func()))
}{
	{"a call ends with its deadline", blockedUntilDeadline},
	{"a call without a deadline ends by itself", blockedWithoutDeadline},
}

func blockedUntilDeadline(k *kit, block func(key string) (release func())) {
	k.blocked(block, 2*short)
}

func blockedWithoutDeadline(k *kit, block func(key string) (release func())) {
	k.blocked(block, 0)
}

func (k *kit) blocked(block func(key string) (release func()), deadline time.Duration) {
	key := k.key()
	k.create(key, first)
	release := block(key)
	k.endsInTime("CompareAndSwap", deadline, func(ctx context.Context) error {
		_, err := k.stores[0].CompareAndSwap(ctx, key, first, second, alive)
		return err
	})
	k.endsInTime("Delete", deadline, func(ctx context.Context) error {
		return k.stores[0].Delete(ctx, key)
	})
	release()
	if value, ok := k.get(key); ok && string(value) != string(first) && string(value) != string(second) {
		k.Errorf("half a write: %s", shown(value))
	}
	k.delete(key)
	k.wantAbsent(key)
}

// endsInTime waits much longer than the deadline, since the machine may be
// busy, and leaves a call alone that does not end.
func (k *kit) endsInTime(what string, deadline time.Duration, call func(ctx context.Context) error) {
	k.Helper()
	ctx, cancel := context.WithoutCancel(k.ctx), context.CancelFunc(func() {})
	if deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, deadline)
	}
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- call(ctx) }()
	select {
	case err := <-ended:
		if err == nil {
			k.Errorf("%s was not blocked, or returned no error", what)
		}
	case <-time.After(k.patience):
		k.Errorf("%s has not ended %v after it was called", what, k.patience)
	}
}
