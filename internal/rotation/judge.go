package rotation

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/authlatch/auth/internal/clocks"
)

// Verdict is the effect of a presented refresh token on its family.
type Verdict int

const (
	Answers  Verdict = iota // none: the response has the current token
	Rotates                 // the next generation becomes current
	Recovers                // the response was lost, and its idempotency key is known
	Arrives                 // the client has received the recovered response
	Heals                   // the store has lost generations
	Reuses                  // the token was already used, by another client
)

// Judge returns the verdict on an authentic token of a generation. The attempt is the
// idempotency key of the refresh request, or empty. These are all cases of rotation:
//
//   - A generation later than the current one: the server has issued it, so the
//     store has lost a write, and the family adopts that generation.
//   - The current or the previous token within the grace period of a rotation: it
//     comes from a second tab or a retry. Both receive the current token without
//     a write, so there is at most one rotation in each grace period.
//   - The current token later: it rotates. After a recovery it waits for as long as
//     the grace period, because other responses may be in flight. Its first
//     presentation shows that the client has it, and is recorded.
//   - The previous token later, with the idempotency key of the refresh that made
//     the current one: that client has lost the response, and recovers the current
//     token. It may lose any number of responses, but only until the current token
//     is presented. Requests in flight at that time are answered for one more
//     grace period.
//   - Any other token was already used, by another client.
//
// Only a rotation, and the adoption of a lost generation, start the grace period. So a
// client that repeats its idempotency key admits no other client. A thief who repeats it
// is detected when the owner of the login refreshes with the previous token, or, if the
// owner has the current token, when the thief repeats the key once more later: the
// presentation has ended its use.
//
// A time that the clock of another host puts far into the future starts no period.
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
		next.Generation, next.Attempt = generation, "" // the key was lost with the write
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

// TTL returns how long the store keeps the family: no longer than an idle login lasts,
// even if the clock of another host has put its end further into the future.
func (f *Family) TTL(now time.Time, idle time.Duration) time.Duration {
	return max(min(f.Ends().Sub(now), idle), 0) + clocks.Margin
}

func (f *Family) attemptedBy(attempt string) bool {
	return f.Attempt != "" && attempt != "" &&
		subtle.ConstantTimeCompare([]byte(f.Attempt), []byte(AttemptHash(attempt))) == 1
}

// AttemptHash returns the SHA-256 sum of an idempotency key, as [Family] has it. That of
// the empty key is empty.
func AttemptHash(attempt string) string {
	if attempt == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(attempt))
	return string(sum[:])
}
