package store

import (
	"bytes"
	"hash/maphash"
	"sync"
)

// A shard keeps the records whose hashes share their first bits. Each record
// has a slot number, by which the index finds it and the wheel expires it.
type shard struct {
	mu      sync.Mutex
	calls   uint32
	live    int
	dropped int // bytes of records that were replaced or removed in this call
	seed    maphash.Seed
	records []record // by slot
	index   []uint32 // slot+1 where a record is, 0 where there is none
	wheel   wheel
	chunks
}

// A record has no pointers, for the garbage collector.
type record struct {
	expires int64 // 0 in a free slot
	hash    uint32
	place   place
}

// slotCost is the maximum memory of a slot, used or free: record, link and
// index, including the spare capacity of these lists.
const slotCost = 46

func (s *shard) get(key string, hash uint32, now int64) ([]byte, bool) {
	slot, ok := s.find(key, hash)
	if !ok || s.records[slot].expires <= now {
		return nil, false
	}
	return valueOf(s.at(s.records[slot].place)), true
}

// A write holds the arguments of CompareAndSwap.
type write struct {
	key          string
	hash         uint32
	old, new     []byte
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
		return s.create(w)
	}
	r := &s.records[slot]
	value := valueOf(s.at(r.place))
	if !bytes.Equal(value, w.old) {
		return false, true
	}
	limit := w.limit
	if len(w.new) <= len(value) {
		limit = unlimited // a logout must not fail; the old bytes become waste
	}
	p, ok := s.put(w.key, w.new, limit)
	if !ok {
		return false, false
	}
	s.discard(r.place)
	sooner := w.expires < r.expires
	r.place, r.expires = p, w.expires
	if sooner { // otherwise it is filed again when it comes up
		s.wheel.file(slot, w.expires)
	}
	return true, true
}

// create does w for a key that is absent.
func (s *shard) create(w write) (swapped, fits bool) {
	n := int64(slotCost)
	if _, free := s.wheel.reuse(); free {
		n = 0
	}
	if !reserve(s.used, n, w.limit) {
		return false, false
	}
	p, ok := s.put(w.key, w.new, w.limit)
	if !ok {
		s.used.Add(-n)
		return false, false
	}
	s.insert(record{w.expires, w.hash, p})
	return true, true
}

func (s *shard) insert(r record) {
	slot, ok := s.wheel.reuse()
	if !ok {
		slot = uint32(len(s.records))
		s.records = push(s.records, record{})
		s.wheel.add()
	}
	s.records[slot] = r
	s.wheel.file(slot, r.expires)
	s.live++
	s.enter(slot)
}

func (s *shard) remove(slot uint32) {
	s.leave(slot)
	s.discard(s.records[slot].place)
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

// discard makes a record waste.
func (s *shard) discard(p place) {
	s.dropped += sizeOf(s.at(p))
	s.drop(p)
}

// tidy ends a call on the shard: it removes a few expired records, and compacts. A chunk
// with more waste than one part of wasteParts makes room for n bytes once compaction has
// looked at wasteParts*n of it. So waste does not grow further, for records of any size.
func (s *shard) tidy(now int64) {
	s.expire(now, batch)
	s.compact(min(max(minLook, wasteParts*s.dropped), chunkSize), wasteParts)
	s.dropped = 0
}

// compact looks at records of chunks with much waste, limit bytes or one record more, and
// copies those that are in use. It returns how many bytes it has looked at.
func (s *shard) compact(limit, parts int) (looked int) {
	for looked < limit {
		from, size, ok := s.next(parts)
		if !ok {
			return looked
		}
		looked += size
		if slot, ok := s.slotAt(from); ok {
			to, ok := s.move(from)
			if !ok {
				return looked
			}
			s.records[slot].place = to
		}
	}
	return looked
}

// shrink rebuilds the shard without its free slots. The other slots get new
// numbers.
func (s *shard) shrink() {
	records := s.records
	s.live, s.records, s.index = 0, nil, nil
	s.wheel = wheel{now: s.wheel.now}
	for _, r := range records {
		if r.expires != 0 {
			s.insert(r)
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
