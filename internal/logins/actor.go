package logins

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/authlatch/auth"
)

// A login with an actor, who acts for its subject, is in the lists of both: ending all
// logins of either ends it. Its entries have the bit acting, and count against a bound of
// their own, so that they end none of the logins that a subject has by itself.

// ActorLifetime is the maximum lifetime of a login with an actor.
const ActorLifetime = time.Hour

// ForActor returns the term of a login with an actor.
func (t Term) ForActor(limits *auth.Limits, now time.Time) Term {
	longest := now.Add(min(limits.Lifetime, ActorLifetime))
	if longest.Before(t.Expires) {
		t.Expires = longest
	}
	return Term{Expires: t.Expires}
}

// maxActing is the maximum of [Lists.Bound] for logins with an actor, so that a list with
// all of them fits into a value of the store.
const maxActing = 100

// acting is set in the kind of a login with an actor.
const acting Kind = 1 << 2

// IsSession reports whether it is a session, with an actor or pending or not.
func (k Kind) IsSession() bool { return k&^acting != Family }

func (k Kind) acting() bool { return k&acting != 0 }

// AddFor is [Lists.Add] for a login of a subject with an actor, or without one if actor
// is empty.
func (l *Lists) AddFor(ctx context.Context, subject, actor string, e Entry, replaced *Digest) error {
	if actor == "" {
		return l.Add(ctx, subject, e, replaced)
	}
	e.Kind |= acting
	if err := l.Add(ctx, subject, e, replaced); err != nil {
		return err
	}
	return l.Add(ctx, actor, e, nil)
}

// ListedFor is [Lists.Listed] for a login that [Lists.AddFor] has added.
func (l *Lists) ListedFor(ctx context.Context, subject, actor string, d Digest) (bool, error) {
	listed, err := l.Listed(ctx, subject, d)
	if err != nil || !listed || actor == "" {
		return listed, err
	}
	return l.Listed(ctx, actor, d)
}

// RemoveFor is [Lists.Remove] for a login that [Lists.AddFor] has added.
func (l *Lists) RemoveFor(ctx context.Context, subject, actor string, d Digest) error {
	err := l.Remove(ctx, subject, d)
	if actor != "" {
		err = errors.Join(err, l.Remove(ctx, actor, d))
	}
	return err
}

// EndOneFor is [Lists.EndOne] for a login that [Lists.AddFor] has added.
func (l *Lists) EndOneFor(ctx context.Context, subject, actor string, kind Kind, d Digest, reason Reason) error {
	if err := l.EndOne(ctx, subject, kind, d, reason); err != nil || actor == "" {
		return err
	}
	if err := l.Remove(ctx, actor, d); err != nil {
		l.Fault(ctx, actor, err)
	}
	return nil
}

// Event returns the event of the end of a login in the list of a subject.
func (e Entry) Event(subject string) auth.Event {
	return auth.Event{Kind: auth.EventRevoked, Subject: cmp.Or(e.Subject, subject), Actor: e.Actor, LoginID: e.Digest.LoginID()}
}

// nameActor fills in whose login an entry is, for the event of its end. An entry whose
// record cannot be read keeps the subject of its list.
func (l *Lists) nameActor(ctx context.Context, e *Entry) {
	raw, ok, err := l.Store.Get(ctx, e.Digest.Key())
	if err != nil || !ok {
		return
	}
	if login, _, err := l.describe(*e, raw); err == nil {
		e.Subject, e.Actor = login.Subject, login.Actor
	}
}

// ErrActorLogin is the error of an actor's own login that is not alive, and so cannot be
// the one that another login ends with.
var ErrActorLogin = errors.New("the login that Identity.ActorLoginID names is not a live login of Identity.Actor in this store and namespace")

// ActorLogin returns the digest of the login of an actor that has a LoginID.
func (l *Lists) ActorLogin(ctx context.Context, actor, loginID string) (Digest, error) {
	entries, err := l.Entries(ctx, actor)
	if err != nil {
		return Digest{}, err
	}
	for _, e := range entries {
		if e.Kind == Pending || e.Kind.acting() || e.Digest.LoginID() != loginID {
			continue
		}
		alive, err := Alive(ctx, l.Store.Get, e.Digest, l.DescribeSession, l.DescribeFamily)
		if err != nil {
			return Digest{}, err
		}
		if alive {
			return e.Digest, nil
		}
	}
	return Digest{}, ErrActorLogin
}

// Alive reads the record of a login and reports whether the login is alive. A corrupt
// record is not. An error means that the store could not answer, or that a newer version
// of the program has written the record.
func Alive(ctx context.Context, get func(context.Context, string) ([]byte, bool, error), d Digest, session, family Describe) (bool, error) {
	raw, ok, err := get(ctx, d.Key())
	if err != nil || !ok || len(raw) == 0 {
		return false, err
	}
	read := session
	if raw[0] >= firstFamilyFormat {
		read = family
	}
	login, live, err := read(d, raw)
	switch {
	case errors.Is(err, ErrNewer):
		return false, err
	case err != nil: // a tombstone, or a corrupt record
		return false, nil
	}
	return live && !login.Pending, nil
}
