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
	further  *claims.Further // nil: none

	dates     jose.Dates
	key       *jose.VerificationKey // that verified it
	familyKey string                // in the store; empty for a Verifier without a store
	liveAt    atomic.Int64          // when its family was last found live, in ns since 1970
}

// newToken returns a Token with accepted claims.
func newToken(c *claims.Access, verified jose.Verified) *Token {
	t := &Token{id: c.ID, clientID: c.ClientID, further: c.Further, dates: verified.Dates, key: verified.Key}
	t.identity = auth.Identity{
		Subject:      c.Subject,
		Actor:        c.Actor,
		ActorLoginID: c.ActorLoginID,
		Issuer:       c.Issuer,
		Scopes:       c.Scopes,
		Methods:      c.Methods,
		AuthTime:     c.AuthTime,
		Expires:      c.Expires,
		LoginID:      c.SID,
		Claims:       c.Application,
		Credential:   t,
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

// AuthorizedParty returns the claim azp: the client that the token was issued to (OpenID
// Connect Core, 2). It is empty if the token has none, or one that is not a string of 1
// to 255 bytes.
func (t *Token) AuthorizedParty() string {
	if t.further == nil {
		return ""
	}
	return t.further.AuthorizedParty
}

// ACR returns the claim acr: the class of the authentication (RFC 9068, 2.2.1; OpenID
// Connect Core, 2). It is empty if the token has none, or one that is not a string of 1
// to 255 bytes.
func (t *Token) ACR() string {
	if t.further == nil {
		return ""
	}
	return t.further.ACR
}

// Actors returns the claim act: the actor that acts for the subject, followed by prior
// actors, the most recent first (RFC 8693, 4.1). It is nil if the subject acts itself.
// The Subject of the first one is the Actor of the identity. The others are information
// only: access control must not depend on them. A Verifier refuses a token with more than
// 8 actors, or with an act that cannot be read.
func (t *Token) Actors() []Actor {
	if t.further == nil || len(t.further.Actors) == 0 {
		return nil
	}
	actors := make([]Actor, len(t.further.Actors))
	for i, a := range t.further.Actors {
		actors[i] = Actor(a)
	}
	return actors
}

// MayAct returns the claim may_act: the party that is allowed to become the actor for the
// subject (RFC 8693, 4.4). It is the zero Actor if the token has no may_act, or one whose
// sub, or iss if there is one, is not a string of 1 to 255 bytes.
func (t *Token) MayAct() Actor {
	if t.further == nil {
		return Actor{}
	}
	return Actor(t.further.MayAct)
}

// IssuedAt returns the claim iat.
func (t *Token) IssuedAt() time.Time { return time.Unix(t.dates.IssuedAt, 0) }
