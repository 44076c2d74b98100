package token

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/stored"
)

// ErrReused is the error of a refresh token that was spent before, and not in a
// way that a lost answer or a second tab explains: somebody else has it. The
// log-in has been ended, for the thief and for its owner. It wraps
// [auth.ErrUnauthenticated].
var ErrReused = fmt.Errorf("token: a spent refresh token was used again: %w", auth.ErrUnauthenticated)

// Refresh exchanges a refresh token for new tokens, for clients that keep it
// themselves; browsers use [Issuer.RefreshHandler]. attempt is 22 to 128
// characters of base64url that the client makes up, at random, for each refresh
// and keeps until it has an answer: with it a client that has lost the answer
// gets it again. It may be empty only where [Config.AttemptOptional] says so.
//
// A refresh token is for single use. Within [Config.Window] of its use it is
// answered once more with the same successor; later it ends the log-in, with
// [ErrReused]. Other errors that wrap [auth.ErrUnauthenticated] say that the
// token is malformed, forged, expired or revoked. Any other error means that the
// question could not be answered, and the client keeps its tokens.
func (i *Issuer) Refresh(ctx context.Context, refreshToken, attempt string) (Tokens, error) {
	return i.refresh(ctx, refreshToken, attempt, device{})
}

// casAttempts is how often a refresh is tried against others of its family.
const casAttempts = 4

// refresh follows the rules of rotation. They are, in this order:
//
//  1. A malformed token is invalid, without asking the store.
//  2. No family: it has expired, or never was. A tombstone: it was revoked. A
//     family that makes no sense, or a store that fails: not to be answered.
//  3. A MAC that is not ours is invalid, and changes nothing.
//  4. A family past its limits has expired.
//  5. What [family.judge] says holds, and a write counts only if its swap has
//     succeeded. If another refresh was faster, all starts over.
//
// Nothing is answered that is not in the store.
func (i *Issuer) refresh(ctx context.Context, text, attempt string, from device) (Tokens, error) {
	t, ok := parseRefreshToken(text)
	if !ok {
		return Tokens{}, i.refuse(ctx, auth.EventRejected, "", "", codeInvalid, "malformed refresh token")
	}
	if err := i.checkAttempt(ctx, attempt); err != nil {
		return Tokens{}, err
	}
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	digest := familyDigest(i.config.Namespace, familyID(t.seed))
	var written []byte // by a swap of unknown outcome
	var outcome verdict
	for try, failures := 0, 0; try < casAttempts; try++ {
		raw, f, secret, err := i.family(ctx, digest, t)
		if err != nil {
			i.tellOver(ctx, digest, err)
			return Tokens{}, err
		}
		if written != nil && bytes.Equal(raw, written) {
			return i.answer(ctx, f, t.seed, secret, outcome)
		}
		now := time.Now()
		outcome = f.judge(t.generation, attempt, now, i.config.Window)
		switch outcome {
		case answers:
			return i.answer(ctx, f, t.seed, secret, outcome)
		case reuses:
			ended, err := i.reused(ctx, f, raw, digest, t.generation, from)
			if ended {
				return Tokens{}, err
			}
			if err != nil {
				if failures++; failures > 1 {
					return Tokens{}, i.unanswered(ctx, f.subject, digest.LoginID(), err)
				}
			}
			continue
		}
		if err := i.listed(ctx, f, digest); err != nil {
			return Tokens{}, err
		}
		next := f.after(outcome, t.generation, attempt, now, i.config.IdleTimeout, from)
		written = next.encode()
		swapped, err := i.store.CompareAndSwap(ctx, digest.Key(), raw, written, next.ttl(now))
		if swapped {
			return i.answer(ctx, next, t.seed, secret, outcome)
		}
		if err != nil {
			if failures++; failures > 1 {
				return Tokens{}, i.unanswered(ctx, f.subject, digest.LoginID(), fmt.Errorf("token: refresh: %w", err))
			}
		} else {
			written = nil
		}
	}
	return Tokens{}, i.unanswered(ctx, "", digest.LoginID(), errors.New("token: refresh: others of the same log-in were faster each time"))
}

