package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/stored"
)

const (
	minInterval     = time.Minute
	defaultInterval = 5 * time.Minute
	maxInterval     = time.Hour

	firstRetry = time.Second
	lastRetry  = time.Minute
)

var errClosed = errors.New("token: the key set is closed")

// run fetches the keys, one fetch at a time, until ctx is canceled.
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

// pause waits until the next fetch is due. If an unknown kid is seen, the fetch is due
// as soon as unknownInterval has passed since the last one. pause returns false if ctx
// was canceled.
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

// fetch fetches the keys once, and releases the requests that wait for it. It returns how
// long the keys are fresh.
func (k *RemoteKeySet) fetch(ctx context.Context) (time.Duration, error) {
	k.begin()
	got, err := k.download(ctx)
	if err == nil {
		err = k.take(ctx, got)
	}
	k.mu.Lock()
	k.failure = err
	close(k.round)
	k.round = nil
	k.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		k.event(ctx, "keys not fetched", err)
	}
	return min(got.fresh, k.maxStale/2), err
}

// begin starts a round, for which requests that come from now on wait.
func (k *RemoteKeySet) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.wake: // a request asked when the timer fired: this round serves it too
	default:
	}
	if k.round == nil {
		k.round = make(chan struct{})
	}
	k.started = time.Now()
}

// errEmpty reports a set without usable keys. It is a failure of the host, because some
// issuers publish an empty set for a moment. The previous keys remain.
var errEmpty = errors.New("the document has no key that can be used")

// take replaces the keys by those of a document. A key that is in both sets keeps its
// identity, so tokens that it verified stay in the cache.
func (k *RemoteKeySet) take(ctx context.Context, got answer) error {
	var previous *jose.Set
	if keys := k.current.Load(); keys != nil {
		previous = keys.set
	}
	// The verifier decides whether to accept the keys of foreign issuers.
	rules := jose.KeyRules{RS256: true, RSA2048: true, WithoutID: true}
	set, skipped, err := jose.ParseSet(got.document, rules, previous)
	switch {
	case err != nil:
		return k.unfit(fmt.Errorf("%w; expected a JWK Set (RFC 7517, 5), the Content-Type is %q", err, stored.Printable(got.contentType, maxQuoted)))
	case set.Len() == 0 && len(skipped) > 0:
		return k.unfit(fmt.Errorf("%w: %w", errEmpty, skipped[0]))
	case set.Len() == 0:
		return k.unfit(errEmpty)
	}
	k.current.Store(&remoteKeys{set, k.started.Add(-got.age), time.Now().Add(k.maxStale)})
	for _, err := range skipped {
		k.event(ctx, "key left out", fmt.Errorf("token: keys: %s: %w", k.url, err))
	}
	return nil
}

// end releases all waiting requests and removes the keys.
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
