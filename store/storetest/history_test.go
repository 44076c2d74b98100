package storetest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func get(value string, start, end int) operation {
	return operation{kind: read, new: value, ok: value != "", start: ms(start), end: ms(end)}
}

func cas(old, new string, ok bool, start, end int) operation {
	return operation{kind: swap, old: old, new: new, ok: ok, start: ms(start), end: ms(end)}
}

func del(start, end int) operation { return operation{kind: remove, start: ms(start), end: ms(end)} }

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// by names the client of an operation.
func by(client byte, op operation) operation {
	op.client = client
	return op
}

func TestHistory(t *testing.T) {
	for _, test := range histories {
		if got := test.history.linearizable(); got != test.want {
			t.Errorf("%s: %v", test.rule, got)
		}
	}
}

var histories = []struct {
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
}

func TestAnImpossibleHistoryIsPrintedSmall(t *testing.T) {
	for _, test := range []struct {
		mistake string
		history
		want string
	}{
		{"a stale read, after many calls", history{
			by('a', cas("", "a1", true, 10, 11)), by('b', get("a1", 12, 13)), by('a', cas("a1", "a2", true, 12, 14)),
			by('b', get("a2", 15, 16)), by('c', cas("a1", "c1", false, 15, 17)), by('b', cas("a2", "b1", true, 18, 20)),
			by('c', get("b1", 19, 21)), by('a', get("a2", 22, 23)), by('b', get("b1", 22, 24)), by('c', del(25, 26)),
		}, `
			0s   to 2ms  client b  CompareAndSwap a2 → b1: true
			4ms  to 5ms  client a  Get: a2  ← impossible: no order of the calls explains this
			other calls left out, because this is impossible with any effect of theirs: 8`},
		{"a lost update", history{
			cas("", "a", true, 0, 1), cas("a", "b", true, 2, 5), get("b", 6, 7), cas("a", "c", true, 3, 8), del(9, 10),
		}, `
			0s   to 3ms    CompareAndSwap a → b: true
			1ms  to 6ms    CompareAndSwap a → c: true  ← impossible: no order of the calls explains this
			other calls left out, because this is impossible with any effect of theirs: 3`},
		{"Delete does nothing", history{
			cas("", "a", true, 0, 1), cas("a", "b", true, 2, 3), del(4, 5), get("b", 6, 7), get("b", 8, 9),
		}, `
			0s   to 1ms    Delete
			2ms  to 3ms    Get: b  ← impossible: no order of the calls explains this
			other calls left out, because this is impossible with any effect of theirs: 3`},
		{"two creates", history{
			cas("", "a", true, 0, 9), cas("", "b", true, 1, 8), get("b", 10, 11),
		}, `
			0s   to 9ms    CompareAndSwap (absent) → a: true  ← impossible: no order of the calls explains this
			1ms  to 8ms    CompareAndSwap (absent) → b: true
			other calls left out, because this is impossible with any effect of theirs: 1`},
		{"a record disappears", history{
			cas("", "a", true, 3, 4), get("a", 5, 6), get("", 7, 8),
		}, `
			0s   to 1ms    Get: a
			2ms  to 3ms    Get: (absent)  ← impossible: no order of the calls explains this
			other calls left out, because this is impossible with any effect of theirs: 1`},
		{"a value that was never written", history{
			cas("", "a", true, 0, 1), cas("a", "b", true, 2, 3), get("\x00x", 4, 5), del(6, 7),
		}, `
			0s  to 1ms    Get: 0078  ← impossible: no order of the calls explains this
			other calls left out, because this is impossible with any effect of theirs: 3`},
	} {
		got := strings.ReplaceAll("\n"+test.history.prove().String(), "\n\t", "\n\t\t\t")
		if got != test.want {
			t.Errorf("%s:%s\nwant%s", test.mistake, got, test.want)
		}
	}
}

// What is left out of a proof does not make it wrong: the rest is impossible by itself.
func TestAProofIsImpossibleByItself(t *testing.T) {
	for _, test := range histories {
		if test.want {
			continue
		}
		if p := test.history.prove(); p.last.end > test.history.lastEnd() || len(p.history) > 2 {
			t.Errorf("%s:\n%s", test.rule, p)
		}
	}
}

// A call that is left out of a proof only weakens it: no history of a register becomes
// impossible.
func TestHidingCallsMakesNothingImpossible(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		h := registerHistory(rng)
		if !h.linearizable() {
			t.Fatalf("seed %d: the history of a register is not linearizable:\n%v", seed, h)
		}
		written := h.written()
		less := slices.DeleteFunc(h, func(op operation) bool {
			return (op.kind == read || op.kind == swap && !op.ok) && rng.IntN(2) == 0
		})
		for i, op := range less {
			if (op.kind == remove || op.ok && op.kind == swap) && rng.IntN(2) == 0 {
				less[i].kind = hidden
			}
		}
		if until := time.Duration(rng.IntN(30)); !less.linearizableUntil(ms(int(until)), written) {
			t.Fatalf("seed %d: impossible until %v:\n%v", seed, ms(int(until)), less)
		}
	}
}

// registerHistory makes calls of a register, each of which takes effect at a moment
// between its start and its end.
func registerHistory(rng *rand.Rand) (h history) {
	value := ""
	for at := range 20 {
		start, end := at-rng.IntN(5), at+1+rng.IntN(5)
		new := string(rune('a' + at))
		switch old := []string{value, "", "a"}[rng.IntN(3)]; rng.IntN(5) {
		case 0:
			h = append(h, del(start, end))
			value = ""
		case 1, 2:
			h = append(h, get(value, start, end))
		default:
			h = append(h, cas(old, new, old == value, start, end))
			if old == value {
				value = new
			}
		}
	}
	return h
}
