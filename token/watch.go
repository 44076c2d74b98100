package token

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/watch"
	"github.com/authlatch/auth/store"
)

// Watch returns a copy of ctx that is canceled when the login of id ends. Use it where one
// response lasts longer than a check of the request: for server-sent events and
// WebSockets. Call the returned function when the response ends.
//
// id is an identity that Authenticate of this Verifier has returned. What Watch sees
// depends on the Verifier (ASVS 5.0, 7.4.1):
//
//   - An [Issuer], and a Verifier with a RevocationCheck, read the login in the store.
//     The context outlives the access token, and ends by a logout or a revocation
//     anywhere, by a new login that replaces the login, by reuse of a refresh token, or
//     when the login is no longer refreshed. The cause, see [context.Cause], wraps
//     [auth.ErrUnauthenticated].
//   - Any other Verifier does not know the login. The context ends when the access token
//     expires, with a cause that wraps [ErrExpired], and the client can refresh and
//     connect again.
//
// For an identity that is not of a token, the context is canceled at once, with a cause
// that does not wrap auth.ErrUnauthenticated. After a call of the returned function the
// cause is [context.Canceled], and after the end of ctx it is the cause of ctx.
//
// A login that this Issuer ends is seen at once. So is an end elsewhere, over a near
// cache that reports changes ([store.Notifying]).
//
// To see any other end, Watch reads the login every 5 to 5.5 seconds, by GetCached where
// there is a near cache. These reads also see the end of the actor's own login
// (ActorLoginID of [auth.Identity]), even if this Issuer has ended it. While the store
// cannot answer, the context goes on until the lifetime is over; one [auth.EventFault]
// reports it.
//
// However many watches a login has, it is read once in that time, together with the login
// of its actor: 10,000 watched logins cost at most 2,000 reads a second, spread evenly,
// of which at most 16 run at once. A watch needs no goroutine of its own.
func (v *Verifier) Watch(ctx context.Context, id auth.Identity) (context.Context, context.CancelFunc) {
	t, _ := id.Credential.(*Token)
	switch {
	case t == nil:
		return watch.Refuse(ctx, errNotWatched)
	case v.logins == nil || t.familyKey == "":
		return context.WithDeadlineCause(ctx, time.Unix(t.dates.Expires, 0).Add(v.rules.Leeway), asInvalid(ErrExpired))
	}
	_, notifying := v.logins.store.(store.Notifying)
	key, subject, actor := t.familyKey, t.identity.Subject, t.identity.Actor
	return v.watches.Watch(ctx, watch.Login{
		ID: t.identity.LoginID, Expired: ended("expired"), AtOnce: notifying,
		Look: func(ctx context.Context) (watch.Life, error) { return v.look(ctx, key, subject, actor) },
	})
}

// Watch is [Verifier.Watch] of the verifier that has accepted the token of id.
func (s *Verifiers) Watch(ctx context.Context, id auth.Identity) (context.Context, context.CancelFunc) {
	if t, _ := id.Credential.(*Token); t != nil {
		if v := s.byIssuer[t.identity.Issuer]; v != nil {
			return v.Watch(ctx, id)
		}
	}
	return watch.Refuse(ctx, errNotWatched)
}

var errNotWatched = errors.New("token: watch: the identity is not from Authenticate of this verifier")

// look reads a login. It does not count as a refresh.
func (v *Verifier) look(ctx context.Context, key, subject, actor string) (watch.Life, error) {
	f, err := v.logins.family(ctx, key, subject, actor, time.Now())
	if err != nil {
		return watch.Life{}, err
	}
	return watch.Life{Idle: f.Ends(), Expires: time.UnixMilli(f.Expires)}, nil
}

// watchIn makes Watch look at the logins that l reads.
func (v *Verifier) watchIn(l *revocationCheck) {
	v.logins = l
	v.watches = watch.New(func(loginID string, err error) {
		v.events(context.Background(), auth.Event{Kind: auth.EventFault, Time: time.Now().UTC(), Source: "token", LoginID: loginID, Err: err})
	})
	if near, ok := l.store.(store.Notifying); ok {
		near.OnChange(func(key string) { v.watches.Changed(logins.LoginIDOf(key)) })
	}
}

// endWatches ends the watches of a login whose end is reported.
func (i *Issuer) endWatches(e auth.Event) {
	switch e.Kind {
	case auth.EventLogout:
		i.watches.End(e.LoginID, ended(logins.LoggedOut.String()))
	case auth.EventRevoked:
		i.watches.End(e.LoginID, ended(cmp.Or(e.Reason, logins.Revoked.String())))
	case auth.EventReuse:
		i.watches.End(e.LoginID, ended(logins.Reused.String()))
	}
}
