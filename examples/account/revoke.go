package main

import (
	"context"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

// revoke ends the log-ins by passwords that were replaced, if that is owed still,
// and reports whether it was.
//
// A store that fails, or a program that ends, between a new hash and its LogoutAll
// would leave a thief logged in, with nothing to be tried again: the link is used,
// and the old password is wrong. So the account remembers that it is owed, and
// whatever comes next pays: the guard before it serves anybody, and each log-in
// before its own. Both fail while the store does.
//
// Two that pay at once may end a log-in that was made in between. Its owner logs in
// again.
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

// current is the Authenticator of the guard: it lets no session pass from before a
// change of password, also where the change could not end it.
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
		return c.Manager.Authenticate(r) // which has ended
	}
	return id, nil
}
