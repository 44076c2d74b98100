package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

// revokeDue revokes the logins by replaced passwords if that is still due, and reports
// whether it was.
//
// If the store failed or the program ended between storing a new hash and LogoutAll, a
// thief would stay logged in, and the user could not retry: the link is used, and the
// old password is wrong. The account therefore records that a LogoutAll is due. It is run
// before a request is served, before a login creates a session, when the program starts,
// and each minute. A request and a login fail while it fails.
//
// Two concurrent calls may revoke a login that was created between them. Its user has to
// log in again.
func (s *site) revokeDue(ctx context.Context, a account) (due bool, err error) {
	if a.Replaced <= a.Revoked {
		return false, nil
	}
	if err := s.sessions.LogoutAll(ctx, a.ID); err != nil {
		return true, err
	}
	return true, s.accounts.setRevoked(ctx, a.ID, a.Replaced)
}

// revokeAllDue does the same for all accounts.
func (s *site) revokeAllDue(ctx context.Context) error {
	list, err := s.accounts.due(ctx)
	for _, one := range list {
		if _, failed := s.revokeDue(ctx, one); failed != nil {
			err = errors.Join(err, fmt.Errorf("account %s: %w", one.ID, failed))
		}
	}
	return err
}

// current is the Authenticator of the guards. With each request it reads the account, as
// most sites do: a role that is withdrawn counts at the next request, and a session that
// began before a change of the password is refused even if the change could not revoke it.
type current struct {
	*session.Manager
	site *site
}

func (c current) Authenticate(r *http.Request) (auth.Identity, error) {
	id, err := c.Manager.Authenticate(r)
	if err != nil {
		return auth.Identity{}, err
	}
	a, err := c.site.accounts.byID(r.Context(), id.Subject)
	if err != nil {
		return auth.Identity{}, err
	}
	if a.ID == "" {
		return auth.Identity{}, fmt.Errorf("the account was deleted: %w", auth.ErrUnauthenticated)
	}
	due, err := c.site.revokeDue(r.Context(), a)
	if err != nil {
		return auth.Identity{}, err
	}
	if due { // revoked by now, unless this login is newer
		if id, err = c.Manager.Authenticate(r); err != nil {
			return auth.Identity{}, err
		}
	}
	id.Scopes = auth.Words(a.Roles)
	return id, nil
}
