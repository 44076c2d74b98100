package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// A contender does one thing its way, once per call.
type contender struct {
	name string
	call func() error
}

// A group is contenders who do the same thing. The first is the floor that
// no other is faster than, the second is ours.
type group struct {
	title      string
	contenders []contender
}

// An effort is how long to measure.
type effort struct {
	rounds int
	slice  time.Duration // of one contender in one round, at least
}

// A row is what has been measured of a contender.
type row struct {
	name            string
	toFirst, toOurs float64 // its time to that of another contender
	allocs, bytes   float64 // of one call, those of the floor included
}

// measure lets the contenders run in turn, round after round. A ratio is that
// of times in the same round, and the median of these counts, so that what
// else the machine does meets all alike.
func (g group) measure(e effort) ([]row, error) {
	calls := make([]int, len(g.contenders))
	for i, c := range g.contenders {
		n, err := c.callsIn(e.slice)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", g.title, c.name, err)
		}
		calls[i] = n
	}
	toFirst, toOurs := make([][]float64, len(calls)), make([][]float64, len(calls))
	for first := range e.rounds {
		times, err := g.round(first, calls)
		if err != nil {
			return nil, err
		}
		for i := range times {
			toFirst[i] = append(toFirst[i], times[i]/times[0])
			toOurs[i] = append(toOurs[i], times[i]/times[1])
		}
	}
	rows := make([]row, len(calls))
	for i, c := range g.contenders {
		rows[i] = row{name: c.name, toFirst: median(toFirst[i]), toOurs: median(toOurs[i])}
		rows[i].allocs, rows[i].bytes = c.memory(calls[i])
	}
	return rows, nil
}

// round returns how long one call of each takes. Another begins each time.
func (g group) round(first int, calls []int) ([]float64, error) {
	times := make([]float64, len(calls))
	for k := range calls {
		i := (first + k) % len(calls)
		c := g.contenders[i]
		took, err := c.time(calls[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", g.title, c.name, err)
		}
		times[i] = float64(took) / float64(calls[i])
	}
	return times, nil
}

// callsIn returns how many calls take as long as a slice.
func (c contender) callsIn(slice time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		took, err := c.time(n)
		if err != nil || took >= slice {
			return n, err
		}
	}
}

func (c contender) time(n int) (time.Duration, error) {
	start := time.Now()
	for range n {
		if err := c.call(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// memory returns what one of n calls allocates, goroutines of its client
// included. Its errors were seen before.
func (c contender) memory(n int) (allocs, bytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		c.call()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
