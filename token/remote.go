package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
)

// RemoteConfig says how a [RemoteKeySet] works. All fields have safe defaults.
type RemoteConfig struct {
	// MaxStale is how long keys are used after they were last fetched, while
	// their host does not answer. Then no token can be verified, which is
	// served as 503. The default is 6 hours, the least 5 minutes. It is also how
	// long somebody who cuts the line can keep a removed key in use.
	MaxStale time.Duration

	// Events hears of fetches that fail and of keys that cannot be used. The
	// default is nobody.
	Events func(context.Context, auth.Event)
}

// RemoteKeySet is the published keys of an issuer elsewhere (RFC 7517, 5). They
// are fetched in the background, as often as the host's Cache-Control says,
// between every minute and every hour, 5 minutes without one. A token with a
// kid that is not known makes it look at once, every 10 seconds at most. A key
// that is published no longer verifies nothing from the next fetch on.
//
// Create it with [NewRemoteKeySet], once and not for each request, and Close it.
// All methods may be called by many goroutines at once, and one set may serve
// several verifiers of one issuer.
type RemoteKeySet struct {
	url      string
	client   *http.Client
	maxStale time.Duration
	events   func(context.Context, auth.Event)

	current atomic.Pointer[remoteKeys]
	stop    context.CancelFunc
	stopped chan struct{}
	wake    chan struct{}

	mu      sync.Mutex
	closed  bool
	round   chan struct{} // closed when the fetch that is due is done; nil if none is
	started time.Time     // when the last fetch was
	failure error         // of the last fetch
	unknown map[string]time.Time
}

// remoteKeys is what one fetch has brought. It is immutable.
type remoteKeys struct {
	set   *jose.Set
	stale time.Time // not to be used from then on
}

const (
	defaultStale = 6 * time.Hour
	leastStale   = 5 * time.Minute
)

// NewRemoteKeySet returns the keys that an issuer publishes under an https URL,
// or an http URL of a loopback host. It fetches them in the background, from
// now on until [RemoteKeySet.Close]; requests wait for the first fetch, as long
// as their context lasts.
//
// No redirect is followed, and there are no cookies. A fetch takes 10 seconds
// at most, and a document has a mebibyte and 100 keys at most. A key that
// cannot be used is left out. A document with a secret or a private key in it,
// or with one kid twice, is refused, and the keys before it stay.
func NewRemoteKeySet(url string, c RemoteConfig) (*RemoteKeySet, error) {
	return newRemoteKeySet(url, c, newTransport())
}

func newRemoteKeySet(address string, c RemoteConfig, transport http.RoundTripper) (*RemoteKeySet, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	orElse(&c.MaxStale, defaultStale)
	if c.MaxStale < leastStale {
		return nil, errors.New("token: RemoteConfig.MaxStale is shorter than 5 minutes")
	}
	if c.Events == nil {
		c.Events = func(context.Context, auth.Event) {}
	}
	ctx, stop := context.WithCancel(context.Background())
	k := &RemoteKeySet{
		url: address, client: newClient(transport), maxStale: c.MaxStale, events: c.Events,
		stop: stop, stopped: make(chan struct{}), wake: make(chan struct{}, 1),
		round: make(chan struct{}), unknown: make(map[string]time.Time),
	}
	go k.run(ctx)
	return k, nil
}

// Close ends the fetching and waits until it has. No token is verified after. Do
// not call it from the hook for events, which it would wait for.
func (k *RemoteKeySet) Close() error {
	k.stop()
	<-k.stopped
	return nil
}

// Ready reports whether tokens can be verified: nil if there are keys that are
// not stale, or why not.
func (k *RemoteKeySet) Ready() error {
	if k.verificationSet() != nil {
		return nil
	}
	return k.unavailable()
}

func (k *RemoteKeySet) unavailable() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure == nil {
		return errUnavailable
	}
	return fmt.Errorf("%w: %w", errUnavailable, k.failure)
}

// verificationSet returns nil if there are no keys, or if they are stale. An
// issuer that publishes none has taken back all, and may be about to publish
// others.
func (k *RemoteKeySet) verificationSet() *jose.Set {
	keys := k.current.Load()
	if keys == nil || keys.set.Len() == 0 || !time.Now().Before(keys.stale) {
		return nil
	}
	return keys.set
}

// verify runs the envelope. Over a kid that is not known it looks for newer
// keys first. No other error makes it look: whoever writes a bad signature
// makes nobody fetch anything.
func (k *RemoteKeySet) verify(ctx context.Context, token string, form jose.Form) (jose.Verified, error) {
	set, err := k.first(ctx)
	if err != nil {
		return jose.Verified{}, err
	}
	verified, err := set.Verify(token, form)
	var unknown *jose.UnknownKeyError
	if !errors.As(err, &unknown) {
		return verified, asInvalid(err)
	}
	round := k.ask(unknown.KeyID, set)
	if err := await(ctx, round); err != nil {
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
	return jose.Verified{}, k.inVain(unknown, round != nil)
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

const (
	unknownInterval = 10 * time.Second // between fetches for unknown kids, at least
	unknownFor      = 5 * time.Minute  // a kid is not looked for again
	maxUnknown      = 1024             // kids of which that is known
)

// ask returns the fetch that may bring a kid which the set does not have, or
// nil if there is no use in waiting for one.
func (k *RemoteKeySet) ask(kid string, set *jose.Set) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	switch asked, ok := k.unknown[kid]; {
	case k.closed, ok && now.Sub(asked) < unknownFor:
		return nil
	case k.verificationSet() != set:
		return nil // there are others by now
	case k.round != nil:
		return k.round
	case now.Sub(k.started) < unknownInterval:
		return nil
	}
	k.round = make(chan struct{})
	k.wake <- struct{}{} // there is room: without a round, nobody has asked
	return k.round
}

// inVain returns the error for a kid that nobody knows, and notes it if a
// fetch did not bring it. As long as fetches fail, it may be a new one.
func (k *RemoteKeySet) inVain(unknown *jose.UnknownKeyError, fetched bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil {
		return fmt.Errorf("%w: %w", errUnavailable, k.failure)
	}
	if fetched {
		if len(k.unknown) >= maxUnknown {
			clear(k.unknown)
		}
		k.unknown[strings.Clone(unknown.KeyID)] = time.Now()
	}
	return asInvalid(unknown)
}
