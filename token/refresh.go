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

// ErrReused is the error of a refresh token that was already used, in a way that neither
// a lost response nor a second tab explains. Reuse indicates theft, so the login has
// been ended, for the thief and for its owner. It wraps [auth.ErrUnauthenticated].
var ErrReused = fmt.Errorf("token: the refresh token was already used: %w", auth.ErrUnauthenticated)

// Refresh exchanges a refresh token for new tokens, for clients that keep it themselves.
// Browsers use [Issuer.RefreshHandler].
//
// attempt is the idempotency key of the refresh: 22 to 128 characters of base64url,
// which the client generates at random for each refresh and keeps until it has received
// a response. A client that has lost the response repeats the refresh with the same
// attempt, and receives the same successor. attempt may be empty only with
// [IssuerConfig.AttemptOptional]; otherwise the error wraps [auth.ErrForbidden].
//
// A refresh token can be used once. Within [IssuerConfig.GracePeriod] of its use it
// returns the same successor again. After that, reuse ends the login, and the error is
// [ErrReused]. Other errors that wrap [auth.ErrUnauthenticated] mean that the token is
// malformed, forged, expired or revoked. Any other error means that the refresh could
// not be completed, and the client must keep its tokens.
func (i *Issuer) Refresh(ctx context.Context, refreshToken, attempt string) (Tokens, error) {
	if err := i.checkAttempt(ctx, attempt); err != nil {
		return Tokens{}, err
	}
	tokens, err := i.refresh(ctx, refreshToken, attempt, rotation.Device{})
	return tokens.Tokens, err
}

// refresh applies the rules of rotation for a checked attempt, in this order:
//
//  1. A malformed token is invalid. The store is not read.
//  2. If there is no family, it has expired, or never existed. If there is a tombstone,
//     it was revoked. If the family is corrupt, or the store fails, the refresh cannot
//     be completed.
//  3. A token without an authentic MAC is invalid, and changes nothing.
//  4. A family past its limits has expired.
//  5. [rotation.Family.Judge] decides. Before a new generation is written, or the current
//     one is recovered, [IssuerConfig.Refreshing] decides what its tokens state.
//  6. A write counts only if its compare-and-swap succeeds. If a concurrent refresh was
//     faster, the rules apply again from 2.
//
// Only tokens of a family that is in the store are returned.
func (i *Issuer) refresh(ctx context.Context, text, attempt string, from rotation.Device) (granted, error) {
	t, ok := rotation.ParseToken(text)
	if !ok {
		return granted{}, i.refuse(ctx, auth.EventRejected, "", "", codeInvalid, "malformed refresh token")
	}
	digest := rotation.Digest(i.config.Namespace, rotation.FamilyID(t.Seed))
	e := &exchange{Issuer: i, request: ctx, token: t, attempt: attempt, from: from, digest: digest}
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	return e.run(ctx)
}

// exchange is one refresh.
type exchange struct {
	*Issuer
	request context.Context // of the caller: it ends before the writes do
	token   rotation.Token
	attempt string
	from    rotation.Device
	digest  logins.Digest
}

// step is a change that an exchange makes to the family, or has tried to make.
type step struct {
	verdict rotation.Verdict
	family  *rotation.Family // after the step
	tokens  granted          // of the family, unless the token was reused
	value   []byte           // to write; nil for no write
	ttl     time.Duration
}

// casAttempts is how often a refresh is tried while others change its family.
const casAttempts = 4

// run tries until a step is in the store. A swap that returned an error may have
// happened. If it has, the next read returns the value that it wrote.
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
		case failures > 0 && next.verdict == rotation.Reuses: // a full store can still delete
			byThis, err := e.lists.EndRecordByThis(ctx, logins.Family, e.digest, logins.Reused)
			switch {
			case err != nil:
				return granted{}, e.failed(ctx, familyEvent(next.family, e.digest), fmt.Errorf("token: refresh: %w", err))
			case byThis:
				return e.done(ctx, next)
			} // otherwise the next read shows who has ended it
		case failures > 0:
			return granted{}, e.failed(ctx, familyEvent(next.family, e.digest), fmt.Errorf("token: refresh: %w", err))
		default:
			unknown = next
			failures++
		}
	}
	return granted{}, e.fault(ctx, "", e.digest.LoginID(), errors.New("token: refresh: concurrent refreshes of the same login won every compare-and-swap"))
}

