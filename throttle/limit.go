package throttle

import "time"

// limit decides whether one more attempt is admitted.
type limit interface {
	// refuses reports whether an attempt has to wait, and for how long; zero means
	// that waiting does not help. It removes attempts from c that have come back by
	// now.
	refuses(c *count, now time.Time) (wait time.Duration, refused bool)

	// ttl returns how long the store must remember c.
	ttl(c *count) time.Duration
}

// How long failures are remembered after the last one. Counts below the first wait are
// small, and many of them belong to accounts that do not exist. Larger counts remain
// until a success or Reset: ten years are practically for ever.
const (
	memory        = 30 * 24 * time.Hour
	longMemory    = 10 * 365 * 24 * time.Hour
	nothingToKnow = time.Minute
)

// waits admits a number of attempts at once and each further one after a wait that
// doubles, up to the maximum number of attempts. If most is NeverLock there is no
// maximum, and the oldest attempts are dropped.
type waits struct {
	free, most     int
	first, longest time.Duration
}

// endlessMost keeps enough failures for the longest wait with any value of free.
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
	// The clock of the server that wrote the attempt may be ahead, so limit what is
	// left to the wait.
	return min(left, wait), left > 0
}

// locks reports whether the maximum is reached. If the account is never locked, it
// drops the oldest attempts instead.
func (l waits) locks(c *count) bool {
	if l.most != NeverLock {
		return len(c.attempts) >= l.most
	}
	c.attempts = c.attempts[max(0, len(c.attempts)-endlessMost+1):]
	return false
}

// wait returns the wait after n failures, where n is at least free.
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

// deviceWaits are the waits of one browser, in the shared count of all trusted
// devices of an account. The maximum applies to the shared count.
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

// allowance admits a number of attempts, of which one comes back after each interval.
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
