package token

import (
	"math/rand/v2"
	"time"
)

// The random times of this file spread load. They are not secrets, so math/rand is
// enough.

// jitter returns a random time of 1 to 5 percent of seconds, and at least one second,
// so that clients that logged in together do not refresh together.
func jitter(seconds int64) int64 {
	low, high := max(seconds/100, 1), max(seconds/20, 1)
	return min(low+rand.Int64N(high-low+1), seconds)
}

// jitterOf returns a random time of up to a tenth of d, so that hosts that started
// together do not fetch together.
func jitterOf(d time.Duration) time.Duration { return rand.N(d/10 + 1) }
