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
	"github.com/authlatch/auth/internal/watch"
	"github.com/authlatch/auth/internal/wire"
)

// Keys are the keys of a [Verifier]: a *[KeySet] or a *[RemoteKeySet].
type Keys interface {
	// verificationSet returns the current keys, or nil.
	verificationSet() *jose.Set
	// verify checks the header and the signature of a token. An error that does not
	// wrap [auth.ErrUnauthenticated] means that there are no keys.
	verify(ctx context.Context, token string, form jose.Form) (jose.Verified, error)
}

// VerifierConfig configures a [Verifier]. Keys, Issuer and Audience are required; other zero fields have safe defaults.
type VerifierConfig struct {
	// Keys verify the signatures. They must be the keys of Issuer and of no other
	// issuer. Keys is required.
	Keys Keys

	// Issuer is the claim iss of the tokens, compared byte for byte. It is required.
	Issuer string

	// Audience is the name of this API, which the claim aud must be or contain, byte
	// for byte (RFC 9068, 4; ASVS 5.0, 9.2.3). It is required.
	Audience string

	// Leeway is how far the clocks of issuer and verifier may differ. It applies to
	// exp, nbf and iat. The default is 30 seconds, the maximum 5 minutes. [NoLeeway] is
	// for an issuer and a verifier with the same clock.
	Leeway time.Duration

	// CacheSize is the maximum number of verified tokens to remember, so that the
	// signature of a token that comes again is not verified again. They take at most 2
	// KiB each on average. The default is 16384, the maximum 4194304; [NoCache]
	// remembers none. A token that expires, or whose key is removed, is refused at
	// once, cached or not.
	CacheSize int

	// AccessCookie is the policy of an HttpOnly cookie in which a request may carry the
	// token, as an alternative to the Authorization header. It must be the AccessCookie
	// of the issuer's [IssuerConfig]. The default is no cookie.
	AccessCookie cookie.Policy

	// CrossOrigin refuses requests with that cookie that another site makes a browser
	// send (ASVS 5.0, 3.5.1), including WebSocket handshakes. The default trusts no
	// other origin. [auth.RequireOrigin] also refuses requests with neither
	// Sec-Fetch-Site nor Origin. The check does not apply to a token in the
	// Authorization header.
	CrossOrigin auth.CrossOrigin

	// RevocationCheck checks that the login of a token has not ended. The default is no
	// check: a token is then valid until it expires, even after a logout.
	RevocationCheck *RevocationCheck

	// Foreign relaxes the rules for an issuer that does not follow RFC 9068. The
	// default relaxes nothing.
	Foreign *Foreign

	// ResourceMetadata is the URL of the document that tells clients where to get tokens
	// for this API (see [ResourceMetadata.URL]). Challenges contain it (RFC 9728, 5.1).
	// The default is none.
	ResourceMetadata string

	// Events receives the events of refused tokens and of faults. The default discards
	// them.
	Events func(context.Context, auth.Event)

	namespace *string // of an Issuer that verifies its own tokens
}

const (
	// NoLeeway is a Leeway for an issuer and a verifier with the same clock. It is one
	// nanosecond, because zero selects the default.
	NoLeeway = time.Nanosecond

	// NoCache is a CacheSize that disables the cache.
	NoCache = -1
)

// Verifier accepts the access tokens of one issuer for one audience (RFC
// 9068, 4). Create it with [NewVerifier]. It is safe for concurrent use.
//
// A Verifier is the Authenticator, and the Challenger, of a guard in package
// middleware.
type Verifier struct {
	keys       Keys
	rules      claims.Rules
	form       jose.Form
	foreign    *Foreign
	cookie     cookie.Policy // zero: none
	origin     auth.CrossOrigin
	metadata   string           // the URL of the resource's metadata, or empty
	namespace  *string          // the namespace of an Issuer's own tokens, or nil
	revocation *revocationCheck // nil: none
	logins     *revocationCheck // nil without a store: it reads logins for Watch
	watches    *watch.Watcher   // nil without a store
	cache      *cache           // nil: none
	events     func(context.Context, auth.Event)
	joined     bool // by ByIssuer: events name the issuer
}

const (
	defaultLeeway    = 30 * time.Second
	maxLeeway        = 5 * time.Minute
	defaultCacheSize = 16384
	maxCacheSize     = 1 << 22
)

