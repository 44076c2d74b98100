package storetest

import (
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	get := func(value string, start, end int) operation {
		return operation{kind: read, new: value, ok: value != "", start: ms(start), end: ms(end)}
	}
	cas := func(old, new string, ok bool, start, end int) operation {
		return operation{kind: swap, old: old, new: new, ok: ok, start: ms(start), end: ms(end)}
	}
	del := func(start, end int) operation { return operation{kind: remove, start: ms(start), end: ms(end)} }
	for _, test := range []struct {
		rule string
		history
		want bool
	}{
		{"nothing happened", history{}, true},
		{"a read of a write before it", history{cas("", "a", true, 0, 1), get("a", 2, 3)}, true},
		{"a stale read", history{cas("", "a", true, 0, 1), get("", 2, 3)}, false},
		{"a parallel read may be old", history{cas("", "a", true, 0, 3), get("", 1, 2)}, true},
		{"a parallel read may be new", history{cas("", "a", true, 0, 3), get("a", 1, 2)}, true},
		{"a read of the old value after the new value", history{cas("", "a", true, 0, 9), get("a", 1, 2), get("", 3, 4)}, false},
		{"one of two creates wins", history{cas("", "a", true, 0, 9), cas("", "b", false, 1, 8), get("a", 10, 11)}, true},
		{"two of two creates win", history{cas("", "a", true, 0, 9), cas("", "b", true, 1, 8)}, false},
		{"two creates with a deletion between", history{cas("", "a", true, 0, 9), cas("", "b", true, 1, 8), del(2, 7)}, true},
		{"none of two creates wins", history{cas("", "a", false, 0, 9), cas("", "b", false, 1, 8)}, false},
		{"a read of a value that was never written", history{cas("", "a", true, 0, 1), get("b", 2, 3)}, false},
		{"a swap after a deletion", history{cas("", "a", true, 0, 1), del(2, 3), cas("a", "b", true, 4, 5)}, false},
		{"a lost update", history{cas("", "a", true, 0, 1), cas("a", "b", true, 2, 5), cas("a", "c", true, 3, 6)}, false},
		{"a failed swap although the value was present all the time", history{cas("", "a", true, 0, 1), cas("a", "b", false, 2, 3)}, false},
	} {
		if got := test.history.linearizable(); got != test.want {
			t.Errorf("%s: %v", test.rule, got)
		}
	}
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
