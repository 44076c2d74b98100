package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/wire"
)

// RemoteConfig says how a [RemoteKeySet] works. All fields have safe defaults.
type RemoteConfig struct {
	// MaxStale is how long keys are used after they were last fetched, while
	// their host does not answer. Then no token can be verified, which is
	// served as 503. The default is 6 hours, the least 5 minutes. It is also how
	// long somebody who cuts the line can keep a removed key in use.
	MaxStale time.Duration

	// Client carries the requests, for a private CA, say, or for a host that
	// wants a credential. Redirects are not followed and no cookies are kept,
	// whatever it says. The default is a client of the set's own, which goes
	// through the proxy of the environment.
	Client *http.Client

	// InsecureHTTP admits a URL of plain http for any host. An attacker between
	// the two can then sign tokens of the issuer, so it is for networks that
	// protect the connection otherwise, such as a service mesh. The default
	// admits plain http for loopback hosts only.
	InsecureHTTP bool

	// Events hears of fetches that fail and of keys that cannot be used. The
	// default is nobody.
	Events func(context.Context, auth.Event)
}

// RemoteKeySet is the published keys of an issuer elsewhere (RFC 7517, 5). They
// are fetched in the background, as often as the host's Cache-Control says,
// between every minute and every hour, 5 minutes without one. A key that is
// published no longer verifies nothing from the next fetch on.
//
// A token with a kid that is not known makes it fetch at once, every 10 seconds
// at most, and the request waits for that fetch. If the kid is still unknown,
// the token is refused only if it is older than the set: if the fetch began at
// least 30 seconds after the token was issued (iat), so that neither a clock nor
// a cache in between explains it. Until then the question cannot be answered,
// which is served as 503: a rotation at the issuer makes no valid token a 401.
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
}

// remoteKeys is what one fetch has brought. It is immutable.
type remoteKeys struct {
	set   *jose.Set
	asOf  time.Time // what was published then is in it
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
// or without any key that can be used, is refused, and the keys before it stay. One kid may stand
// there once for each algorithm; two keys of one kid and algorithm are left out.
//
// An error names the URL or the field of the configuration that cannot work.
func NewRemoteKeySet(url string, c RemoteConfig) (*RemoteKeySet, error) {
	return newRemoteKeySet(url, c, newTransport())
}

func newRemoteKeySet(address string, c RemoteConfig, transport http.RoundTripper) (*RemoteKeySet, error) {
	if err := wire.CheckAddress(address, c.InsecureHTTP); errors.Is(err, wire.ErrPlain) {
		return nil, fmt.Errorf("token: NewRemoteKeySet: %w, and RemoteConfig.InsecureHTTP is not set", err)
	} else if err != nil {
		return nil, fmt.Errorf("token: NewRemoteKeySet: %w", err)
	}
	client := http.Client{Transport: transport}
	if c.Client != nil {
		client = *c.Client
	}
	c.MaxStale = cmp.Or(c.MaxStale, defaultStale)
	if c.MaxStale < leastStale {
		return nil, errors.New("token: RemoteConfig.MaxStale is shorter than 5 minutes")
	}
	if c.Events == nil {
		c.Events = func(context.Context, auth.Event) {}
	}
	ctx, stop := context.WithCancel(context.Background())
	k := &RemoteKeySet{
		url: address, client: withoutRedirects(client), maxStale: c.MaxStale, events: c.Events,
		stop: stop, stopped: make(chan struct{}), wake: make(chan struct{}, 1),
		round: make(chan struct{}),
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

// verificationSet returns nil if there are no keys, or if they are stale.
func (k *RemoteKeySet) verificationSet() *jose.Set {
	keys := k.current.Load()
	if keys == nil || !time.Now().Before(keys.stale) {
		return nil
	}
	return keys.set
}
