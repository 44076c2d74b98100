package store

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull is wrapped by the error of [Memory.CompareAndSwap] when a write does
// not fit into MaxBytes. Nothing has been written then.
var ErrFull = errors.New("store: memory is full")

// Memory is a [Store] in the memory of one process, for applications that
// run as one process, and for tests. What it holds ends with the process. The zero
// value is an empty store, ready to use; it must not be copied after first use.
//
// It starts no goroutine. Each call removes a few records that have expired,
// so a store that is used at all, by reads alone even, frees what is over. It
// measures time by the monotonic clock, which no change of the date moves.
//
// All methods may be called by many goroutines at once.
type Memory struct {
	// MaxBytes bounds the memory that records take: keys and values as the
	// allocator rounds them, and 70 bytes for each place that is kept for a
	// record. A fixed cost below one megabyte is not counted. Zero means 1 GiB;
	// with a negative one nothing can be written. Set it before first use.
	//
	// A full store refuses new records and longer values with [ErrFull]. It
	// never drops a record that lives, since a log-in that was promised would
	// end with it.
	MaxBytes int64

	once   sync.Once
	base   time.Time
	seed   maphash.Seed
	used   atomic.Int64 // bytes, as cost counts them
	shards []shard
}

const (
	shardBits  = 8
	shardCount = 1 << shardBits

	defaultMaxBytes = 1 << 30

	// maxTTL is 18 years: far enough, and near enough for the wheel.
	maxTTL = 1 << 59 * time.Nanosecond
)

// Get returns the value under key, as [Store] says. It returns the bytes that
// the store keeps, without copying them and without allocating: they must not
// be changed. The error is that of ctx, or says that key is none.
func (m *Memory) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := check(ctx, key); err != nil {
		return nil, false, err
	}
	s, hash, now := m.open(key)
	value, ok = s.get(key, hash, now)
	m.close(s, now)
	return value, ok, nil
}

// CompareAndSwap sets key to new if its value is old, as [Store] says. The
// error wraps [ErrFull] if new does not fit, even after everything that has
// expired is removed. No error of Memory leaves the outcome unknown: nothing
// has been written.
func (m *Memory) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := check(ctx, key); err != nil {
		return false, err
	}
	if err := checkWrite(old, new, ttl); err != nil {
		return false, err
	}
	limit, err := m.limit()
	if err != nil {
		return false, err
	}
	data := pack(key, new)
	for last := false; ; last = true {
		s, hash, now := m.open(key)
		swapped, fits := s.swap(write{key, hash, old, data, now, now + int64(min(ttl, maxTTL)), limit})
		m.close(s, now)
		if fits {
			return swapped, nil
		}
		if last {
			return false, fmt.Errorf("%w: no room for %d bytes, MaxBytes is %d", ErrFull, cost(data)+slotCost, limit)
		}
		m.sweep(now)
	}
}

// Delete removes key, as [Store] says. The error is that of ctx, or says that
// key is none.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	s, hash, now := m.open(key)
	if slot, ok := s.find(key, hash); ok {
		s.remove(slot)
	}
	m.close(s, now)
	return nil
}

// open returns the shard of key, locked, the part of the key's hash by which
// the shard finds it, and the time in nanoseconds.
func (m *Memory) open(key string) (s *shard, hash uint32, now int64) {
	m.once.Do(m.start)
	sum := maphash.String(m.seed, key)
	s = &m.shards[sum>>(64-shardBits)]
	s.mu.Lock()
	return s, uint32(sum), int64(time.Since(m.base))
}

func (m *Memory) start() {
	m.base, m.seed = time.Now(), maphash.MakeSeed()
	m.shards = make([]shard, shardCount)
	for i := range m.shards {
		m.shards[i].used = &m.used
	}
}

// These bound what a call does for records other than its own.
const (
	batch      = 8  // expired records that it removes from a shard
	roundOf    = 8  // every roundOf-th call on a shard also visits another one
	sweepBatch = 64 // expired records removed under one lock when it is full
)

// close removes a few expired records from s and unlocks it. Now and then it
// does the same for another shard, in turn, so that one which nobody asks
// keeps nothing for ever.
func (m *Memory) close(s *shard, now int64) {
	s.expire(now, batch)
	s.calls++
	calls := s.calls
	s.mu.Unlock()
	if calls%roundOf != 0 {
		return
	}
	other := &m.shards[calls/roundOf%shardCount]
	if other.mu.TryLock() {
		other.expire(now, batch)
		other.mu.Unlock()
	}
}

// sweep removes all that has expired, and places that stand empty.
func (m *Memory) sweep(now int64) {
	for i := range m.shards {
		s := &m.shards[i]
		for more := true; more; {
			s.mu.Lock()
			more = s.expire(now, sweepBatch)
			if n := len(s.records); !more && s.live < n-n/8 {
				s.shrink()
			}
			s.mu.Unlock()
		}
	}
}

func (m *Memory) limit() (int64, error) {
	switch {
	case m.MaxBytes < 0:
		return 0, fmt.Errorf("store: MaxBytes is negative: %d", m.MaxBytes)
	case m.MaxBytes == 0:
		return defaultMaxBytes, nil
	default:
		return m.MaxBytes, nil
	}
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return CheckKey(key)
}

func checkWrite(old, new []byte, ttl time.Duration) error {
	if err := CheckValue(old, new); err != nil {
		return err
	}
	return CheckTTL(ttl)
}
