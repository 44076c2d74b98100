package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"time"

	"github.com/authlatch/auth/store"
)

// reporter is what rules need of testing.T. The tests of this package pass
// one of their own, to see that rules fail.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
	Context() context.Context
}

// A kit is what a rule works with: a store, perhaps a second view of it, and
// calls that fail the test when the store errs.
type kit struct {
	reporter
	stores [2]store.Store // the same one twice if open gives only one view
	ctx    context.Context

	patience time.Duration // for what must happen at some time
}

const (
	alive = time.Minute           // no rule takes as long
	short = 50 * time.Millisecond // a rule waits for its end
)

func newKit(r reporter, one, other store.Store) *kit {
	k := &kit{r, [2]store.Store{one, one}, r.Context(), 20 * time.Second}
	key := k.key()
	k.create(key, []byte("probe"))
	if _, ok, err := other.Get(k.ctx, key); ok && err == nil {
		k.stores[1] = other
	}
	k.delete(key)
	return k
}

// fatalf may be called by the goroutine of the test only.
func (k *kit) fatalf(format string, args ...any) {
	k.Helper()
	k.Errorf(format, args...)
	k.FailNow()
}

// key returns a key that nobody has used.
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

// create makes a record that outlives the test.
func (k *kit) create(key string, value []byte) {
	k.Helper()
	if !k.swap(key, nil, value, alive) {
		k.fatalf("a new key could not be created")
	}
}

// mustSwap changes a value that is old.
func (k *kit) mustSwap(key string, old, new []byte, ttl time.Duration) {
	k.Helper()
	if !k.swap(key, old, new, ttl) {
		k.fatalf("the value was old, and yet swapped is false")
	}
}

// mustNotSwap makes a swap that cannot happen.
func (k *kit) mustNotSwap(key string, old, new []byte, ttl time.Duration) {
	k.Helper()
	if k.swap(key, old, new, ttl) {
		k.fatalf("swapped is true, and the value was not old")
	}
}

// mustRefuse makes a call of CompareAndSwap that is an error.
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
		k.fatalf("there is a record: %s", shown(value))
	}
}

// waitGone waits until a record has expired.
func (k *kit) waitGone(key string) {
	k.Helper()
	for start := time.Now(); time.Since(start) < k.patience; time.Sleep(short / 10) {
		if _, ok := k.get(key); !ok {
			return
		}
	}
	k.fatalf("the record is still there after %v", k.patience)
}

// shown cuts a long value.
func shown(value []byte) string {
	const most = 40
	if len(value) > most {
		return string(bytes.ToValidUTF8(value[:most], []byte("?"))) + "…"
	}
	return string(bytes.ToValidUTF8(value, []byte("?")))
}
