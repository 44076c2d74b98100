// Package clocks puts right stored times that a wrong clock has written. Hosts share a
// store, their clocks differ and jump, and sometimes by years.
package clocks

import "time"

// Moved is by how many milliseconds a host has moved the times of a login back to its own
// clock: the time at which it was created, and that of its last use.
type Moved struct{ Created, Used int64 }

// Margin is how much longer the store keeps a login than it lasts.
const Margin = time.Minute

// Settle returns by how much the times of a login, in milliseconds since 1970, are to be
// moved. Either a clock was ahead when they were written, or the clock of now is behind:
// one record cannot tell.
//
// A login that was created in the future is taken for created now, and its end moves with
// it. So a clock that was ahead lengthens no lifetime once it is right. A use in the
// future is taken for a use now.
//
// If the clock of now is behind, a host with the right clock must not take the login for
// one that has been idle. So a change that is longer than an idle login is stored is kept
// in m, and Settle takes it back where a login in the store seems to be idle all the same.
func (m *Moved) Settle(created, used, now int64, idle time.Duration) (by Moved) {
	ahead := Moved{max(created-now, 0), max(used-now, 0)}
	switch {
	case ahead.Used > 0:
		if duration(ahead.Used) > idle+2*Margin {
			*m = ahead
		}
		return Moved{-ahead.Created, -ahead.Used}
	case m.Used > 0 && duration(now-used) >= idle && used+m.Used <= now:
		by, *m = *m, Moved{}
	}
	return by
}

// By returns the longer of the two differences.
func (m Moved) By() time.Duration { return duration(max(m.Used, -m.Used, m.Created, -m.Created)) }

// duration returns n milliseconds, at most the longest duration.
func duration(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(n, most)) * time.Millisecond
}
