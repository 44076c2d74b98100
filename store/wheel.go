package store

import "math/bits"

// A wheel is a hierarchical timing wheel: it orders slots by the time at which
// they come due. Times are in ticks, written as hexadecimal digits. A slot lies
// in the bucket of the first digit in which its time differs from the time of
// the wheel. When the wheel reaches a bucket, its slots come up: the slots of
// the last digit are due, and all others are filed again by a later digit. So a
// slot moves at most once per digit, however many slots there are.
//
// Buckets are rings of links, so that a slot can be removed from any position.
// Two more rings hold the slots that have come up and the free slots.
type wheel struct {
	now      int64          // ticks; no slot is filed earlier
	occupied [digits]uint16 // buckets that may hold slots
	links    []link         // heads of the rings, then one for each slot
}

type link struct{ next, prev uint32 }

const (
	tickBits  = 20 // a tick is 2^20 ns, about a millisecond
	digitBits = 4
	digits    = 10 // enough for 36 years
	radix     = 1 << digitBits

	upRing   = digits * radix
	freeRing = upRing + 1
	rings    = freeRing + 1
)

// file puts a slot where it comes up at the time when, in nanoseconds, or up to
// one tick later. The slot may already be filed or be in any other ring.
func (w *wheel) file(slot uint32, when int64) {
	tick := max((when+1<<tickBits-1)>>tickBits, w.now)
	digit := max(0, bits.Len64(uint64(tick^w.now))-1) / digitBits
	bucket := int(tick>>(digit*digitBits)) % radix
	w.occupied[digit] |= 1 << bucket
	w.move(slot, uint32(digit*radix+bucket))
}

// due returns a slot that has come up at the time when, in nanoseconds. The
// caller must file or free the slot before it calls due again.
func (w *wheel) due(when int64) (slot uint32, ok bool) {
	if len(w.links) == 0 {
		return 0, false
	}
	for {
		if slot, ok := w.first(upRing); ok {
			return slot, true
		}
		if !w.turn(when >> tickBits) {
			return 0, false
		}
	}
}

// turn advances the wheel to the next bucket that may hold slots, and brings
// that bucket up. If now comes first, turn advances to now and returns false.
func (w *wheel) turn(now int64) bool {
	if now <= w.now {
		return false
	}
	for digit, occupied := range w.occupied {
		if occupied == 0 {
			continue
		}
		bucket := bits.TrailingZeros16(occupied)
		start := (w.now>>(digit*digitBits)&^(radix-1) | int64(bucket)) << (digit * digitBits)
		if start > now {
			break // buckets of earlier digits begin later still
		}
		w.now = start
		w.occupied[digit] &^= 1 << bucket
		w.bringUp(uint32(digit*radix + bucket))
		return true
	}
	w.now = now
	return false
}

// bringUp moves the slots of a ring to the upRing, which is empty.
func (w *wheel) bringUp(ring uint32) {
	l := w.links[ring]
	if l.next == ring {
		return
	}
	w.links[upRing] = l
	w.links[l.next].prev = upRing
	w.links[l.prev].next = upRing
	w.links[ring] = link{ring, ring}
}

// add makes a link for one more slot, in no ring.
func (w *wheel) add() {
	if len(w.links) == 0 {
		w.links = make([]link, rings)
		for i := range uint32(rings) {
			w.links[i] = link{i, i}
		}
	}
	at := uint32(len(w.links))
	w.links = push(w.links, link{at, at})
}

func (w *wheel) free(slot uint32) { w.move(slot, freeRing) }

// reuse returns a free slot, which stays in its ring until it is filed.
func (w *wheel) reuse() (slot uint32, ok bool) {
	if len(w.links) == 0 {
		return 0, false
	}
	return w.first(freeRing)
}

func (w *wheel) first(ring uint32) (slot uint32, ok bool) {
	at := w.links[ring].next
	if at == ring {
		return 0, false
	}
	return at - rings, true
}

// move removes a slot from its ring and puts it first in another ring.
func (w *wheel) move(slot, ring uint32) {
	at := slot + rings
	l := w.links[at]
	w.links[l.prev].next = l.next
	w.links[l.next].prev = l.prev

	next := w.links[ring].next
	w.links[at] = link{next, ring}
	w.links[next].prev = at
	w.links[ring].next = at
}
