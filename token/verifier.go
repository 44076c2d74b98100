package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/keyring"
	"github.com/authlatch/auth/internal/rotation"
)

// Keys are what a [Verifier] verifies with: a *[KeySet] or a *[RemoteKeySet].
type Keys interface {
	// verificationSet returns the keys of this moment, or nil.
	verificationSet() *jose.Set
	// verify runs the envelope. An error that is not [auth.ErrUnauthenticated]
	// says that there are no keys.
	verify(ctx context.Context, token string, form jose.Form) (jose.Verified, error)
}

// VerifierConfig says how a [Verifier] works. Keys, Issuer and Audience are
// required; other zero fields have safe defaults.
type VerifierConfig struct {
	// Keys verify the signatures. They belong to Issuer, and to no other. They
	// are required.
	Keys Keys

	// Issuer is the claim iss of the tokens, byte for byte. It is required.
	Issuer string

	// Audience is what the claim aud must be or contain, byte for byte: the
	// name of this resource (RFC 9068, 4; ASVS 5.0, 9.2.3). It is required.
	Audience string

	// Leeway is how far the clocks of issuer and verifier may differ, for exp,
	// nbf and iat alike. The default is 30 seconds, the most 5 minutes; [NoLeeway]
	// is for one clock.
	Leeway time.Duration

	// CacheSize is how many verified tokens are remembered, so that one that
	// comes again costs no signature. They take at most 2 KiB each on average.
	// The default is 16384; [NoCache] remembers none. What ends a token, its time or
	// the removal of its key, ends it in the cache at once.
	CacheSize int

	// AccessCookie is the policy of an HttpOnly cookie in which a request may
	// carry the token instead of the Authorization field, which then stays
	// possible. It is the AccessCookie of the issuer's [IssuerConfig]. The default is
	// none.
	AccessCookie cookie.Policy

	// CrossOrigin refuses what another site makes a browser send with that
	// cookie (ASVS 5.0, 3.5.1), the handshakes of WebSockets included. The
	// default trusts no other origin. [auth.RequireOrigin] also refuses what says
	// nothing of where it comes from. A token in the Authorization field passes
	// without this check.
	CrossOrigin auth.CrossOrigin

	// RevocationCheck looks whether the log-in behind a token goes on. The default is
	// not to look: a token is then valid until it expires, log-out or not.
	RevocationCheck *RevocationCheck

	// Foreign loosens the rules for an issuer that does not follow RFC 9068.
	// The default loosens nothing.
	Foreign *Foreign

	// Events hears of refused tokens and of faults. The default is nobody.
	Events func(context.Context, auth.Event)

	namespace *string // of an Issuer that verifies its own tokens
}

const (
	// NoLeeway is a Leeway for an issuer and a verifier with one clock. It is not
	// zero, which is the default.
	NoLeeway = time.Nanosecond

	// NoCache is a CacheSize that remembers no token.
	NoCache = -1
)

// Verifier accepts the access tokens of one issuer for one audience (RFC
// 9068, 4). Create it with [NewVerifier]. It is safe for concurrent use.
//
// A Verifier is the Authenticator, and the Challenger, of a guard in package
// middleware.
type Verifier struct {
	keys    Keys
	rules   claims.Rules
	form    jose.Form
	foreign *Foreign
	cookie  cookie.Policy // zero: none
	origin  auth.CrossOrigin
	world   *string          // the namespace of an Issuer's own tokens, or nil
	live    *revocationCheck // nil: none
	cache   *cache           // nil: none
	events  func(context.Context, auth.Event)
}

const (
	defaultLeeway    = 30 * time.Second
	maxLeeway        = 5 * time.Minute
	defaultCacheSize = 16384
	maxCacheSize     = 1 << 22
)

// NewVerifier returns a Verifier, or an error that names the field of the
// configuration that cannot work. It does no I/O.
func NewVerifier(c VerifierConfig) (*Verifier, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	v := &Verifier{
		keys: c.Keys, cookie: c.AccessCookie, origin: crossorigin.OrDefault(c.CrossOrigin), events: c.Events, world: c.namespace,
		form: jose.Form{Types: []string{keyring.AccessType}},
		rules: claims.Rules{
			Issuer: c.Issuer, Audience: c.Audience, Leeway: c.Leeway, Lifetime: claims.OwnLifetime,
			AudienceClaim: "aud", ScopeClaim: "scope", ClientClaim: "client_id",
		},
	}
	if c.Foreign != nil {
		foreign := *c.Foreign
		if err := foreign.loosen(&v.rules, &v.form); err != nil {
			return nil, err
		}
		v.foreign = &foreign
	}
	v.rules.Leeway = cmp.Or(v.rules.Leeway, defaultLeeway)
	c.CacheSize = cmp.Or(c.CacheSize, defaultCacheSize)
	if c.CacheSize > 0 {
		v.cache = newCache(c.CacheSize)
	}
	if v.events == nil {
		v.events = func(context.Context, auth.Event) {}
	}
	if c.RevocationCheck != nil {
		v.live = newRevocationCheck(*c.RevocationCheck, c.Keys)
	}
	return v, nil
}