// family is the rules 2 to 4: it reads the family of a token that is ours.
func (i *Issuer) family(ctx context.Context, digest logins.Digest, t refreshToken) (raw []byte, f *family, secret []byte, err error) {
	raw, ok, err := i.store.Get(ctx, digest.Key())
	switch {
	case err != nil:
		return nil, nil, nil, i.unanswered(ctx, "", digest.LoginID(), fmt.Errorf("token: read a family: %w", err))
	case !ok:
		return nil, nil, nil, i.refuse(ctx, auth.EventExpired, "", digest.LoginID(), codeExpired, "unknown")
	}
	if tombstone, ended := logins.ParseTombstone(raw); ended {
		return nil, nil, nil, &refusal{code: codeRevoked, reason: tombstone.Reason}
	}
	if f, err = parseFamily(raw); err != nil {
		i.event(ctx, auth.Event{Kind: auth.EventFault, LoginID: digest.LoginID(), Err: err})
		return nil, nil, nil, err
	}
	secret, err = i.secret(f.keyID)
	switch {
	case errors.Is(err, errRetiredSecret):
		return nil, nil, nil, &refusal{code: codeRevoked, reason: logins.Revoked}
	case err != nil:
		i.event(ctx, auth.Event{Kind: auth.EventFault, Subject: f.subject, LoginID: digest.LoginID(), Err: err})
		return nil, nil, nil, err
	case !t.authentic(secret, f.salt):
		return nil, nil, nil, i.refuse(ctx, auth.EventRejected, "", digest.LoginID(), codeInvalid, "forged refresh token")
	case !time.Now().Before(f.ends()):
		return nil, nil, nil, i.refuse(ctx, auth.EventExpired, f.subject, digest.LoginID(), codeExpired, "")
	}
	return raw, f, secret, nil
}

// secret returns the key of the MAC for a kid.
func (i *Issuer) secret(id string) ([]byte, error) {
	secret, err := i.config.Keys.secret(id)
	if err != nil {
		return nil, err
	}
	return i.bound(secret), nil
}

// bound is a secret for the tokens of this issuer alone.
func (i *Issuer) bound(secret []byte) []byte {
	return boundSecret(secret, i.config.Issuer, i.config.Audience, i.config.ClientID)
}

// listed looks whether a log-in that is about to be written still stands in its
// subject's list, and ends it if not: a store has lost a write then.
func (i *Issuer) listed(ctx context.Context, f *family, digest logins.Digest) error {
	ok, err := i.lists.Listed(ctx, f.subject, digest)
	if err == nil && !ok {
		err = i.lists.EndRecord(ctx, logins.Family, digest, logins.Revoked)
	}
	if err != nil {
		return i.unanswered(ctx, f.subject, digest.LoginID(), fmt.Errorf("token: refresh: %w", err))
	}
	if ok {
		return nil
	}
	i.event(ctx, auth.Event{Kind: auth.EventRevoked, Subject: f.subject, LoginID: digest.LoginID(), Reason: "not in the list"})
	return &refusal{code: codeRevoked, reason: logins.Revoked}
}

// reused ends the family of a token that was spent before. It has not ended if
// another refresh has changed the family in the meantime; that is looked at
// again.
func (i *Issuer) reused(ctx context.Context, f *family, raw []byte, digest logins.Digest, generation uint64, from device) (ended bool, err error) {
	tombstone := logins.NewTombstone(logins.Family, logins.Reused)
	swapped, err := i.store.CompareAndSwap(ctx, digest.Key(), raw, tombstone, logins.Family.TombstoneTTL())
	if err != nil { // the outcome is unknown
		now, ok, again := i.store.Get(ctx, digest.Key())
		swapped = again == nil && ok && bytes.Equal(now, tombstone)
	}
	if !swapped {
		if err != nil {
			err = fmt.Errorf("token: end a family: %w", err)
		}
		return false, err
	}
	if err := i.lists.Remove(ctx, f.subject, digest); err != nil {
		i.lists.Fault(ctx, f.subject, err)
	}
	i.event(ctx, auth.Event{
		Kind: auth.EventReuse, Subject: f.subject, LoginID: digest.LoginID(), Reason: "spent refresh token",
		Err: fmt.Errorf("%d behind; last refreshed by %q %q, now %q %q",
			f.generation-generation, f.last.userAgent, f.last.address, from.userAgent, from.address),
	})
	return true, &refusal{code: codeReused}
}

