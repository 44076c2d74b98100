package storetest

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
)

// A proof is the few calls of a history that suffice to show that it is impossible.
type proof struct {
	history           // by the time at which they were made; the others are left out
	last    operation // the call whose result made the history impossible
	omitted int       // number of calls that are left out
}

// prove reduces a history that is not linearizable. It ends the history with the first
// call whose return makes it impossible, and then leaves out each call without which it
// is still impossible. A call that only reads can be left out as it is; a write that is
// left out counts as a write of unknown effect. So what is impossible without a call is
// impossible with it.
func (h history) prove() proof {
	written := h.written()
	ends := slices.Clone(h)
	slices.SortStableFunc(ends, func(a, b operation) int { return int(a.end - b.end) })
	first := slices.IndexFunc(ends, func(op operation) bool { return !h.linearizableUntil(op.end, written) })
	p := proof{last: ends[first]}

	calls := slices.DeleteFunc(slices.Clone(h), func(op operation) bool { return op.start > p.last.end })
	slices.SortStableFunc(calls, func(a, b operation) int { return int(a.start - b.start) })
	for i := 0; i < len(calls); i++ {
		if calls[i] == p.last {
			continue
		}
		less := slices.Clone(calls)
		if op := calls[i]; op.kind == read || op.kind == swap && !op.ok {
			less = slices.Delete(less, i, i+1)
		} else {
			less[i].kind = hidden
		}
		if !less.linearizableUntil(p.last.end, written) {
			i -= len(calls) - len(less)
			calls = less
		}
	}
	p.history = slices.DeleteFunc(calls, func(op operation) bool { return op.kind == hidden })
	p.omitted = len(h) - len(p.history)
	return p
}

// String lists the calls, one per line, with times since the first of them, and marks the
// impossible one.
func (p proof) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, op := range p.history {
		start, end := (op.start - p.history[0].start).Round(100), (op.end - p.history[0].start).Round(100)
		fmt.Fprintf(table, "%v\tto %v\t%s\t%s", start, end, op.by(), op)
		if op == p.last {
			fmt.Fprint(table, "\t← impossible: no order of the calls explains this")
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	if p.omitted > 0 {
		fmt.Fprintf(&text, "other calls left out, because this is impossible with any effect of theirs: %d\n", p.omitted)
	}
	return "\t" + strings.ReplaceAll(strings.TrimSpace(text.String()), "\n", "\n\t")
}

// by names the client of a call.
func (op operation) by() string {
	if op.client == 0 {
		return ""
	}
	return fmt.Sprintf("client %c", op.client)
}

func (op operation) String() string {
	switch op.kind {
	case read:
		return "Get: " + shownOrAbsent(op.new)
	case swap:
		return fmt.Sprintf("CompareAndSwap %s → %s: %v", shownOrAbsent(op.old), shownOrAbsent(op.new), op.ok)
	default:
		return "Delete"
	}
}

// shownOrAbsent shows the value of an operation.
func shownOrAbsent(value string) string {
	switch {
	case value == "":
		return "(absent)"
	case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Sprintf("%x", value)
	}
	return value
}
