package store

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
)

// A shard keeps the records whose hashes share their first bits. Each record
// has a slot number, by which the index finds it and the wheel expires it.
type shard struct {
	mu      sync.Mutex
	calls   uint32
	used    *atomic.Int64 // of all shards together
	live    int
	records []record // by slot
	hashes  []uint32 // by slot
	index   []uint32 // slot+1 where a record is, 0 where there is none
	wheel   wheel
}

// A record is one heap object: the length of the key, the key, and the value. A
// value never changes in place, because callers of Get hold it.
type record struct {
	data    []byte
	expires int64
}

// pack returns data with the capacity that the allocator gives it, so that cost
// is exact.
func pack(key string, value []byte) []byte {
	data := slices.Grow([]byte(nil), 1+len(key)+len(value))
	data = append(data, byte(len(key)))
	data = append(data, key...)
	return append(data, value...)
}

func (r record) has(key string) bool {
	n := 1 + int(r.data[0])
	return string(r.data[1:n]) == key
}

// value limits the capacity, so that appending to the value copies it.
func (r record) value() []byte {
	n := 1 + int(r.data[0])
	return r.data[n:len(r.data):len(r.data)]
}

// cost returns the heap bytes of the data of a record.
func cost(data []byte) int64 { return int64(cap(data)) }

// slotCost is the maximum memory of a slot, used or free: record, hash, link
// and index, including the spare capacity of these lists.
const slotCost = 70

func (s *shard) get(key string, hash uint32, now int64) ([]byte, bool) {
	slot, ok := s.find(key, hash)
	if !ok || s.records[slot].expires <= now {
		return nil, false
	}
	return s.records[slot].value(), true
}

// A write holds the arguments of CompareAndSwap.
type write struct {
	key          string
	hash         uint32
	old, data    []byte
	now, expires int64
	limit        int64 // of used
}

// swap does w if the current value is w.old. If w does not fit, nothing
// changes.
func (s *shard) swap(w write) (swapped, fits bool) {
	slot, found := s.find(w.key, w.hash)
	if found && s.records[slot].expires <= w.now {
		s.remove(slot)
		found = false
	}
	if found != (w.old != nil) {
		return false, true
	}
	if !found {
		n := cost(w.data)
		if _, free := s.wheel.reuse(); !free {
			n += slotCost
		}
		if !s.reserve(n, w.limit) {
			return false, false
		}
		s.insert(w.hash, record{w.data, w.expires})
		return true, true
	}
	r := &s.records[slot]
	if !bytes.Equal(r.value(), w.old) {
		return false, true
	}
	if !s.reserve(cost(w.data)-cost(r.data), w.limit) {
		return false, false
	}
	sooner := w.expires < r.expires
	*r = record{w.data, w.expires}
	if sooner { // otherwise it is filed again when it comes up
		s.wheel.file(slot, w.expires)
	}
	return true, true
}

// reserve adds n bytes to used, unless that exceeds the limit.
func (s *shard) reserve(n, limit int64) bool {
	for {
		used := s.used.Load()
		if n > 0 && used+n > limit {
			return false
		}
		if s.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (s *shard) insert(hash uint32, r record) {
	slot, ok := s.wheel.reuse()
	if !ok {
		slot = uint32(len(s.records))
		s.records = push(s.records, record{})
		s.hashes = push(s.hashes, 0)
		s.wheel.add()
	}
	s.records[slot], s.hashes[slot] = r, hash
	s.wheel.file(slot, r.expires)
	s.live++
	s.enter(slot)
}

func (s *shard) remove(slot uint32) {
	s.used.Add(-cost(s.records[slot].data))
	s.leave(slot)
	s.wheel.free(slot)
	s.records[slot] = record{}
	s.live--
	if n := len(s.records); n >= 16 && s.live < n/2 {
		s.shrink()
	}
}

// expire removes expired records. It examines at most limit slots, and reports
// whether more may have expired.
func (s *shard) expire(now int64, limit int) (more bool) {
	for range limit {
		slot, ok := s.wheel.due(now)
		if !ok {
			return false
		}
		if expires := s.records[slot].expires; expires > now {
			s.wheel.file(slot, expires)
		} else {
			s.remove(slot)
		}
	}
	return true
}

// shrink rebuilds the shard without its free slots. The other slots get new
// numbers.
func (s *shard) shrink() {
	records, hashes := s.records, s.hashes
	s.live, s.records, s.hashes, s.index = 0, nil, nil, nil
	s.wheel = wheel{now: s.wheel.now}
	for slot, r := range records {
		if r.data != nil {
			s.insert(hashes[slot], r)
		}
	}
	s.used.Add(slotCost * int64(len(s.records)-len(records)))
}

// push appends an element and grows the list by an eighth, because the many
// short lists of all shards would waste memory with larger growth.
func push[T any](list []T, v T) []T {
	if n := len(list); n == cap(list) {
		list = append(make([]T, 0, n+n/8+8), list...)
	}
	return append(list, v)
}
