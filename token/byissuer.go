package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/stored"
)

// Verifiers accept the access tokens of several issuers, each with a [Verifier] of its
// own. Create them with [ByIssuer]. They are the Authenticator, and the Challenger, of a
// guard in package middleware, and safe for concurrent use.
type Verifiers struct {
	first    *Verifier // reports requests without a verifier, and writes challenges
	byIssuer map[string]*Verifier
	cookie   cookie.Policy // zero: none
	maxToken int           // of the verifier that allows the longest tokens
	cache    *cache        // of all verifiers; nil: none
}

// ByIssuer joins the verifiers of several issuers, such as the tenants of an identity
// provider, for one guard. To accept the own tokens of an [Issuer] as well, include its
// Verifier field.
//
// The claim iss, which is not verified at that point, only selects one of the given
// verifiers. That verifier then checks the whole token, including iss, by its own keys
// and rules. A token of any other issuer is refused: it causes no request to any host and
// leaves nothing in memory.
//
//   - Each verifier keeps its Audience, Foreign, RevocationCheck and Events. The error of
//     its events names the issuer. A token of an unknown issuer, and a request whose
//     token cannot be read, are reported to the Events of the first verifier.
//   - They share one cache of the sum of their sizes, at most 4194304 tokens.
//   - Verifiers with an AccessCookie must have the same one. A token in that cookie is
//     refused if the verifier of its issuer has no AccessCookie. The CrossOrigin of that
//     verifier applies.
//   - Challenges are those of the first verifier.
//
// The error says why the verifiers cannot be joined: there is none, one is nil, two have
// the same Issuer, or two have different AccessCookies.
func ByIssuer(verifiers ...*Verifier) (*Verifiers, error) {
	if len(verifiers) == 0 {
		return nil, errors.New("token: ByIssuer: there is no Verifier")
	}
	s := &Verifiers{byIssuer: make(map[string]*Verifier, len(verifiers))}
	capacity := 0
	for i, v := range verifiers {
		if v == nil || v.keys == nil {
			return nil, fmt.Errorf("token: ByIssuer: Verifier %d is nil, or was not created with NewVerifier", i)
		}
		if err := s.join(*v); err != nil {
			return nil, err
		}
		capacity += v.cache.capacity()
	}
	s.first = verifiers[0]
	s.shareCache(min(capacity, maxCacheSize))
	return s, nil
}

// join adds a copy of a verifier.
func (s *Verifiers) join(v Verifier) error {
	if s.byIssuer[v.rules.Issuer] != nil {
		return fmt.Errorf("token: ByIssuer: two verifiers have the issuer %q", v.rules.Issuer)
	}
	if v.cookie != (cookie.Policy{}) {
		if s.cookie != (cookie.Policy{}) && s.cookie != v.cookie {
			return errors.New("token: ByIssuer: two verifiers have different AccessCookies")
		}
		s.cookie = v.cookie
	}
	s.maxToken = max(s.maxToken, v.maxToken())
	v.joined = true
	s.byIssuer[v.rules.Issuer] = &v
	return nil
}

// shareCache gives the copies one cache, so that a token is found there before its
// issuer is known. A verifier without a cache stores nothing in it.
func (s *Verifiers) shareCache(capacity int) {
	if capacity == 0 {
		return
	}
	s.cache = newCache(capacity)
	for _, v := range s.byIssuer {
		if v.cache != nil {
			v.cache = s.cache
		}
	}
}

// errUnknownIssuer reports a token of an issuer without a verifier.
var errUnknownIssuer = errors.New("token: unknown issuer")

// choose returns the verifier for a token, and what the cache has of the token.
func (s *Verifiers) choose(token string) (*Verifier, lookup, error) {
	var seen lookup
	if err := checkLength(token, s.maxToken); err != nil {
		return nil, seen, err
	}
	if s.cache != nil {
		if seen = s.cache.lookup(token); seen.token != nil {
			return s.byIssuer[seen.token.identity.Issuer], seen, nil
		}
	}
	issuer, err := jose.UnverifiedIssuer(token)
	if err != nil {
		return nil, seen, asInvalid(err)
	}
	v := s.byIssuer[issuer]
	if v == nil {
		const most = 128
		return nil, seen, asInvalid(fmt.Errorf("%w %q", errUnknownIssuer, stored.Printable(issuer, most)))
	}
	return v, seen, nil
}

// Verify verifies an access token like [Verifier.Verify], with the verifier of its
// issuer. The error for a token of another issuer wraps [auth.ErrUnauthenticated].
func (s *Verifiers) Verify(ctx context.Context, token string) (*Token, error) {
	v, seen, err := s.choose(token)
	if err != nil {
		s.first.report(ctx, nil, err)
		return nil, err
	}
	return v.finish(ctx, token, seen)
}

// Authenticate authenticates a request like [Verifier.Authenticate], with the verifier of
// the token's issuer.
func (s *Verifiers) Authenticate(r *http.Request) (auth.Identity, error) {
	token, inCookie, err := credential(r, s.cookie)
	if errors.Is(err, errNoToken) {
		return auth.Identity{}, err
	}
	v, seen := s.first, lookup{}
	if err == nil {
		if v, seen, err = s.choose(token); err != nil {
			v = s.first
		} else if inCookie {
			err = v.admitCookie(r)
		}
	}
	if err != nil {
		v.report(r.Context(), nil, err)
		return auth.Identity{}, err
	}
	t, err := v.finish(r.Context(), token, seen)
	if err != nil {
		return auth.Identity{}, err
	}
	return t.identity, nil
}

// Challenge adds WWW-Authenticate to the header h of the response, like
// [Verifier.Challenge] of the first verifier.
func (s *Verifiers) Challenge(h http.Header, r *http.Request, err error) {
	s.first.Challenge(h, r, err)
}

// CacheStats returns the current counts of the shared cache. They are zero without one.
func (s *Verifiers) CacheStats() CacheStats { return s.cache.stats() }
