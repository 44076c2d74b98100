package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

const (
	unknownInterval = 10 * time.Second // minimum between fetches for unknown kids
	newKeyMargin    = 30 * time.Second // see mayLack
)

// errNewKey reports that the key of a token may have been published since the last
// fetch. It does not mean that the token is invalid.
var errNewKey = fmt.Errorf("%w: the token may be newer than the last fetch", errUnavailable)

// verify checks the header and the signature of a token. If the kid is unknown, it
// fetches the keys again first. No other error triggers a fetch, so an attacker cannot
// trigger one by a wrong signature.
func (k *RemoteKeySet) verify(ctx context.Context, token string, form jose.Form) (jose.Verified, error) {
	set, err := k.first(ctx)
	if err != nil {
		return jose.Verified{}, err
	}
	verified, err := set.Verify(token, form)
	var unknown *jose.UnknownKeyError
	if !errors.As(err, &unknown) || !current(unknown.Dates, time.Now()) {
		return verified, asInvalid(err)
	}
	if err := await(ctx, k.ask(set)); err != nil {
		return jose.Verified{}, err
	}
	newer, err := k.first(ctx)
	if err != nil {
		return jose.Verified{}, err
	}
	if newer != set {
		verified, err = newer.Verify(token, form)
		if !errors.As(err, &unknown) {
			return verified, asInvalid(err)
		}
	}
	return jose.Verified{}, k.missing(unknown)
}

// current reports whether a token with these dates, which are not authenticated yet,
// could be valid if its key were known. It allows the maximum Leeway of a verifier.
func current(d jose.Dates, now time.Time) bool {
	return d.IssuedAt != 0 && !time.Unix(d.IssuedAt, 0).After(now.Add(maxLeeway)) &&
		now.Before(time.Unix(d.Expires, 0).Add(maxLeeway))
}

// first returns the keys. If there are none, it waits for the fetch that is
// under way, if there is one.
func (k *RemoteKeySet) first(ctx context.Context) (*jose.Set, error) {
	if set := k.verificationSet(); set != nil {
		return set, nil
	}
	k.mu.Lock()
	round := k.round
	k.mu.Unlock()
	if err := await(ctx, round); err != nil {
		return nil, err
	}
	if set := k.verificationSet(); set != nil {
		return set, nil
	}
	return nil, k.unavailable()
}

func await(ctx context.Context, round chan struct{}) error {
	if round == nil {
		return nil
	}
	select {
	case <-round:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("token: waiting for keys: %w", ctx.Err())
	}
}

// ask returns the fetch that may return a kid which the set does not have, or nil if no
// fetch is under way and none may begin yet.
func (k *RemoteKeySet) ask(set *jose.Set) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed, k.verificationSet() != set:
		return nil // the keys have changed since
	case k.round == nil && time.Since(k.started) >= unknownInterval:
		k.round = make(chan struct{})
		k.look()
	}
	return k.round
}

// look makes run fetch as soon as unknownInterval allows.
func (k *RemoteKeySet) look() {
	select {
	case k.wake <- struct{}{}:
	default: // run has been notified already
	}
}

// missing returns the error for a kid that the keys do not have. The kid is not
// remembered, so made-up kids take no memory, and a kid that is published later is
// found.
func (k *RemoteKeySet) missing(unknown *jose.UnknownKeyError) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch keys := k.current.Load(); {
	case k.failure != nil:
		return fmt.Errorf("%w: %w", errUnavailable, k.failure)
	case keys == nil:
		return errUnavailable
	case keys.mayLack(time.Unix(unknown.Dates.IssuedAt, 0)):
		k.look()
		return errNewKey
	}
	return asInvalid(unknown)
}

// mayLack reports whether the key of a token issued at a time may have been published
// after these keys. The margin allows for clocks that differ, for dates truncated to
// seconds, and for caches that do not send an Age.
func (r *remoteKeys) mayLack(issued time.Time) bool {
	return r.asOf.Before(issued.Add(newKeyMargin))
}