// NewVerifier returns a Verifier, or an error that names the invalid field of the
// configuration. It does no I/O.
func NewVerifier(c VerifierConfig) (*Verifier, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	v := &Verifier{
		keys: c.Keys, cookie: c.AccessCookie, origin: crossorigin.OrDefault(c.CrossOrigin), events: c.Events, namespace: c.namespace, metadata: c.ResourceMetadata,
		form: jose.Form{Types: []string{keyring.AccessType}},
		rules: claims.Rules{
			Issuer: c.Issuer, Audience: c.Audience, Leeway: c.Leeway, Lifetime: claims.OwnLifetime,
			AudienceClaim: "aud", SubjectClaim: "sub", ScopeClaim: "scope", ClientClaim: "client_id",
		},
	}
	if c.Foreign != nil {
		foreign := *c.Foreign
		if err := foreign.relax(&v.rules, &v.form); err != nil {
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
		v.revocation = newRevocationCheck(*c.RevocationCheck, c.Keys)
		v.watchIn(v.revocation)
	}
	return v, nil
}

// check returns an error that names an invalid field.
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
	if c.ResourceMetadata != "" {
		if err := wire.CheckAddress(c.ResourceMetadata, false); err != nil {
			return fmt.Errorf("token: VerifierConfig.ResourceMetadata: %w", err)
		}
		if err := checkQuotable("VerifierConfig.ResourceMetadata", c.ResourceMetadata); err != nil {
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
	// ErrExpired wraps [auth.ErrUnauthenticated]. It reports that an access token has
	// expired but is otherwise valid. The client should refresh.
	ErrExpired = fmt.Errorf("token: expired: %w", auth.ErrUnauthenticated)

	errUnavailable = errors.New("token: the keys of the issuer are not available")
)

// Verify verifies an access token and returns its contents. It does no I/O, except for a
// RevocationCheck, and for waiting for keys that a [RemoteKeySet] does not have yet.
//
// The error wraps [auth.ErrUnauthenticated] if the token is not valid; it wraps
// [ErrExpired] if the token has expired but is otherwise valid. Any other error means
// that the token could not be verified, because there are no keys or the store failed.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	var seen lookup
	if v.cache != nil && len(token) <= v.maxToken() {
		seen = v.cache.lookup(token)
	}
	return v.finish(ctx, token, seen)
}

// finish verifies a token of which the cache has seen, and reports an error.
func (v *Verifier) finish(ctx context.Context, token string, seen lookup) (*Token, error) {
	t, err := v.verify(ctx, token, seen)
	if err != nil {
		v.report(ctx, t, err)
		return nil, err
	}
	return t, nil
}

// verify may return the token together with an error, for the event.
func (v *Verifier) verify(ctx context.Context, token string, seen lookup) (*Token, error) {
	if err := checkLength(token, v.maxToken()); err != nil {
		return nil, err
	}
	t := v.known(seen)
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
		v.cache.put(seen.key, t)
	}
	return t, nil
}

// checkLength comes first, because a token is hashed before anything else is known of it.
func checkLength(token string, limit int) error {
	if len(token) > limit {
		return asInvalid(fmt.Errorf("%w: it has %d bytes, the maximum is %d", jose.ErrTooLong, len(token), limit))
	}
	return nil
}

// maxToken returns the maximum length of a token in bytes.
func (v *Verifier) maxToken() int {
	if v.form.Foreign {
		return jose.MaxLongToken
	}
	return jose.MaxToken
}

// known returns the token that was verified before, if the key that verified it is
// still in the set.
func (v *Verifier) known(seen lookup) *Token {
	if seen.token == nil {
		return nil
	}
	if set := v.keys.verificationSet(); set == nil || !set.Has(seen.token.key) {
		v.cache.remove(seen.key)
		return nil
	}
	return seen.token
}

// current checks the properties that may change between two requests: dates and revocation.
func (v *Verifier) current(ctx context.Context, t *Token) error {
	now := time.Now()
	if err := v.rules.CheckStart(t.dates, now); err != nil {
		return asInvalid(err)
	}
	if v.rules.Expired(t.dates, now) {
		return asInvalid(ErrExpired)
	}
	if v.revocation == nil {
		return nil
	}
	return v.revocation.check(ctx, t, now)
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
	c, err := v.rules.Parse(verified)
	if err != nil {
		return nil, asInvalid(err)
	}
	t := newToken(&c, verified)
	if v.namespace != nil && rotation.Digest(*v.namespace, c.Family).LoginID() != c.SID {
		return nil, asInvalid(errNoFamily) // a token of another namespace, signed with the same keys
	}
	if v.logins != nil {
		if err := v.logins.bind(t, c.Family); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// verify checks the header and the signature of a token. Without keys it returns
// errUnavailable.
func (s *KeySet) verify(_ context.Context, token string, form jose.Form) (jose.Verified, error) {
	set := s.verificationSet()
	if set == nil || set.Len() == 0 {
		return jose.Verified{}, errUnavailable
	}
	verified, err := set.Verify(token, form)
	return verified, asInvalid(err)
}
