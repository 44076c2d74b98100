package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// reporter is the part of testing.T that rules need. Tests of this package use
// another implementation to see rules fail.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
	Context() context.Context
}

// A kit is what a rule works with: a store, possibly a second view of its
// records, and calls that fail the test if the store returns an error.
type kit struct {
	reporter
	stores [2]store.Store // the same store twice if open gives only one view
	shared bool           // whether the two stores share their records
	ctx    context.Context

	t        *testing.T    // for bubbles; failures go to the reporter
	patience time.Duration // how long to wait for what must happen eventually
	budget   time.Duration // how long a rule starts new rounds
	race     time.Duration // how long a rule repeats a race
	lasting  bool          // another rule has seen that records do not expire
}

const (
	alive = time.Minute           // longer than any rule takes
	short = 50 * time.Millisecond // rules wait until it has passed
)

func newKit(t *testing.T, r reporter, one, other store.Store) *kit {
	k := &kit{reporter: r, stores: [2]store.Store{one, one}, ctx: r.Context(), t: t,
		patience: 20 * time.Second, budget: 4 * time.Second, race: 2 * time.Second}
	key := k.key()
	k.create(key, []byte("probe"))
	if _, ok, err := other.Get(k.ctx, key); ok && err == nil {
		k.stores[1], k.shared = other, true
	}
	k.delete(key)
	return k
}

// fatalf must be called from the goroutine of the test.
func (k *kit) fatalf(format string, args ...any) {
	k.Helper()
	k.Errorf(format, args...)
	k.FailNow()
}

// key returns a key that was never used.
func (k *kit) key() string { return "storetest:" + rand.Text() }

func (k *kit) get(key string) (value []byte, ok bool) {
	k.Helper()
	value, ok, err := k.stores[0].Get(k.ctx, key)
	if err != nil {
		k.fatalf("Get: %v", err)
	}
	return value, ok
}

func (k *kit) swap(key string, old, new []byte, ttl time.Duration) bool {
	k.Helper()
	swapped, err := k.stores[0].CompareAndSwap(k.ctx, key, old, new, ttl)
	if err != nil {
		k.fatalf("CompareAndSwap: %v", err)
	}
	return swapped
}

func (k *kit) delete(key string) {
	k.Helper()
	if err := k.stores[0].Delete(k.ctx, key); err != nil {
		k.fatalf("Delete: %v", err)
	}
}

// create writes a record that outlives the test.
func (k *kit) create(key string, value []byte) {
	k.Helper()
	if !k.swap(key, nil, value, alive) {
		k.fatalf("CompareAndSwap did not create a new key")
	}
}

// mustSwap swaps a value that is old.
func (k *kit) mustSwap(key string, old, new []byte, ttl time.Duration) {
	k.Helper()
	if !k.swap(key, old, new, ttl) {
		k.fatalf("swapped is false, although the value was old")
	}
}

// mustNotSwap makes a swap that must return false.
func (k *kit) mustNotSwap(key string, old, new []byte, ttl time.Duration) {
	k.Helper()
	if k.swap(key, old, new, ttl) {
		k.fatalf("swapped is true, although the value was not old")
	}
}

// mustRefuse makes a call of CompareAndSwap that must return an error.
func (k *kit) mustRefuse(what, key string, old, new []byte, ttl time.Duration) {
	k.Helper()
	swapped, err := k.stores[0].CompareAndSwap(k.ctx, key, old, new, ttl)
	if err == nil {
		k.Errorf("%s: no error", what)
	}
	if swapped {
		k.Errorf("%s: swapped", what)
	}
}

func (k *kit) wantValue(key string, want []byte) {
	k.Helper()
	got, ok := k.get(key)
	if !ok {
		k.fatalf("the record is absent")
	}
	if !bytes.Equal(got, want) {
		k.fatalf("the value is %s, want %s", shown(got), shown(want))
	}
}

func (k *kit) wantAbsent(key string) {
	k.Helper()
	if value, ok := k.get(key); ok {
		k.fatalf("the record is present: %s", shown(value))
	}
}

var errPresent = errors.New("a record is still present after its time to live")

// waitGone waits until a record has expired. It waits only for a moment if another
// rule has waited in vain.
func (k *kit) waitGone(key string) {
	k.Helper()
	patience := k.patience
	if k.lasting {
		patience = min(patience, time.Second)
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(short / 10) {
		if _, ok := k.get(key); !ok {
			return
		}
	}
	k.fatalf("%v, and %v more", errPresent, patience)
}

// shown returns the beginning of a value in quotes.
func shown(value []byte) string {
	const limit = 40
	text := fmt.Sprintf("%.*q", limit, value)
	if len(value) > limit {
		text += "…"
	}
	return text
}
