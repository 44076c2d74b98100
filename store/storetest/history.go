package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A history lists the calls of several clients on one key, with their results.
type history []operation

type operation struct {
	kind       kind
	old, new   string        // values; "" means absent; a read stores its result in new
	ok         bool          // the result of the store
	start, end time.Duration // when the call was made, and when it had returned
}

type kind string

const (
	read   kind = "get"
	swap   kind = "swap"
	remove kind = "delete"
)

// apply applies the operation to a register that holds value. possible is false
// if a register would have returned another result.
func (op operation) apply(value string) (next string, possible bool) {
	switch op.kind {
	case read:
		return value, op.new == value && op.ok == (value != "")
	case swap:
		if op.ok != (op.old == value) {
			return value, false
		}
		if op.ok {
			return op.new, true
		}
		return value, true
	default:
		return "", true
	}
}

// linearizable reports whether the calls have an order in which every call
// follows those that had returned before it was made, and in which a single
// register would return the same results (Wing and Gong, 1993).
func (h history) linearizable() bool {
	slices.SortFunc(h, func(a, b operation) int { return int(a.start - b.start) })
	s := search{h, make([]bool, len(h)), make(map[string]bool)}
	return s.from("", len(h))
}

type search struct {
	history
	done   []bool
	failed map[string]bool // states from which no order exists
}

// from reports whether the remaining calls, left of them, have a valid order on
// a register that holds value.
func (s *search) from(value string, left int) bool {
	if left == 0 {
		return true
	}
	state := s.state(value)
	if s.failed[state] {
		return false
	}
	for _, i := range s.candidates() {
		if next, possible := s.history[i].apply(value); possible {
			s.done[i] = true
			if s.from(next, left-1) {
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

func (s *search) state(value string) string {
	state := make([]byte, 0, len(s.done)+len(value))
	for _, done := range s.done {
		if done {
			state = append(state, '1')
		} else {
			state = append(state, '0')
		}
	}
	return string(append(state, value...))
}

// String lists the calls, one per line.
func (h history) String() string {
	var text strings.Builder
	for _, op := range h {
		fmt.Fprintf(&text, "%v to %v: %s old %x new %x: %v\n", op.start, op.end, op.kind, op.old, op.new, op.ok)
	}
	return text.String()
}
