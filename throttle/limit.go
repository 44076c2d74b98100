package throttle

import "time"

// limit says whether one more attempt is let through.
type limit interface {
	// refuses reports whether an attempt has to wait, and how long; zero means
	// that waiting does not help. It takes out of c what has come back by now.
	refuses(c *count, now time.Time) (wait time.Duration, refused bool)

	// ttl is how long the store is to remember c.
	ttl(c *count) time.Duration
}

// How long failures are remembered after the last one. As long as they have led to no
// wait there are few, and many of them are of accounts that do not exist. The others
// count until a success or Reset: ten years are in effect for ever.
const (
	memory        = 30 * 24 * time.Hour
	longMemory    = 10 * 365 * 24 * time.Hour
	nothingToKnow = time.Minute
)

// waits lets a number of attempts through at once, and each further one after a
// wait that doubles, up to the most that there may be. If most is NeverLock there is
// no such bound, and the oldest makes room.
type waits struct {
	free, most     int
	first, longest time.Duration
}

// endlessMost leaves enough failures for the longest wait, whatever is free.
const endlessMost = 2 * maxFailures

func (l waits) refuses(c *count, now time.Time) (time.Duration, bool) {
	if l.locks(c) {
		return 0, true
	}
	n := len(c.attempts)
	if n < l.free {
		return 0, false
	}
	wait := l.wait(n)
	left := time.UnixMilli(c.attempts[n-1].at).Add(wait).Sub(now)
	// The clock of the server that wrote it may be ahead: wait for no more than
	// the wait.
	return min(left, wait), left > 0
}

// locks reports whether no more attempts may be added. It makes room if the account is
// never locked.
func (l waits) locks(c *count) bool {
	if l.most != NeverLock {
		return len(c.attempts) >= l.most
	}
	c.attempts = c.attempts[max(0, len(c.attempts)-endlessMost+1):]
	return false
}

// wait returns how long to wait after n failures, of which there are free ones
// or more.
func (l waits) wait(n int) time.Duration {
	wait := l.first
	for ; n > l.free && wait < l.longest; n-- {
		wait *= 2
	}
	return min(wait, l.longest)
}

func (l waits) ttl(c *count) time.Duration {
	switch n := len(c.attempts); {
	case n == 0:
		return nothingToKnow
	case n < l.free || l.most == NeverLock:
		return memory
	}
	return longMemory
}

// deviceWaits are the waits of one browser, in the count of all trusted devices of
// an account. That count has no more failures than one browser alone may have.
type deviceWaits struct {
	waits
	device [4]byte
}

func (l deviceWaits) refuses(c *count, now time.Time) (time.Duration, bool) {
	if l.locks(c) {
		return 0, true
	}
	var own count
	for _, a := range c.attempts {
		if a.device == l.device {
			own.attempts = append(own.attempts, a)
		}
	}
	return l.waits.refuses(&own, now)
}

// allowance lets a number of attempts through, of which one comes back after
// each interval.
type allowance struct {
	size     int
	interval time.Duration
}

func (l allowance) refuses(c *count, now time.Time) (time.Duration, bool) {
	for len(c.attempts) > 0 && !l.next(c).After(now) {
		c.returned = l.next(c).UnixMilli()
		c.attempts = c.attempts[1:]
	}
	if len(c.attempts) < l.size {
		return 0, false
	}
	return min(l.next(c).Sub(now), l.interval), true
}

// next returns when the oldest attempt comes back.
func (l allowance) next(c *count) time.Time {
	return time.UnixMilli(max(c.returned, c.attempts[0].at)).Add(l.interval)
}

func (l allowance) ttl(c *count) time.Duration {
	return nothingToKnow + time.Duration(len(c.attempts))*l.interval
}
