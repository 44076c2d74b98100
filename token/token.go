package token

import (
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/jose"
)

// Token is an access token that has been verified. It is the Credential of an
// identity that a [Verifier] returns. It is immutable and shared by all
// requests that carry the same token. However it is printed, it shows neither
// that token nor a key.
type Token struct {
	identity auth.Identity
	id       string
	clientID string

	dates     jose.Dates
	key       *jose.VerificationKey // that verified it
	familyKey string                // in the store; empty without a RevocationCheck
	seenLive  atomic.Int64          // when its family last was, in ns since 1970
}

// newToken makes the token of claims that have been accepted.
func newToken(c *claims.Access, key *jose.VerificationKey, dates jose.Dates) *Token {
	t := &Token{id: c.ID, clientID: c.ClientID, dates: dates, key: key}
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

// Identity returns who the token speaks for. Its Subject is unique within its
// Issuer alone (ASVS 5.0, 10.3.3). AuthTime is zero and LoginID empty if the
// token does not tell them.
func (t *Token) Identity() auth.Identity { return t.identity }

// ID returns the claim jti, by which to name the token in a log or a list of
// revoked ones: its text has more than one spelling. It is empty only in a
// token admitted by [Foreign.WithoutID].
func (t *Token) ID() string { return t.id }

// ClientID returns the claim client_id: the application that the token was
// issued to (RFC 9068, 2.2).
func (t *Token) ClientID() string { return t.clientID }

// IssuedAt returns the claim iat.
func (t *Token) IssuedAt() time.Time { return time.Unix(t.dates.IssuedAt, 0) }
