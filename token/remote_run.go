package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
)

const (
	minInterval     = time.Minute
	defaultInterval = 5 * time.Minute
	maxInterval     = time.Hour

	firstRetry = time.Second
	lastRetry  = time.Minute
)

var errClosed = errors.New("token: the key set is closed")

// run fetches until it is stopped. All fetches are made here, one at a time.
func (k *RemoteKeySet) run(ctx context.Context) {
	defer close(k.stopped)
	defer k.end()
	for retry := firstRetry; ; {
		wait, err := k.fetch(ctx)
		if err == nil {
			retry = firstRetry
		} else {
			wait, retry = retry, min(2*retry, lastRetry)
		}
		if !k.pause(ctx, wait-jitterOf(wait)) {
			return
		}
	}
}

// pause waits before the next fetch, and not longer than it takes until one may
// begin for an unknown kid, once there is one. It reports whether to go on.
func (k *RemoteKeySet) pause(ctx context.Context, wait time.Duration) bool {
	due := time.Now().Add(wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-k.wake:
			if may := k.started.Add(unknownInterval); may.Before(due) {
				due = may
				timer.Reset(time.Until(may))
			}
		}
	}
}

// fetch fetches the keys once, and lets go those who wait for it. It returns
// how long the keys are fresh.
func (k *RemoteKeySet) fetch(ctx context.Context) (time.Duration, error) {
	k.begin()
	document, fresh, age, err := k.download(ctx)
	if err == nil {
		err = k.take(ctx, document, k.started.Add(-age))
	}
	k.mu.Lock()
	k.failure = err
	close(k.round)
	k.round = nil
	k.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		k.event(ctx, "keys not fetched", err)
	}
	return min(fresh, k.maxStale/2), err
}

// begin makes the round known to those who come from now on.
func (k *RemoteKeySet) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.wake: // asked while the timer rang: this round is for them too
	default:
	}
	if k.round == nil {
		k.round = make(chan struct{})
	}
	k.started = time.Now()
}

// errEmpty is a failure of the host: no issuer works without keys, and some
// publish an empty set for a moment. The keys before it stay.
var errEmpty = errors.New("token: keys: the document has no key that can be used")

// take puts the keys of a document into the place of those before. A key that
// stays is the very same, so what it verified stays verified.
func (k *RemoteKeySet) take(ctx context.Context, document []byte, asOf time.Time) error {
	var previous *jose.Set
	if keys := k.current.Load(); keys != nil {
		previous = keys.set
	}
	// What foreign issuers use is for the verifier to admit or not.
	rules := jose.KeyRules{RS256: true, RSA2048: true, WithoutID: true}
	set, skipped, err := jose.ParseSet(document, rules, previous)
	switch {
	case err != nil:
		return fmt.Errorf("token: keys: %w", err)
	case set.Len() == 0 && len(skipped) > 0:
		return fmt.Errorf("%w: %w", errEmpty, skipped[0])
	case set.Len() == 0:
		return errEmpty
	}
	k.current.Store(&remoteKeys{set, asOf, time.Now().Add(k.maxStale)})
	for _, err := range skipped {
		k.event(ctx, "key left out", err)
	}
	return nil
}

// end lets nobody wait, or verify, any longer.
func (k *RemoteKeySet) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed, k.failure = true, errClosed
	k.current.Store(nil)
	if k.round != nil {
		close(k.round)
		k.round = nil
	}
}

func (k *RemoteKeySet) event(ctx context.Context, reason string, err error) {
	k.events(ctx, auth.Event{Kind: auth.EventFault, Time: time.Now().UTC(), Source: "token", Reason: reason, Err: err})
}
