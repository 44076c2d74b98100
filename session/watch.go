package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/sessionrecord"
	"github.com/authlatch/auth/internal/watch"
)

// Watch returns a copy of ctx that is canceled when the login of id ends: by a logout or a
// revocation anywhere, by a new login that replaces it, or because its lifetime or its
// idle timeout is over (ASVS 5.0, 7.4.1). Use it where one response lasts longer than a
// check of the request: for server-sent events and WebSockets. Call the returned function
// when the response ends.
//
// id is an identity that Authenticate of this Manager has returned. When the login ends,
// the cause of the context, see [context.Cause], is the error that Authenticate would
// return, which wraps [auth.ErrUnauthenticated]. For any other identity the context is
// canceled at once, with a cause that does not wrap auth.ErrUnauthenticated. After a call
// of the returned function the cause is [context.Canceled], and after the end of ctx it
// is the cause of ctx.
//
// A session that this Manager ends is seen at once. So is an end elsewhere, over a near
// cache that reports changes ([store.Notifying]).
//
// To see any other end, Watch reads the session every 5 to 5.5 seconds, by GetCached
// where there is a near cache. These reads also see the end of the actor's own login
// (ActorLoginID of [auth.Identity]), even if this Manager has ended it. While the store
// cannot answer, the context goes on until the lifetime is over; one [auth.EventFault]
// reports it.
//
// However many watches a login has, it is read once in that time, together with the login
// of its actor: 10,000 watched logins cost at most 2,000 reads a second, spread evenly,
// of which at most 16 run at once. A watch needs no goroutine of its own.
//
// Watch does not count as use of the session, which still ends after its idle timeout. If
// a message of the client counts as use, the handler calls Authenticate with its request
// for each message.
func (m *Manager) Watch(ctx context.Context, id auth.Identity) (context.Context, context.CancelFunc) {
	s, ok := id.Credential.(*Session)
	if !ok || s == nil || !s.authenticates() {
		return watch.Refuse(ctx, errors.New("session: watch: the identity is not from Manager.Authenticate"))
	}
	digest := s.digest // and not s, which has all values of the session
	return m.watches.Watch(ctx, watch.Login{
		ID: s.loginID, Life: m.life(s), Expired: &endedError{manager: m, digest: digest, why: "expired"},
		Look: func(ctx context.Context) (watch.Life, error) { return m.look(ctx, digest) },
	})
}

// look reads a login without recording a use.
func (m *Manager) look(ctx context.Context, d logins.Digest) (watch.Life, error) {
	s := newSession(d)
	raw, ok, err := m.cached(ctx, s.key)
	if err != nil {
		return watch.Life{}, fmt.Errorf("session: watch: %w", err)
	}
	if _, err := m.open(s, raw, ok); err != nil {
		return watch.Life{}, err
	}
	if own, ok := s.actorLogin(); ok {
		alive, err := logins.Alive(ctx, m.cached, own, sessionrecord.Describe, rotation.Describe)
		if err != nil {
			return watch.Life{}, fmt.Errorf("session: watch: read the login of the actor: %w", err)
		}
		if !alive {
			return watch.Life{}, &endedError{manager: m, digest: d, why: actorEnded}
		}
	}
	return m.life(s), nil
}

func (m *Manager) life(s *Session) watch.Life {
	return watch.Life{Idle: m.ends(s), Expires: time.UnixMilli(s.record.Expires)}
}

// endWatches ends the watches of a login whose end is reported.
func (m *Manager) endWatches(e auth.Event) {
	switch e.Kind {
	case auth.EventLogout:
		m.watches.End(e.LoginID, &endedError{manager: m, why: logins.LoggedOut.String(), reason: logins.LoggedOut})
	case auth.EventRevoked:
		m.watches.End(e.LoginID, &endedError{manager: m, why: cmp.Or(e.Reason, logins.Revoked.String()), reason: logins.Revoked})
	}
}
