package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// tieToActor makes a new record end with the actor's own login, if id names that. The old
// session of the browser is about to end, so it cannot be that login.
func (m *Manager) tieToActor(ctx context.Context, rec *sessionrecord.Record, id auth.Identity, old *Session) error {
	if id.ActorLoginID == "" {
		return nil
	}
	if old != nil && old.loginID == id.ActorLoginID {
		return errors.New("Identity.ActorLoginID names the session that this login replaces: use a Manager with another cookie")
	}
	own, err := m.lists.ActorLogin(ctx, id.Actor, id.ActorLoginID)
	if err != nil {
		return err
	}
	rec.ActorLogin = string(own[:])
	return nil
}

const actorEnded = "the login of the actor has ended"

// checkActor ends a session whose actor's own login has ended.
func (m *Manager) checkActor(ctx context.Context, get func(context.Context, string) ([]byte, bool, error), s *Session) error {
	own, ok := s.actorLogin()
	if !ok {
		return nil
	}
	alive, err := logins.Alive(ctx, get, own, sessionrecord.Describe, rotation.Describe)
	if err != nil {
		return m.failed(ctx, s.event(""), fmt.Errorf("session: read the login of the actor: %w", err))
	}
	if !alive {
		return m.revoke(ctx, s, actorEnded)
	}
	return nil
}

// actorLogin returns the actor's own login, which the session ends with.
func (s *Session) actorLogin() (d logins.Digest, ok bool) {
	ok = copy(d[:], s.record.ActorLogin) == len(d)
	return d, ok
}

func (s *Session) actorLoginID() string {
	if d, ok := s.actorLogin(); ok {
		return d.LoginID()
	}
	return ""
}
