package main

import (
	"context"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

// revoke revokes the logins by replaced passwords if that is still due, and reports
// whether it was.
//
// If the store failed or the program ended between storing a new hash and LogoutAll, a
// thief would stay logged in, and the user could not retry: the link is used, and the
// old password is wrong. The account therefore records that a LogoutAll is due. The guard
// runs it before it serves a request, and each login before it creates a session. Both
// fail while the store fails.
//
// Two concurrent calls may revoke a login that was created between them. Its user has to
// log in again.
func (s *site) revoke(ctx context.Context, name string) (owed bool, err error) {
	replaced, owed := s.accounts.owes(name)
	if !owed {
		return false, nil
	}
	if err := s.sessions.LogoutAll(ctx, name); err != nil {
		return true, err
	}
	s.accounts.revoked(name, replaced)
	return true, nil
}

// current is the Authenticator of the guard. It refuses sessions that began before a
// change of the password, even if the change could not revoke them.
type current struct {
	*session.Manager
	site *site
}

func (c current) Authenticate(r *http.Request) (auth.Identity, error) {
	id, err := c.Manager.Authenticate(r)
	if err != nil {
		return auth.Identity{}, err
	}
	owed, err := c.site.revoke(r.Context(), id.Subject)
	switch {
	case err != nil:
		return auth.Identity{}, err
	case owed:
		return c.Manager.Authenticate(r) // revoked by now
	}
	return id, nil
}
