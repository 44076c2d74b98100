package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/refreshing"
	"github.com/authlatch/auth/internal/rotation"
)

// maxRefreshing is how long [IssuerConfig.Refreshing] may take. It leaves time for the
// write that follows within the same refresh.
const maxRefreshing = 3 * time.Second

// ask calls [IssuerConfig.Refreshing] for a family that is about to be written, and
// puts the result into it.
func (e *exchange) ask(ctx context.Context, f *rotation.Family) error {
	if e.config.Refreshing == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(e.request, maxRefreshing)
	defer cancel()
	after, err := refreshing.Ask(bounded, e.config.Refreshing, e.identity(f))
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		return e.end(ctx, f, err)
	case err != nil:
		return e.failed(ctx, familyEvent(f, e.digest), fmt.Errorf("token: refresh: %w", err))
	}
	f.Scopes, f.Methods, f.Claims = string(after.Scopes), string(after.Methods), string(after.Claims)
	return nil
}

// identity returns what is known of a login.
func (e *exchange) identity(f *rotation.Family) auth.Identity {
	return auth.Identity{
		Subject: f.Subject, Actor: f.Actor, ActorLoginID: actorLoginID(f), Issuer: e.config.Issuer, LoginID: e.digest.LoginID(),
		Scopes: auth.Words(f.Scopes), Methods: auth.Words(f.Methods), Claims: auth.Claims(f.Claims),
		AuthTime: time.UnixMilli(f.AuthTime), Expires: time.UnixMilli(f.Expires),
	}
}

// end ends a login that must not be refreshed any more, even if a concurrent refresh has
// changed its record.
func (e *exchange) end(ctx context.Context, f *rotation.Family, cause error) error {
	byThis, err := e.lists.EndRecordByThis(ctx, logins.Family, e.digest, logins.Revoked)
	if err != nil {
		return e.failed(ctx, familyEvent(f, e.digest), fmt.Errorf("token: refresh: %w", err))
	}
	if byThis {
		if err := e.lists.RemoveFor(ctx, f.Subject, f.Actor, e.digest); err != nil {
			e.lists.Fault(ctx, f.Subject, err)
		}
		event := familyEvent(f, e.digest)
		event.Kind, event.Reason, event.Err = auth.EventRevoked, "refresh refused", cause
		e.event(ctx, event)
	}
	return &refusal{code: codeRevoked, reason: logins.Revoked}
}
