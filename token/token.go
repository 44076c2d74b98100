package token

import (
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/jose"
)

// Token is a verified access token. It is the Credential of an identity that a
// [Verifier] returns. It is immutable, and all requests that carry the same token
// share it. Printing it, with any verb, discloses neither the token's text nor a key.
type Token struct {
	identity auth.Identity
	id       string
	clientID string

	dates     jose.Dates
	key       *jose.VerificationKey // that verified it
	familyKey string                // in the store; empty without a RevocationCheck
	liveAt    atomic.Int64          // when its family was last found live, in ns since 1970
}

// newToken returns a Token with accepted claims.
func newToken(c *claims.Access, verified jose.Verified) *Token {
	t := &Token{id: c.ID, clientID: c.ClientID, dates: verified.Dates, key: verified.Key}
	t.identity = auth.Identity{
		Subject:    c.Subject,
		Issuer:     c.Issuer,
		Scopes:     c.Scopes,
		Methods:    c.Methods,
		AuthTime:   c.AuthTime,
		Expires:    c.Expires,
		LoginID:    c.SID,
		Claims:     c.Application,
		Credential: t,
	}
	return t
}

// Identity returns the identity that the token authenticates. Its Subject is unique
// only within its Issuer (ASVS 5.0, 10.3.3). AuthTime is zero, or LoginID empty, if
// the token does not have the claim.
func (t *Token) Identity() auth.Identity { return t.identity }

// ID returns the claim jti. Use it to name the token in a log or a list of revoked
// tokens, because the same token can be encoded as more than one text. It may
// be empty with [Foreign].
func (t *Token) ID() string { return t.id }

// ClientID returns the claim client_id: the application that the token was
// issued to (RFC 9068, 2.2).
func (t *Token) ClientID() string { return t.clientID }

// IssuedAt returns the claim iat.
func (t *Token) IssuedAt() time.Time { return time.Unix(t.dates.IssuedAt, 0) }
