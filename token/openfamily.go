package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/keyring"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
)

// readFamily reads the record of a family.
func (i *Issuer) readFamily(ctx context.Context, digest logins.Digest) ([]byte, error) {
	raw, ok, err := i.store.Get(ctx, digest.Key())
	switch {
	case err != nil:
		return nil, i.fault(ctx, "", digest.LoginID(), fmt.Errorf("token: read a family: %w", err))
	case !ok:
		return nil, i.refuse(ctx, auth.EventExpired, "", digest.LoginID(), codeExpired, "unknown")
	}
	return raw, nil
}

// openFamily parses a family and checks that t is an authentic token of it. It also
// returns the secret of its tokens.
func (i *Issuer) openFamily(ctx context.Context, digest logins.Digest, raw []byte, t rotation.Token) (*rotation.Family, []byte, error) {
	if tombstone, ended := logins.ParseTombstone(raw); ended {
		return nil, nil, &refusal{code: codeRevoked, reason: tombstone.Reason}
	}
	f, err := rotation.Parse(raw)
	if err != nil {
		i.event(ctx, auth.Event{Kind: auth.EventFault, LoginID: digest.LoginID(), Err: err})
		return nil, nil, err
	}
	secret, err := i.secret(f.KeyID)
	switch {
	case errors.Is(err, keyring.ErrRetired):
		return nil, nil, &refusal{code: codeRevoked, reason: logins.Revoked}
	case errors.Is(err, keyring.ErrUnknown) && i.config.Keys.newerThan(time.UnixMilli(f.Created)):
		return nil, nil, i.refuse(ctx, auth.EventRejected, "", digest.LoginID(), codeInvalid, "refresh secret lost")
	case err != nil:
		return nil, nil, i.failed(ctx, familyEvent(f, digest), err)
	case !t.Authentic(secret, f.Salt):
		return nil, nil, i.refuse(ctx, auth.EventRejected, "", digest.LoginID(), codeInvalid, "forged refresh token")
	}
	now := time.Now()
	if f.Settle(now, i.idle(f)); !now.Before(f.Ends()) {
		e := familyEvent(f, digest)
		e.Kind = auth.EventExpired
		i.event(ctx, e)
		return nil, nil, &refusal{code: codeExpired}
	}
	if err := i.checkActor(ctx, f, digest); err != nil {
		return nil, nil, err
	}
	return f, secret, nil
}

// secret returns the MAC key for a kid.
func (i *Issuer) secret(id string) ([]byte, error) {
	secret, err := i.config.Keys.secret(id)
	if err != nil {
		return nil, err
	}
	return i.bound(secret), nil
}

// bound derives a secret that is valid only for the tokens of this issuer.
func (i *Issuer) bound(secret []byte) []byte {
	return rotation.BoundSecret(secret, i.config.Issuer, i.config.Audience, i.config.ClientID)
}
