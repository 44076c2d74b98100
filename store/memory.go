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

// ErrFull is wrapped by the error that [Memory.CompareAndSwap] returns when a
// write does not fit into MaxBytes. Nothing has been written in this case.
var ErrFull = errors.New("store: memory is full")

// Memory is a [Store] in the memory of one process. Use it for tests, and for
// applications that run as a single process. Its records are lost when the
// process ends. The zero value is an empty store, ready to use. A Memory must
// not be copied after first use. All methods are safe for concurrent use.
//
// Memory starts no goroutine. Each call, reads included, removes a few expired
// records, so a store in use frees their memory. Memory measures time by the
// monotonic clock, which changes of the system clock do not affect. A ttl of more
// than 18 years counts as 18 years.
type Memory struct {
	// MaxBytes limits the memory that records take: chunks of memory with keys and
	// values, and 46 bytes for each record slot. A fixed cost of less than one
	// megabyte is not counted. Zero means 1 GiB. If MaxBytes is negative, every
	// write is an error. Set it before first use.
	//
	// A full store rejects new records and longer values with [ErrFull]. It
	// never evicts a record that has not expired, because that would end a
	// login early. It accepts a value that is not longer than the old one, such
	// as the end of a login. By such writes it may take an eighth more than
	// MaxBytes.
	MaxBytes int64

	once   sync.Once
	base   time.Time
	seed   maphash.Seed
	used   atomic.Int64 // bytes that MaxBytes limits
	shards []shard
}

const (
	shardBits  = 8
	shardCount = 1 << shardBits

	defaultMaxBytes = 1 << 30

	// maxTTL is 18 years, which is within the range of the wheel.
	maxTTL = 1 << 59 * time.Nanosecond
)

// Get implements [Store]. It returns the stored bytes without copying or
// allocating; they must not be modified. A caller that keeps them for long should
// keep a copy, because they keep up to 64 KiB of memory around them from being
// freed. Get returns the error of ctx, or an error if key is invalid.
func (m *Memory) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := check(ctx, key); err != nil {
		return nil, false, err
	}
	s, hash, now := m.open(key)
	value, ok = s.get(key, hash, now)
	m.close(s, now)
	return value, ok, nil
}

// CompareAndSwap implements [Store]. The error wraps [ErrFull] if new does not
// fit even after all expired records are removed. Unlike in [Store], the
// outcome is never unknown: after an error nothing has been written.
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
	for last := false; ; last = true {
		s, hash, now := m.open(key)
		swapped, fits := s.swap(write{key, hash, old, new, now, now + int64(min(ttl, maxTTL)), limit})
		m.close(s, now)
		if fits {
			return swapped, nil
		}
		if last {
			return false, fmt.Errorf("%w: %d bytes do not fit, MaxBytes is %d", ErrFull, header+len(key)+len(new)+slotCost, limit)
		}
		m.sweep(now)
	}
}

// Delete implements [Store]. It returns the error of ctx, or an error if key is
// invalid.
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

// open returns the locked shard of key, the part of the key's hash that the
// shard uses, and the time in nanoseconds.
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
		m.shards[i].seed = m.seed
		m.shards[i].chunks = chunks{used: &m.used, open: none, offset: none}
	}
}

// Limits of the work that a call does for other records.
const (
	batch      = 8  // expired records removed per call and shard
	roundOf    = 8  // every roundOf-th call on a shard also visits another shard
	sweepBatch = 64 // expired records removed under one lock when the store is full

	// Limits of what compaction looks at, in bytes.
	minLook   = 2 << 10 // per call and shard, where little has become waste in this call
	sweepLook = 8 << 10 // under one lock when the store is full
	sweepAll  = 1 << 20 // in all when the store is full
)

// close removes a few expired records from s and unlocks it. Every roundOf-th
// call also visits another shard, in turn, so that a shard without calls does
// not keep expired records.
func (m *Memory) close(s *shard, now int64) {
	s.tidy(now)
	s.calls++
	calls := s.calls
	s.mu.Unlock()
	if calls%roundOf != 0 {
		return
	}
	other := &m.shards[calls/roundOf%shardCount]
	if other.mu.TryLock() {
		other.tidy(now)
		other.mu.Unlock()
	}
}

// sweep removes all expired records, excess free slots, and waste. What it does for waste is
// bounded, because replacements in a full store never stop making more of it.
func (m *Memory) sweep(now int64) {
	left := sweepAll
	for i := range m.shards {
		s := &m.shards[i]
		for more := true; more; {
			s.mu.Lock()
			more = s.expire(now, sweepBatch)
			looked := s.compact(min(left, sweepLook), wastePartsFull)
			left -= looked
			more = more || looked > 0
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
