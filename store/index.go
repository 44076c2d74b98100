package store

import "hash/maphash"

// The index of a shard is an open hash table with linear probing: a record is
// entered at its home place, or else at the next empty place, wrapping around
// at the end. No place between the home of a record and the record is empty.
// The index takes about six bytes per record, without pointers for the garbage
// collector.

// find returns the slot of key.
func (s *shard) find(key string, hash uint32) (slot uint32, ok bool) {
	if s.live == 0 {
		return 0, false
	}
	for at := s.home(hash); s.index[at] != 0; at = s.after(at) {
		slot := s.index[at] - 1
		if r := &s.records[slot]; r.hash == hash && string(keyOf(s.at(r.place))) == key {
			return slot, true
		}
	}
	return 0, false
}

// slotAt returns the slot of the record at a place, unless the record there is
// no longer in use.
func (s *shard) slotAt(p place) (slot uint32, ok bool) {
	if s.live == 0 {
		return 0, false
	}
	hash := uint32(maphash.Bytes(s.seed, keyOf(s.chunks.at(p))))
	for at := s.home(hash); s.index[at] != 0; at = s.after(at) {
		slot := s.index[at] - 1
		if s.records[slot].place == p {
			return slot, true
		}
	}
	return 0, false
}

// enter puts a slot into the index. At least a quarter of the index stays
// empty.
func (s *shard) enter(slot uint32) {
	if n := len(s.index); s.live > n/4*3 {
		old := s.index
		s.index = make([]uint32, n+n/3+8)
		for _, entry := range old {
			if entry != 0 {
				s.place(entry)
			}
		}
	}
	s.place(slot + 1)
}

func (s *shard) place(entry uint32) {
	at := s.home(s.records[entry-1].hash)
	for s.index[at] != 0 {
		at = s.after(at)
	}
	s.index[at] = entry
}

// leave removes a slot from the index. Entries after it move back as far as
// their homes allow.
func (s *shard) leave(slot uint32) {
	gap := s.home(s.records[slot].hash)
	for s.index[gap] != slot+1 {
		gap = s.after(gap)
	}
	for at := s.after(gap); s.index[at] != 0; at = s.after(at) {
		home := s.home(s.records[s.index[at]-1].hash)
		if s.steps(home, at) >= s.steps(gap, at) {
			s.index[gap] = s.index[at]
			gap = at
		}
	}
	s.index[gap] = 0
}

// home spreads hashes evenly over an index of any length.
func (s *shard) home(hash uint32) int {
	return int(uint64(hash) * uint64(len(s.index)) >> 32)
}

func (s *shard) after(at int) int {
	if at++; at == len(s.index) {
		return 0
	}
	return at
}

// steps returns the number of places from one place forward to another.
func (s *shard) steps(from, to int) int {
	if to < from {
		to += len(s.index)
	}
	return to - from
}
