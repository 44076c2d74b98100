//go:build !race

// The race detector changes what is measured here.

package main

import (
	"strings"
	"testing"
	"time"
)

var little = effort{rounds: 101, slice: time.Millisecond / 4}

func rowsOf(t *testing.T, groups func() ([]group, error)) [][]row {
	t.Helper()
	all, err := groups()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]row
	for _, g := range all {
		of, err := g.measure(little)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, of)
	}
	return rows
}

// A disturbed run is repeated: what is always too slow fails each time.
func TestSessionReadIsFarFasterThanThatOfScs(t *testing.T) {
	for range 5 {
		rows := rowsOf(t, memorySessions)[0]
		bare, ours, scs := rows[0], rows[1], rows[2]
		more := ours.allocs - bare.allocs
		t.Logf("scs takes %.1f times as long; %.1f allocations more than the bare handler", scs.toOurs, more)
		if more > 5.5 { // what the runtime does meanwhile is counted too
			t.Errorf("%.1f allocations more than the bare handler, want 5 at most", more)
		}
		if scs.toOurs >= 5 {
			return
		}
	}
	t.Error("want 5 times at least")
}

func TestTokensAreMeasuredForEachAlgorithm(t *testing.T) {
	rows := rowsOf(t, tokens)
	if len(rows) != 6 {
		t.Errorf("%d groups, want 6", len(rows))
	}
	for _, of := range rows {
		if len(of) < 3 || of[0].toFirst != 1 || of[1].toOurs != 1 || of[2].toFirst <= 0 {
			t.Errorf("%+v", of)
		}
	}
}

func TestWithoutServersTheirPartIsLeftOut(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, effort{rounds: 1}, "", ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Redis", "PostgreSQL"} {
		if !strings.Contains(out.String(), "session read on "+name+": left out") {
			t.Errorf("nothing about %s in:\n%s", name, out.String())
		}
	}
}
