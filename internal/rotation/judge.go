package rotation

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"
)

// Verdict is what a refresh token does to its family.
type Verdict int

const (
	Answers  Verdict = iota // nothing: the current token is the answer
	Rotates                 // the next generation becomes current
	Recovers                // the answer was lost, and its attempt is known
	Arrives                 // the answer that was recovered has got to the client
	Heals                   // the store has lost generations
	Reuses                  // the token was used before, and by another client
)

// Judge says what an authentic token of a generation does. It is the heart of
// rotation, and these are all of its cases:
//
//   - A generation later than the current one can only have come from here, so
//     the store has lost a write: the family adopts it.
//   - Within the grace period of a rotation, the current token and the previous
//     one come from a second tab or a retry. Both get the current one, without
//     a write, so there is at most one rotation in each grace period.
//   - Later the current token rotates. After a recovery it waits for as long as
//     the grace period: other answers may be under way. That it was presented
//     shows that the client has it, and is noted.
//   - Later the previous token recovers the current one, if it comes with the
//     attempt that has made it: that client has lost the answer. It may lose any
//     number of answers, but only until it has presented the current token.
//     Requests that were under way then are answered for one grace period more.
//   - Anything else is a token that was used before, by another client.
//
// Only a rotation opens the grace period, so a client that repeats its attempt
// lets no other one in, and a thief who does so is found as soon as the owner of
// the login refreshes: either the owner's token is the previous one, or the
// thief's attempt ends with its being presented.
//
// A time that another host's clock puts far into the future begins no period.
func (f *Family) Judge(generation uint64, attempt string, now time.Time, grace time.Duration) Verdict {
	within := func(then int64) bool { return now.Sub(time.UnixMilli(then)).Abs() <= grace }
	behind := int64(f.Generation) - int64(generation)
	switch {
	case behind < 0:
		return Heals
	case behind <= 1 && f.Generation > 0 && within(f.Rotated):
		return Answers
	case behind == 0 && within(f.Recovered):
		if f.Presented == 0 {
			return Arrives
		}
		return Answers
	case behind == 0:
		return Rotates
	case behind == 1 && f.attemptedBy(attempt):
		switch {
		case f.Presented == 0 && !within(f.Recovered):
			return Recovers
		case f.Presented == 0 || within(f.Presented):
			return Answers
		}
	}
	return Reuses
}

// After returns the family as it is written for a verdict. Its end never moves.
func (f *Family) After(v Verdict, generation uint64, attempt string, now time.Time, idle time.Duration, from Device) *Family {
	next := *f
	next.Idle = max(min(now.Add(idle).UnixMilli(), f.Expires), f.Idle)
	next.Last = from
	at := max(now.UnixMilli(), f.Created) // a clock may lag
	switch v {
	case Heals:
		next.Generation, next.Attempt = generation, "" // it was lost with the write
		next.Rotated, next.Recovered, next.Presented = at, 0, 0
	case Rotates:
		next.Generation, next.Attempt = f.Generation+1, AttemptHash(attempt)
		next.Rotated, next.Recovered, next.Presented = at, 0, 0
	case Recovers:
		next.Recovered = max(at, f.Created+1) // 0 after created means never
	case Arrives:
		next.Presented = max(at, f.Created+1)
	}
	return &next
}

// margin is how much longer the store keeps a family than it lasts.
const margin = time.Minute

// TTL is how long the store is to keep the family.
func (f *Family) TTL(now time.Time) time.Duration {
	return max(f.Ends().Sub(now), 0) + margin
}

func (f *Family) attemptedBy(attempt string) bool {
	return f.Attempt != "" && attempt != "" &&
		subtle.ConstantTimeCompare([]byte(f.Attempt), []byte(AttemptHash(attempt))) == 1
}

func AttemptHash(attempt string) string {
	if attempt == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(attempt))
	return string(sum[:])
}
