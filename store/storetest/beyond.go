package storetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// RunLongLives checks times to live of days and years, with the fake clock of
// testing/synctest. Use it for a store that measures time by package time and
// makes no network calls: during a network call the fake clock does not
// advance, and the test would not end. RunLongLives calls open once in each
// bubble.
func RunLongLives(t *testing.T, open func(t *testing.T) store.Store) {
	for _, life := range []time.Duration{36 * time.Hour, 40 * 24 * time.Hour, 366 * 24 * time.Hour} {
		t.Run(life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one := open(t)
				longLived(&kit{reporter: t, stores: [2]store.Store{one, one}, ctx: t.Context(), patience: 20 * time.Second}, life)
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

// RunBlocked checks that no call blocks forever while the store does not
// answer.
//
// Block must make writes of key wait until release is called, for example by a
// transaction that locks the row or the whole database, or by pausing the
// server. Reads may wait too. RunBlocked checks that a write with a deadline
// returns an error after the deadline, and that a write without a deadline
// returns an error by itself. It also checks that each write then has happened
// completely or not at all.
//
// RunBlocked takes twice the time that the store lets a call without a deadline
// wait.
func RunBlocked(t *testing.T, open func(t *testing.T) store.Store, block func(t *testing.T, key string) (release func())) {
	for _, rule := range blockedRules {
		t.Run(rule.name, func(t *testing.T) {
			one := open(t)
			k := newKit(t, t, one, one)
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

// endsInTime waits much longer than the deadline, because the machine may be
// busy. It abandons a call that does not return.
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
		k.Errorf("%s has not returned %v after the call", what, k.patience)
	}
}
