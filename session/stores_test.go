package session_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth/store"
)

// counted is a store that counts its calls.
type counted struct {
	store.Store
	reads, writes atomic.Int64
}

func (c *counted) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, key)
}

func (c *counted) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	c.writes.Add(1)
	return c.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

func (c *counted) Delete(ctx context.Context, key string) error {
	c.writes.Add(1)
	return c.Store.Delete(ctx, key)
}

// took returns the calls since it was last asked.
func (c *counted) took() (reads, writes int64) { return c.reads.Swap(0), c.writes.Swap(0) }

// calls is [counted.took] for those who do not care what calls there were.
func (c *counted) calls() int64 {
	reads, writes := c.took()
	return reads + writes
}

// hooked is a store before whose calls something happens. An error from the
// hook is the answer.
type hooked struct {
	store.Store
	before func(ctx context.Context, write bool, key string) error
}

func (h *hooked) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := h.before(ctx, false, key); err != nil {
		return nil, false, err
	}
	return h.Store.Get(ctx, key)
}

func (h *hooked) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if err := h.before(ctx, true, key); err != nil {
		return false, err
	}
	return h.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

func (h *hooked) Delete(ctx context.Context, key string) error {
	if err := h.before(ctx, true, key); err != nil {
		return err
	}
	return h.Store.Delete(ctx, key)
}

// mapStore is the plainest store there is. Tests look into it and break it.
type mapStore struct {
	mu     sync.Mutex
	values map[string][]byte
	ends   map[string]time.Time
}

func (s *mapStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.live(key)
	return value, ok, ctx.Err()
}

func (s *mapStore) live(key string) ([]byte, bool) {
	value, ok := s.values[key]
	return value, ok && s.ends[key].After(time.Now())
}

func (s *mapStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if ttl <= 0 || len(new) == 0 || len(new) > store.MaxValue || old != nil && len(old) == 0 {
		return false, errors.New("against the contract")
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, ok := s.live(key); ok != (old != nil) || !bytes.Equal(now, old) {
		return false, nil
	}
	s.put(key, bytes.Clone(new), time.Now().Add(ttl))
	return true, nil
}

func (s *mapStore) put(key string, value []byte, ends time.Time) {
	if s.values == nil {
		s.values, s.ends = make(map[string][]byte), make(map[string]time.Time)
	}
	s.values[key], s.ends[key] = value, ends
}

func (s *mapStore) Delete(ctx context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return ctx.Err()
}

// dump returns all that is stored.
func (s *mapStore) dump() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values)
}
