package sessionrecord

import "time"

// Settle adapts times that lie in the future of now, and reports by how much. Either a
// clock was ahead when they were written, or the clock of now is behind: one record
// cannot tell.
//
// A session that was created in the future is taken for created now, with the lifetime
// that it was given. So a clock that was ahead lengthens no lifetime once it is right. A
// use in the future is taken for a use now.
//
// If the clock of now is behind, a host with the right clock must not take the session
// for one that has been idle. So a change that is longer than an idle session is stored
// is kept in Moved, and Settle takes it back where a session in the store seems to be
// idle all the same.
func (r *Record) Settle(now int64, idle time.Duration) time.Duration {
	moved := Moved{max(r.Created-now, 0), max(r.Used-now, 0)}
	switch {
	case moved.Used > 0:
		if duration(moved.Used) > idle+2*Margin {
			r.Moved = moved
		}
		moved = Moved{-moved.Created, -moved.Used}
	case r.Moved.Used > 0 && duration(now-r.Used) >= idle && r.Used+r.Moved.Used <= now:
		moved, r.Moved = r.Moved, Moved{}
	}
	r.Used += moved.Used
	r.Created += moved.Created
	r.AuthTime += moved.Created
	r.Expires += moved.Created
	if r.Requested > 0 {
		r.Requested += moved.Created
	}
	return duration(max(moved.Used, -moved.Used))
}

// Moved is by how many milliseconds a host has moved times back to its own clock.
type Moved struct{ Created, Used int64 }

// Margin is how much longer the store keeps a record than the session lasts.
const Margin = time.Minute

// duration returns n milliseconds, at most the longest duration.
func duration(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(n, most)) * time.Millisecond
}
