package token

import (
	"math/rand/v2"
	"time"
)

// The pauses of this file spread load. They are no secrets: nothing is lost if
// an attacker predicts one.

// jitter is 1 to 5 percent of a time, at random and at least a second, so that
// clients that started together do not refresh together.
func jitter(seconds int64) int64 {
	least, most := max(seconds/100, 1), max(seconds/20, 1)
	return min(least+rand.Int64N(most-least+1), seconds)
}

// jitterOf returns up to a tenth of a time, at random, so that hosts that
// started together do not ask together.
func jitterOf(d time.Duration) time.Duration { return rand.N(d/10 + 1) }