// next returns the step that follows from the family's record.
func (e *exchange) next(ctx context.Context, raw []byte) (*step, error) {
	f, secret, err := e.openFamily(ctx, e.digest, raw, e.token)
	if err != nil {
		e.reportEnded(ctx, e.digest, err)
		return nil, err
	}
	now := time.Now()
	next := &step{verdict: f.Judge(e.token.Generation, e.attempt, now, e.config.GracePeriod), family: f}
	switch next.verdict {
	case rotation.Answers:
	case rotation.Reuses:
		next.value, next.ttl = logins.NewTombstone(logins.Family, logins.Reused), logins.Family.TombstoneTTL()
		return next, nil
	default:
		if err := e.change(ctx, next, now); err != nil {
			return nil, err
		}
	}
	// Before the write, so that facts which no token can state are not stored.
	next.tokens, err = e.tokens(next.family, e.token.Seed, secret)
	if err != nil {
		return nil, e.failed(ctx, familyEvent(f, e.digest), fmt.Errorf("token: refresh: %w", err))
	}
	return next, nil
}

// change prepares the write of a step that continues the login.
func (e *exchange) change(ctx context.Context, next *step, now time.Time) error {
	if err := e.listed(ctx, next.family, e.digest); err != nil {
		return err
	}
	next.family = next.family.After(next.verdict, e.token.Generation, e.attempt, now, e.idle(next.family), e.from)
	if next.verdict != rotation.Arrives { // its recovery has asked
		if err := e.ask(ctx, next.family); err != nil {
			return err
		}
	}
	next.value, next.ttl = next.family.Encode(), next.family.TTL(now, e.idle(next.family))
	return nil
}

// done returns the result of a step that is in the store.
func (e *exchange) done(ctx context.Context, s *step) (granted, error) {
	event := familyEvent(s.family, e.digest)
	if s.verdict == rotation.Reuses {
		if err := e.lists.RemoveFor(ctx, s.family.Subject, s.family.Actor, e.digest); err != nil {
			e.lists.Fault(ctx, s.family.Subject, err)
		}
		event.Kind, event.Reason = auth.EventReuse, "refresh token already used"
		event.Err = fmt.Errorf("refreshes behind: %d; last refreshed by %q %q, now %q %q",
			s.family.Generation-e.token.Generation, s.family.Last.UserAgent, s.family.Last.Address, e.from.UserAgent, e.from.Address)
		e.event(ctx, event)
		return granted{}, &refusal{code: codeReused}
	}
	if kind, ok := events[s.verdict]; ok {
		event.Kind = kind
		e.event(ctx, event)
	}
	return s.tokens, nil
}

// events are the event kinds of verdicts. Other verdicts are not reported.
var events = map[rotation.Verdict]auth.EventKind{
	rotation.Rotates:  auth.EventRenewed,
	rotation.Recovers: auth.EventRecovered,
	rotation.Heals:    auth.EventHealed,
}

// listed checks that a login that is about to be written is still in its subject's
// list. If it is not, the store has lost a write, and listed ends the login.
func (i *Issuer) listed(ctx context.Context, f *rotation.Family, digest logins.Digest) error {
	ok, err := i.lists.ListedFor(ctx, f.Subject, f.Actor, digest)
	if err != nil {
		return i.failed(ctx, familyEvent(f, digest), fmt.Errorf("token: refresh: %w", err))
	}
	if ok {
		return nil
	}
	return i.revokeFamily(ctx, f, digest, "not in the list")
}

// revokeFamily ends a family that must not be alive any more, and returns the error of
// its refresh.
func (i *Issuer) revokeFamily(ctx context.Context, f *rotation.Family, digest logins.Digest, reason string) error {
	event := familyEvent(f, digest)
	if err := i.lists.EndRecord(ctx, logins.Family, digest, logins.Revoked); err != nil {
		return i.failed(ctx, event, fmt.Errorf("token: refresh: %w", err))
	}
	event.Kind, event.Reason = auth.EventRevoked, reason
	i.event(ctx, event)
	return &refusal{code: codeRevoked, reason: logins.Revoked}
}
