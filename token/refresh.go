package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
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
// gets it again. It may be empty only where [IssuerConfig.AttemptOptional] says so.
//
// A refresh token is for single use. Within [IssuerConfig.GracePeriod] of its use it is
// answered once more with the same successor; later it ends the log-in, with
// [ErrReused]. Other errors that wrap [auth.ErrUnauthenticated] say that the
// token is malformed, forged, expired or revoked. Any other error means that the
// question could not be answered, and the client keeps its tokens.
func (i *Issuer) Refresh(ctx context.Context, refreshToken, attempt string) (Tokens, error) {
	if err := i.checkAttempt(ctx, attempt); err != nil {
		return Tokens{}, err
	}
	tokens, err := i.refresh(ctx, refreshToken, attempt, rotation.Device{})
	return tokens.Tokens, err
}

// refresh follows the rules of rotation for a checked attempt. They are, in this
// order:
//
//  1. A malformed token is invalid, without asking the store.
//  2. No family: it has expired, or never was. A tombstone: it was revoked. A
//     family that makes no sense, or a store that fails: not to be answered.
//  3. A MAC that is not ours is invalid, and changes nothing.
//  4. A family past its limits has expired.
//  5. What [rotation.Family.Judge] says holds, and a write counts only if its swap has
//     succeeded. If another refresh was faster, all starts over.
//
// Nothing is answered that is not in the store.
func (i *Issuer) refresh(ctx context.Context, text, attempt string, from rotation.Device) (granted, error) {
	t, ok := rotation.ParseToken(text)
	if !ok {
		return granted{}, i.refuse(ctx, auth.EventRejected, "", "", codeInvalid, "malformed refresh token")
	}
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	e := &exchange{i, t, attempt, from, rotation.Digest(i.config.Namespace, rotation.FamilyID(t.Seed))}
	return e.run(ctx)
}

// exchange is one refresh.
type exchange struct {
	*Issuer
	token   rotation.Token
	attempt string
	from    rotation.Device
	digest  logins.Digest
}

// step is what an exchange does to the family, or has tried to do.
type step struct {
	verdict rotation.Verdict
	family  *rotation.Family // as it stands after the step
	secret  []byte
	value   []byte // what is written; nil if nothing is
	ttl     time.Duration
}

// casAttempts is how often a refresh is tried against others of its family.
const casAttempts = 4

// run tries until a step is in the store. A swap that says nothing may have
// happened: then the next read returns what was written.
func (e *exchange) run(ctx context.Context) (granted, error) {
	var unknown *step // its swap had an unknown outcome
	for failures, try := 0, 0; try < casAttempts; try++ {
		raw, err := e.readFamily(ctx, e.digest)
		if err != nil {
			return granted{}, err
		}
		if unknown != nil && bytes.Equal(raw, unknown.value) {
			return e.done(ctx, unknown)
		}
		next, err := e.next(ctx, raw)
		if err != nil {
			return granted{}, err
		}
		if next.value == nil {
			return e.done(ctx, next)
		}
		swapped, err := e.store.CompareAndSwap(ctx, e.digest.Key(), raw, next.value, next.ttl)
		switch {
		case swapped:
			return e.done(ctx, next)
		case err == nil:
			unknown = nil
		case failures > 0 && next.verdict == rotation.Reuses && e.lists.EndRecord(ctx, logins.Family, e.digest, logins.Reused) == nil:
			return e.done(ctx, next) // a full store still deletes
		case failures > 0:
			return granted{}, e.unanswered(ctx, next.family.Subject, e.digest.LoginID(), fmt.Errorf("token: refresh: %w", err))
		default:
			unknown = next
			failures++
		}
	}
	return granted{}, e.unanswered(ctx, "", e.digest.LoginID(), errors.New("token: refresh: other refreshes of the same login were faster each time"))
}

// next returns the step that a family asks for.
func (e *exchange) next(ctx context.Context, raw []byte) (*step, error) {
	f, secret, err := e.openFamily(ctx, e.digest, raw, e.token)
	if err != nil {
		e.tellOver(ctx, e.digest, err)
		return nil, err
	}
	now := time.Now()
	next := &step{verdict: f.Judge(e.token.Generation, e.attempt, now, e.config.GracePeriod), family: f, secret: secret}
	switch next.verdict {
	case rotation.Answers:
		return next, nil
	case rotation.Reuses:
		next.value, next.ttl = logins.NewTombstone(logins.Family, logins.Reused), logins.Family.TombstoneTTL()
		return next, nil
	}
	if err := e.listed(ctx, f, e.digest); err != nil {
		return nil, err
	}
	next.family = f.After(next.verdict, e.token.Generation, e.attempt, now, e.config.IdleTimeout, e.from)
	next.value, next.ttl = next.family.Encode(), next.family.TTL(now)
	return next, nil
}

// done answers a step that is in the store.
func (e *exchange) done(ctx context.Context, s *step) (granted, error) {
	subject, loginID := s.family.Subject, e.digest.LoginID()
	if s.verdict == rotation.Reuses {
		if err := e.lists.Remove(ctx, subject, e.digest); err != nil {
			e.lists.Fault(ctx, subject, err)
		}
		e.event(ctx, auth.Event{
			Kind: auth.EventReuse, Subject: subject, LoginID: loginID, Reason: "refresh token already used",
			Err: fmt.Errorf("%d behind; last refreshed by %q %q, now %q %q",
				s.family.Generation-e.token.Generation, s.family.Last.UserAgent, s.family.Last.Address, e.from.UserAgent, e.from.Address),
		})
		return granted{}, &refusal{code: codeReused}
	}
	tokens, err := e.tokens(s.family, e.token.Seed, s.secret)
	if err != nil {
		return granted{}, e.unanswered(ctx, subject, loginID, fmt.Errorf("token: refresh: %w", err))
	}
	if kind, ok := events[s.verdict]; ok {
		e.event(ctx, auth.Event{Kind: kind, Subject: subject, LoginID: loginID})
	}
	return tokens, nil
}

// events are what verdicts are reported as; the others change nothing.
var events = map[rotation.Verdict]auth.EventKind{
	rotation.Rotates:  auth.EventRenewed,
	rotation.Recovers: auth.EventRecovered,
	rotation.Heals:    auth.EventHealed,
}

// listed looks whether a login that is about to be written still stands in its
// subject's list, and ends it if not: a store has lost a write then.
func (i *Issuer) listed(ctx context.Context, f *rotation.Family, digest logins.Digest) error {
	ok, err := i.lists.Listed(ctx, f.Subject, digest)
	if err == nil && !ok {
		err = i.lists.EndRecord(ctx, logins.Family, digest, logins.Revoked)
	}
	if err != nil {
		return i.unanswered(ctx, f.Subject, digest.LoginID(), fmt.Errorf("token: refresh: %w", err))
	}
	if ok {
		return nil
	}
	i.event(ctx, auth.Event{Kind: auth.EventRevoked, Subject: f.Subject, LoginID: digest.LoginID(), Reason: "not in the list"})
	return &refusal{code: codeRevoked, reason: logins.Revoked}
}
