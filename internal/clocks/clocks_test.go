package clocks

import (
	"math"
	"testing"
	"time"
)

func TestTimesInTheFutureAreTakenForNow(t *testing.T) {
	const (
		now  = int64(1_000_000_000_000)
		hour = int64(time.Hour / time.Millisecond)
	)
	for _, c := range []struct {
		rule          string
		before        Moved
		created, used int64 // from now
		by, after     Moved
	}{
		{"in the past", Moved{}, -2, -1, Moved{}, Moved{}},
		{"now", Moved{}, 0, 0, Moved{}, Moved{}},
		{"used a little ahead", Moved{}, -hour, 1, Moved{0, -1}, Moved{}},
		{"created a little ahead", Moved{}, 1, 2, Moved{-1, -2}, Moved{}},
		{"as far ahead as an idle login is stored", Moved{}, -hour, 62 * hour / 60, Moved{0, -62 * hour / 60}, Moved{}},
		{"further ahead", Moved{}, hour, 9 * hour, Moved{-hour, -9 * hour}, Moved{hour, 9 * hour}},
		{"at the end of time", Moved{}, -hour, math.MaxInt64 - now, Moved{0, now - math.MaxInt64}, Moved{0, math.MaxInt64 - now}},
		{"moved, and used since", Moved{hour, 9 * hour}, -hour, -hour / 2, Moved{}, Moved{hour, 9 * hour}},
		{"moved, and idle", Moved{hour, 9 * hour}, -2 * hour, -hour, Moved{}, Moved{hour, 9 * hour}},
		{"moved, and idle by a clock that is ahead by as much", Moved{hour, 9 * hour}, -10 * hour, -9 * hour, Moved{hour, 9 * hour}, Moved{}},
		{"moved again", Moved{hour, 9 * hour}, -hour, 10 * hour, Moved{0, -10 * hour}, Moved{0, 10 * hour}},
	} {
		m := c.before
		by := m.Settle(now+c.created, now+c.used, now, time.Hour)
		if by != c.by || m != c.after {
			t.Errorf("%s: by %v, kept %v; want %v, %v", c.rule, by, m, c.by, c.after)
		}
	}
}

func TestByIsTheLongerDifference(t *testing.T) {
	for m, want := range map[Moved]time.Duration{
		{}:                     0,
		{-1, -1000}:            time.Second,
		{2000, 1000}:           2 * time.Second,
		{0, math.MinInt64 + 1}: math.MaxInt64 / time.Millisecond * time.Millisecond,
		{math.MaxInt64, -1000}: math.MaxInt64 / time.Millisecond * time.Millisecond,
	} {
		if got := m.By(); got != want {
			t.Errorf("%v: %v, want %v", m, got, want)
		}
	}
}