// check refuses what cannot work.
func (c *VerifierConfig) check() error {
	switch keys := c.Keys.(type) {
	case *KeySet:
		if keys == nil {
			return errors.New("token: VerifierConfig.Keys is nil")
		}
	case *RemoteKeySet:
		if keys == nil {
			return errors.New("token: VerifierConfig.Keys is nil")
		}
	default:
		return errors.New("token: VerifierConfig.Keys is required: a *KeySet or a *RemoteKeySet")
	}
	switch {
	case c.Issuer == "":
		return errors.New("token: VerifierConfig.Issuer is required")
	case c.Audience == "":
		return errors.New("token: VerifierConfig.Audience is required")
	case c.Leeway < 0 || c.Leeway > maxLeeway:
		return errors.New("token: VerifierConfig.Leeway is not between 0 and 5 minutes")
	case c.CacheSize < NoCache || c.CacheSize > maxCacheSize:
		return errors.New("token: VerifierConfig.CacheSize is not between -1 and 4194304")
	case c.RevocationCheck != nil && c.Foreign != nil:
		return errors.New("token: VerifierConfig.RevocationCheck is for own tokens, and Foreign is set")
	}
	if c.RevocationCheck != nil {
		if err := c.RevocationCheck.check(); err != nil {
			return err
		}
	}
	return c.checkCookie()
}

func (c *VerifierConfig) checkCookie() error {
	if c.AccessCookie == (cookie.Policy{}) {
		return nil
	}
	if err := c.AccessCookie.Err(); err != nil {
		return fmt.Errorf("token: VerifierConfig.AccessCookie: %w", err)
	}
	if !c.AccessCookie.HTTPOnly() {
		return errors.New("token: VerifierConfig.AccessCookie is readable by scripts")
	}
	return nil
}

var (
	// ErrExpired is the kind of [auth.ErrUnauthenticated] (it wraps it) in
	// which an access token is over and otherwise as it should be: the client
	// refreshes.
	ErrExpired = fmt.Errorf("token: expired: %w", auth.ErrUnauthenticated)

	errUnavailable = errors.New("token: the keys of the issuer are not available")
)

// Verify returns what an access token says, if it is valid now. It makes no
// I/O, but for a RevocationCheck, and for waiting for keys that a [RemoteKeySet] does
// not have yet.
//
// The error wraps [auth.ErrUnauthenticated] if the token is not valid, by
// [ErrExpired] if only its time is over. Any other error says that the question
// could not be answered, for want of keys or because of the store.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	t, err := v.verify(ctx, token)
	if err != nil {
		v.report(ctx, t, err)
		return nil, err
	}
	return t, nil
}

// verify may return the token beside an error, for the event.
func (v *Verifier) verify(ctx context.Context, token string) (*Token, error) {
	if most := v.maxToken(); len(token) > most {
		return nil, asInvalid(fmt.Errorf("%w: it has %d bytes, and %d are admitted", jose.ErrTooLong, len(token), most))
	}
	var key cacheKey
	var t *Token
	if v.cache != nil {
		key = v.cache.keyOf(token)
		t = v.cached(key)
	}
	known := t != nil
	if !known {
		var err error
		if t, err = v.open(ctx, token); err != nil {
			return nil, err
		}
	}
	if err := v.current(ctx, t); err != nil {
		return t, err
	}
	if !known && v.cache != nil {
		v.cache.put(key, t)
	}
	return t, nil
}

// maxToken is how long a token may be.
func (v *Verifier) maxToken() int {
	if v.form.Long {
		return jose.MaxLongToken
	}
	return jose.MaxToken
}

// cached returns a token that was verified before, if the very key that did so
// is still trusted.
func (v *Verifier) cached(key cacheKey) *Token {
	t := v.cache.get(key)
	if t == nil {
		return nil
	}
	if set := v.keys.verificationSet(); set == nil || !set.Has(t.key) {
		v.cache.remove(key)
		return nil
	}
	return t
}

// current checks what may change from one request to the next.
func (v *Verifier) current(ctx context.Context, t *Token) error {
	now := time.Now()
	if err := v.rules.CheckStart(t.dates, now); err != nil {
		return asInvalid(err)
	}
	if v.rules.Expired(t.dates, now) {
		return asInvalid(ErrExpired)
	}
	if v.live == nil {
		return nil
	}
	return v.live.check(ctx, t, now)
}

// open verifies a token that is not in the cache.
func (v *Verifier) open(ctx context.Context, token string) (*Token, error) {
	verified, err := v.keys.verify(ctx, token, v.form)
	if err != nil {
		return nil, err
	}
	if !v.foreign.admits(verified.Key) {
		return nil, asInvalid(jose.ErrAlgorithm)
	}
	c, err := v.rules.Parse(verified.Payload, verified.Dates)
	if err != nil {
		return nil, asInvalid(err)
	}
	t := newToken(c, verified.Key, verified.Dates)
	if v.world != nil && rotation.Digest(*v.world, c.Family).LoginID() != c.SID {
		return nil, asInvalid(errNoFamily) // the tokens of another namespace, with our keys
	}
	if v.live != nil {
		if err := v.live.bind(t, c.Family); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// verify runs the envelope. Without keys nothing can be said of any token.
func (s *KeySet) verify(_ context.Context, token string, form jose.Form) (jose.Verified, error) {
	set := s.verificationSet()
	if set == nil || set.Len() == 0 {
		return jose.Verified{}, errUnavailable
	}
	verified, err := set.Verify(token, form)
	return verified, asInvalid(err)
}
