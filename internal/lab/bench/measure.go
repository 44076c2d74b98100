package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// A contender does one thing its way, once per call.
type contender struct {
	name   string
	call   func() error
	before func() error // precedes each call, and is not timed; nil if there is nothing to do
}

// A group is contenders that do the same thing. The first is the floor that
// no other is faster than, the second is ours.
type group struct {
	what, where string // such as "read" and "Redis"
	atOnce      int    // how many calls run at the same time
	contenders  []contender
}

// An effort is how long to measure.
type effort struct {
	rounds int
	slice  time.Duration // of one contender in one round, at least
}

// A measured is a group with its rows.
type measured struct {
	what, where string
	atOnce      int
	rows        []row
}

// A row is what has been measured of a contender.
type row struct {
	name            string
	time            time.Duration // of a call; if several run at once, the time that has passed divided by the calls
	toFirst, toOurs float64       // its time to that of another contender
	allocs, bytes   float64       // of one call, those of the floor included
}

// measure lets the contenders run in turn, round after round. A ratio is that
// of times in the same round, and the median of these counts, so that what
// else the machine does meets all alike. For the same reason a time is the
// median of ours, multiplied by the ratio.
func (g group) measure(ctx context.Context, e effort) (measured, error) {
	calls := make([]int, len(g.contenders))
	for i, c := range g.contenders {
		n, err := c.callsIn(e.slice, g.atOnce)
		if err != nil {
			return measured{}, g.failed(c, err)
		}
		calls[i] = n
	}
	ours, toFirst, toOurs := make([]float64, e.rounds), make([][]float64, len(calls)), make([][]float64, len(calls))
	for round := range e.rounds {
		if err := ctx.Err(); err != nil {
			return measured{}, err
		}
		times, err := g.round(round, calls)
		if err != nil {
			return measured{}, err
		}
		ours[round] = times[1]
		for i := range times {
			toFirst[i] = append(toFirst[i], times[i]/times[0])
			toOurs[i] = append(toOurs[i], times[i]/times[1])
		}
	}
	m := measured{g.what, g.where, g.atOnce, make([]row, len(calls))}
	for i, c := range g.contenders {
		r := row{name: c.name, toFirst: median(toFirst[i]), toOurs: median(toOurs[i])}
		r.time = time.Duration(r.toOurs * median(ours))
		r.allocs, r.bytes = c.memory(calls[i])
		m.rows[i] = r
	}
	return m, nil
}

// round returns how long one call of each takes. Another begins each time.
func (g group) round(first int, calls []int) ([]float64, error) {
	times := make([]float64, len(calls))
	for k := range calls {
		i := (first + k) % len(calls)
		c := g.contenders[i]
		took, err := c.time(calls[i], g.atOnce)
		if err != nil {
			return nil, g.failed(c, err)
		}
		times[i] = float64(took) / float64(calls[i])
	}
	return times, nil
}

func (g group) failed(c contender, err error) error {
	return fmt.Errorf("%s, %s, %d at once: %s: %w", g.what, g.where, g.atOnce, c.name, err)
}

// callsIn returns how many calls take as long as a slice.
func (c contender) callsIn(slice time.Duration, atOnce int) (int, error) {
	for n := max(1, atOnce); ; n *= 2 {
		took, err := c.time(n, atOnce)
		if err != nil || took >= slice {
			return n, err
		}
	}
}

// time returns how long n calls take, of which several run at once.
func (c contender) time(n, atOnce int) (time.Duration, error) {
	if c.before != nil {
		return c.timeEach(n)
	}
	if atOnce < 2 {
		start := time.Now()
		err := c.repeat(n)
		return time.Since(start), err
	}
	start, errs := time.Now(), make(chan error, atOnce)
	for range atOnce {
		go func() { errs <- c.repeat(n / atOnce) }()
	}
	var err error
	for range atOnce {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return time.Since(start), err
}

func (c contender) repeat(n int) error {
	for range n {
		if err := c.call(); err != nil {
			return err
		}
	}
	return nil
}

// timeEach omits what precedes each call.
func (c contender) timeEach(n int) (sum time.Duration, err error) {
	for range n {
		if err := c.before(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := c.call(); err != nil {
			return 0, err
		}
		sum += time.Since(start)
	}
	return sum, nil
}

// memory returns what one of n calls allocates, goroutines of its client and
// what precedes the call included. Its errors were seen before.
func (c contender) memory(n int) (allocs, bytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		if c.before != nil {
			c.before()
		}
		c.call()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

func median[T float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// quantile returns the value below which a share q of the sorted values is.
func quantile[T float64 | time.Duration](sorted []T, q float64) T {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
