package keyring

import (
	"slices"
	"time"
)

// keyState is the state of a key. It only moves forward.
type keyState string

const (
	stateNext    keyState = "next"    // published, not yet used
	stateCurrent keyState = "current" // signs
	stateFormer  keyState = "former"  // still verifies
	stateRetired keyState = "retired" // dropped; its kid is remembered
)

// keyring is an immutable list of keys of one kind. At most one is next, and
// at most one current.
type keyring[K any] []keyEntry[K]

type keyEntry[K any] struct {
	key   K
	state keyState
	since time.Time // when it entered its state
}

// newKeyring returns a ring of a current key and a next one.
func newKeyring[K any](current, next K, now time.Time) keyring[K] {
	return keyring[K]{{current, stateCurrent, now}, {next, stateNext, now}}
}

// of returns the key in the given state, of which there is at most one.
func (r keyring[K]) of(state keyState) (key K, ok bool) {
	for _, entry := range r {
		if entry.state == state {
			return entry.key, true
		}
	}
	return key, false
}

// rotate makes the next key current and the current one former, and takes
// fresh as the next one. Without a next key it only adds fresh: a key that was not
// published must not be used.
func (r keyring[K]) rotate(fresh K, now time.Time) keyring[K] {
	rotated := slices.Clone(r)
	if _, ok := r.of(stateNext); ok {
		for i, entry := range rotated {
			switch entry.state {
			case stateNext:
				rotated[i] = keyEntry[K]{entry.key, stateCurrent, now}
			case stateCurrent:
				rotated[i] = keyEntry[K]{entry.key, stateFormer, now}
			}
		}
	}
	return append(rotated, keyEntry[K]{fresh, stateNext, now})
}

// split separates the keys that have been former for at least age.
func (r keyring[K]) split(age time.Duration, now time.Time) (kept, dropped keyring[K]) {
	for _, entry := range r {
		if entry.state == stateFormer && now.Sub(entry.since) >= age {
			dropped = append(dropped, entry)
		} else {
			kept = append(kept, entry)
		}
	}
	return kept, dropped
}

// inOrder returns the ring with the current key first and the next one second.
func (r keyring[K]) inOrder() keyring[K] {
	order := []keyState{stateCurrent, stateNext, stateFormer, stateRetired}
	return slices.SortedStableFunc(slices.Values(r), func(a, b keyEntry[K]) int {
		return slices.Index(order, a.state) - slices.Index(order, b.state)
	})
}

// valid reports whether every state is known, and at most one key is next and at most
// one is current.
func (r keyring[K]) valid() bool {
	count := make(map[keyState]int)
	for _, entry := range r {
		count[entry.state]++
	}
	known := count[stateNext] + count[stateCurrent] + count[stateFormer] + count[stateRetired]
	return known == len(r) && count[stateNext] <= 1 && count[stateCurrent] <= 1
}
