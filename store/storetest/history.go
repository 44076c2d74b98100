package storetest

import (
	"slices"
	"time"
)

// A history lists the calls of several clients on one key, with their results.
type history []operation

type operation struct {
	kind       kind
	old, new   string        // values; "" means absent; a read stores its result in new
	ok         bool          // the result of the store
	start, end time.Duration // when the call was made, and when it had returned
	client     byte          // the name of the client, if it has one
}

type kind string

const (
	read   kind = "get"
	swap   kind = "swap"
	remove kind = "delete"

	// hidden is a write of which a proof uses nothing: it may leave any value that some
	// call of the history wrote, or none.
	hidden kind = "hidden"
)

// A register is the state of the key in one order of the calls.
type register struct {
	value string
	open  bool // the value is unknown: a hidden write left it
}

// apply applies the operation to a register. possible is false if a register would have
// returned another result.
func (op operation) apply(r register, written map[string]bool) (next register, possible bool) {
	is := func(value string) bool { return r.value == value || r.open && written[value] }
	switch op.kind {
	case read:
		return register{value: op.new}, is(op.new) && op.ok == (op.new != "")
	case swap:
		if op.ok {
			return register{value: op.new}, is(op.old)
		}
		return r, r.open || r.value != op.old
	case remove:
		return register{}, true
	default:
		return register{open: true}, true
	}
}

// linearizable reports whether the calls have an order in which every call
// follows those that had returned before it was made, and in which a single
// register would return the same results (Wing and Gong, 1993).
func (h history) linearizable() bool { return h.linearizableUntil(h.lastEnd(), h.written()) }

// linearizableUntil is linearizable for the calls that had returned at a moment. Those
// that had been made, but had not returned, may have had their effect or not.
func (h history) linearizableUntil(moment time.Duration, written map[string]bool) bool {
	s := search{written: written, failed: make(map[string]bool)}
	for _, op := range h {
		if op.start <= moment {
			s.history = append(s.history, op)
		}
		if op.end <= moment {
			s.returned++
		}
	}
	slices.SortStableFunc(s.history, func(a, b operation) int { return int(a.start - b.start) })
	s.done = make([]bool, len(s.history))
	s.moment = moment
	return s.from(register{}, s.returned)
}

func (h history) lastEnd() (last time.Duration) {
	for _, op := range h {
		last = max(last, op.end)
	}
	return last
}

// written returns the values that the register can have had.
func (h history) written() map[string]bool {
	values := map[string]bool{"": true}
	for _, op := range h {
		if op.kind == swap && op.ok {
			values[op.new] = true
		}
	}
	return values
}

type search struct {
	history
	moment   time.Duration
	returned int // number of calls that had returned at that moment
	written  map[string]bool
	done     []bool
	failed   map[string]bool // states from which no order exists
}

// from reports whether the calls that have returned, of which left remain, have a valid
// order on a register.
func (s *search) from(r register, left int) bool {
	if left == 0 {
		return true
	}
	state := s.state(r)
	if s.failed[state] {
		return false
	}
	for _, i := range s.candidates() {
		if next, possible := s.history[i].apply(r, s.written); possible {
			rest := left
			if s.history[i].end <= s.moment {
				rest--
			}
			s.done[i] = true
			if s.from(next, rest) {
				return true
			}
			s.done[i] = false
		}
	}
	s.failed[state] = true
	return false
}

// candidates returns the calls that may be next: those made before any other
// remaining call had returned.
func (s *search) candidates() (next []int) {
	first := time.Duration(-1)
	for i, op := range s.history {
		if !s.done[i] && (first < 0 || op.end < first) {
			first = op.end
		}
	}
	for i, op := range s.history {
		if !s.done[i] && op.start <= first {
			next = append(next, i)
		}
	}
	return next
}

func (s *search) state(r register) string {
	state := make([]byte, 0, len(s.done)+1+len(r.value))
	for _, done := range s.done {
		state = append(state, bit(done))
	}
	return string(append(append(state, bit(r.open)), r.value...))
}

func bit(set bool) byte {
	if set {
		return '1'
	}
	return '0'
}