// answer makes the tokens of the current generation.
func (i *Issuer) answer(ctx context.Context, f *family, seed [16]byte, secret []byte, outcome verdict) (Tokens, error) {
	loginID := familyDigest(i.config.Namespace, familyID(seed)).LoginID()
	tokens, err := i.tokens(f, seed, secret)
	if err != nil {
		return Tokens{}, i.unanswered(ctx, f.subject, loginID, fmt.Errorf("token: refresh: %w", err))
	}
	if kind, ok := events[outcome]; ok {
		i.event(ctx, auth.Event{Kind: kind, Subject: f.subject, LoginID: loginID})
	}
	return tokens, nil
}

// verdict is what a refresh token does to its family.
type verdict int

const (
	answers  verdict = iota // nothing: the current token is the answer
	rotates                 // the next generation becomes current
	recovers                // the answer was lost, and its attempt is known
	arrives                 // the answer that was recovered has got to the client
	heals                   // the store has lost generations
	reuses                  // the token was used before, and by another client
)

var events = map[verdict]auth.EventKind{
	rotates:  auth.EventRenewed,
	recovers: auth.EventRecovered,
	heals:    auth.EventHealed,
}

// judge says what an authentic token of a generation does. It is the heart of
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
func (f *family) judge(generation uint64, attempt string, now time.Time, grace time.Duration) verdict {
	within := func(then int64) bool { return now.Sub(time.UnixMilli(then)).Abs() <= grace }
	behind := int64(f.generation) - int64(generation)
	switch {
	case behind < 0:
		return heals
	case behind <= 1 && f.generation > 0 && within(f.rotated):
		return answers
	case behind == 0 && within(f.recovered):
		if f.presented == 0 {
			return arrives
		}
		return answers
	case behind == 0:
		return rotates
	case behind == 1 && f.attemptedBy(attempt):
		switch {
		case f.presented == 0 && !within(f.recovered):
			return recovers
		case f.presented == 0 || within(f.presented):
			return answers
		}
	}
	return reuses
}

// after returns the family as it is written for a verdict. Its end never moves.
func (f *family) after(v verdict, generation uint64, attempt string, now time.Time, idle time.Duration, from device) *family {
	next := *f
	next.idle = max(min(now.Add(idle).UnixMilli(), f.expires), f.idle)
	next.last = from
	at := max(now.UnixMilli(), f.created) // a clock may lag
	switch v {
	case heals:
		next.generation, next.attempt = generation, "" // it was lost with the write
		next.rotated, next.recovered, next.presented = at, 0, 0
	case rotates:
		next.generation, next.attempt = f.generation+1, attemptHash(attempt)
		next.rotated, next.recovered, next.presented = at, 0, 0
	case recovers:
		next.recovered = max(at, f.created+1) // 0 after created means never
	case arrives:
		next.presented = max(at, f.created+1)
	}
	return &next
}

// ttl is how long the store is to keep the family.
func (f *family) ttl(now time.Time) time.Duration {
	return max(f.ends().Sub(now), 0) + margin
}

func (f *family) attemptedBy(attempt string) bool {
	return f.attempt != "" && attempt != "" &&
		subtle.ConstantTimeCompare([]byte(f.attempt), []byte(attemptHash(attempt))) == 1
}

func attemptHash(attempt string) string {
	if attempt == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(attempt))
	return string(sum[:])
}

// checkAttempt refuses what is no attempt of a client.
func (i *Issuer) checkAttempt(ctx context.Context, attempt string) error {
	if i.attemptAllowed(attempt) {
		return nil
	}
	i.event(ctx, auth.Event{Kind: auth.EventRejected, Reason: "no refresh attempt"})
	return errAttempt
}

// attemptAllowed reports whether a client may send this attempt.
func (i *Issuer) attemptAllowed(attempt string) bool {
	if attempt == "" {
		return i.config.AttemptOptional
	}
	if len(attempt) < 22 || len(attempt) > 128 {
		return false
	}
	for _, c := range []byte(attempt) {
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

var errAttempt = fmt.Errorf("token: a refresh needs a Refresh-Attempt of 22 to 128 base64url characters: %w", auth.ErrForbidden)
