package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/authlatch/auth/store"
)

// mapStore is a [store.Store] in a map. A backend on a server does the same in
// one atomic statement or script, with the server's clock.
type mapStore struct {
	mu      sync.Mutex
	records map[string]record
}

type record struct {
	value []byte
	ends  time.Time
}

// live returns the value under key, or nil if it is absent or has expired.
func (s *mapStore) live(key string) []byte {
	if r, ok := s.records[key]; ok && time.Now().Before(r.ends) {
		return r.value
	}
	delete(s.records, key)
	return nil
}

func (s *mapStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := errors.Join(ctx.Err(), store.CheckKey(key)); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value := s.live(key)
	return value, value != nil, nil
}

func (s *mapStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if err := errors.Join(ctx.Err(), store.CheckKey(key), store.CheckValue(old, new), store.CheckTTL(ttl)); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value := s.live(key); !bytes.Equal(value, old) { // values are never empty, so a nil old equals only absence
		return false, nil
	}
	s.records[key] = record{bytes.Clone(new), time.Now().Add(ttl)}
	return true, nil
}

func (s *mapStore) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), store.CheckKey(key)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, key)
	return nil
}

// A backend of your own has three methods, checks its arguments and copies the
// values that it keeps. Package storetest tests it.
func ExampleStore() {
	var s store.Store = &mapStore{records: make(map[string]record)}
	ctx := context.Background()

	created, err := s.CompareAndSwap(ctx, "greeting", nil, []byte("hello"), time.Hour)
	fmt.Println(created, err)
	value, ok, err := s.Get(ctx, "greeting")
	fmt.Println(string(value), ok, err)
	_, err = s.CompareAndSwap(ctx, "no spaces", nil, []byte("hello"), time.Hour)
	fmt.Println(err)
	// Output:
	// true <nil>
	// hello true <nil>
	// store: key is not printable ASCII without space
}
