package main

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/storetest"
)

func newBolt(t *testing.T) *boltStore {
	t.Helper()
	s, err := openBolt(filepath.Join(t.TempDir(), "auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The two kits are all that a store of your own needs.

func TestBoltKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return newBolt(t) })
}

func TestBoltKeepsLogins(t *testing.T) {
	t.Parallel()
	storetest.RunLogins(t, func(t *testing.T) store.Store { return newBolt(t) })
}

// A store that can make its writes wait also runs this one.
func TestBoltHeedsDeadlines(t *testing.T) {
	t.Parallel()
	var s *boltStore
	storetest.RunBlocked(t, func(t *testing.T) store.Store {
		s = newBolt(t)
		return s
	}, func(*testing.T, string) func() {
		s.write <- struct{}{} // a writer that does not end
		return func() { <-s.write }
	})
}

func TestBoltDeletesExpiredRecords(t *testing.T) {
	s, ctx := newBolt(t), context.Background()
	for n, ttl := range []time.Duration{time.Nanosecond, time.Hour, time.Nanosecond} {
		if _, err := s.CompareAndSwap(ctx, fmt.Sprint("key", n), nil, []byte("value"), ttl); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(5 * time.Millisecond)
	if n, err := s.DeleteExpired(ctx); n != 2 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	if _, ok, err := s.Get(ctx, "key1"); !ok || err != nil {
		t.Errorf("a live record: %v, %v", ok, err)
	}
}

func TestAFileOfBoltIsKept(t *testing.T) {
	file, ctx := filepath.Join(t.TempDir(), "auth.db"), context.Background()
	for n := range 2 {
		s, err := openBolt(file)
		if err != nil {
			t.Fatal(err)
		}
		created, err := s.CompareAndSwap(ctx, "key", nil, []byte("value"), time.Hour)
		if created != (n == 0) || err != nil {
			t.Errorf("opened %d times: created %v, %v", n+1, created, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, _, err := s.Get(ctx, "key"); err == nil {
			t.Error("a closed store answers")
		}
	}
}
