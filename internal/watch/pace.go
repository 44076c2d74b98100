package watch

import (
	"math/rand/v2"
	"time"
)

// The random times of this file spread load. They are not secrets, so math/rand is
// enough. Looks begin at 100 moments of an interval, so that many logins cost few wakeups
// of the process.

// first returns the time to the first look, up to an interval. Watches that begin and end
// sooner than that cost no more looks for it.
func first() time.Duration { return toTick(rand.N(Interval - tick)) }

// pace returns the time to the next look: an interval and up to a tenth, so that looks
// that an outage has lined up drift apart.
func pace() time.Duration { return toTick(Interval + rand.N(Interval/10-tick)) }

const tick = Interval / 100

// toTick extends a time from now until the next tick of the clock.
func toTick(wait time.Duration) time.Duration {
	at := time.Now().Add(wait).Round(0)
	return wait + at.Truncate(tick).Add(tick).Sub(at)
}
