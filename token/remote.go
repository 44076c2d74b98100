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

// RemoteConfig configures a [RemoteKeySet]. The zero value has safe defaults.
type RemoteConfig struct {
	// MaxStale is how long keys are used after their last fetch while their host does
	// not respond. After that no token can be verified, which a guard serves as 503.
	// It is also how long an attacker who blocks the JWKS endpoint can keep a removed
	// key in use. The default is 6 hours, the minimum 5 minutes.
	MaxStale time.Duration

	// Client sends the requests, for example with a private CA, or with a credential
	// for the host. Its CheckRedirect and Jar are ignored: redirects are not followed
	// and cookies are not kept. The default is a separate client, which uses the
	// proxy of the environment.
	Client *http.Client

	// InsecureHTTP accepts a plain http URL for any host. An attacker on the network
	// can then forge tokens of the issuer, so set it only in networks that protect the
	// connection otherwise, such as a service mesh. The default accepts plain http only
	// for loopback hosts.
	InsecureHTTP bool

	// Events receives the events of failed fetches and of keys that cannot be used.
	// The default discards them.
	Events func(context.Context, auth.Event)
}

// RemoteKeySet fetches the published keys of an issuer on another host (RFC 7517, 5). It
// fetches them in the background, at the interval of the host's Cache-Control, which is
// limited to between one minute and one hour; the default is 5 minutes. A key that is no
// longer published does not verify from the next fetch on.
//
// A token with an unknown kid triggers a fetch at once, at most every 10 seconds, and its
// request waits for that fetch. If the kid is still unknown, the token is refused only
// if the fetch began at least 30 seconds after the token was issued (iat), so that
// neither a difference of clocks nor an intermediate cache explains the missing key.
// Until then the result is an error that a guard serves as 503, so a rotation at the
// issuer never makes a valid token a 401.
//
// Create it with [NewRemoteKeySet], once and not for each request, and Close it. It is
// safe for concurrent use, and several verifiers of one issuer may share it.
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
	round   chan struct{} // closed when the fetch that is due is done; nil if none is due
	started time.Time     // when the last fetch began
	failure error         // of the last fetch
}

// remoteKeys is the result of one fetch. It is immutable.
type remoteKeys struct {
	set   *jose.Set
	asOf  time.Time // the set has the keys that were published then
	stale time.Time // the set must not be used from then on
}

const (
	defaultStale = 6 * time.Hour
	minStale     = 5 * time.Minute
)

// NewRemoteKeySet returns the keys that an issuer publishes at an https URL, or at an
// http URL of a loopback host. It fetches them in the background until
// [RemoteKeySet.Close]. Requests wait for the first fetch, as long as their context
// lasts. An error names the invalid URL or field of the configuration.
//
// A fetch follows no redirect and sends no cookie. It takes at most 10 seconds, and a
// document has at most 1 MiB and 100 keys.
//
// A key that cannot be used is left out. A kid may occur once for each algorithm; two
// keys with the same kid and algorithm are both left out. A document that contains a
// secret or a private key, or no key that can be used, is refused, and the previous
// keys remain.
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
	if c.MaxStale < minStale {
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

// Close stops the fetching and waits until it has stopped. After Close no token is
// verified. Do not call Close from the Events hook: it would deadlock.
func (k *RemoteKeySet) Close() error {
	k.stop()
	<-k.stopped
	return nil
}

// Ready returns nil if tokens can be verified, and otherwise an error that says why there
// are no keys, or only stale ones.
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

// verificationSet returns the keys, or nil if there are none or they are stale.
func (k *RemoteKeySet) verificationSet() *jose.Set {
	keys := k.current.Load()
	if keys == nil || !time.Now().Before(keys.stale) {
		return nil
	}
	return keys.set
}
