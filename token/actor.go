package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// Actor is a party that acts for the subject of a token, or that may (RFC 8693, 4.1 and
// 4.4).
type Actor struct {
	Subject string // sub; empty: none
	Issuer  string // iss, within which Subject is unique; empty: the token does not state it
}

// tieToActor makes a new family end with the actor's own login, if id names that. The old
// login of the browser is about to end, so it cannot be that login.
func (i *Issuer) tieToActor(ctx context.Context, f *rotation.Family, id auth.Identity, old *login) error {
	if id.ActorLoginID == "" {
		return nil
	}
	if old != nil && old.digest.LoginID() == id.ActorLoginID {
		return errors.New("Identity.ActorLoginID names the login that this login replaces: use an Issuer with another cookie")
	}
	own, err := i.lists.ActorLogin(ctx, id.Actor, id.ActorLoginID)
	if err != nil {
		return err
	}
	f.ActorLogin = string(own[:])
	return nil
}

// actorAlive reports whether the actor's own login is alive, if a family ends with it.
func actorAlive(ctx context.Context, get func(context.Context, string) ([]byte, bool, error), f *rotation.Family, describe logins.Describe) (bool, error) {
	own, ok := actorLogin(f)
	if !ok {
		return true, nil
	}
	return logins.Alive(ctx, get, own, sessionrecord.Describe, describe)
}

// actorLogin returns the actor's own login, which the family ends with.
func actorLogin(f *rotation.Family) (d logins.Digest, ok bool) {
	ok = copy(d[:], f.ActorLogin) == len(d)
	return d, ok
}

func actorLoginID(f *rotation.Family) string {
	if d, ok := actorLogin(f); ok {
		return d.LoginID()
	}
	return ""
}

// checkActor ends a family whose actor's own login has ended.
func (i *Issuer) checkActor(ctx context.Context, f *rotation.Family, digest logins.Digest) error {
	alive, err := actorAlive(ctx, i.store.Get, f, i.describe)
	if err != nil {
		return i.failed(ctx, familyEvent(f, digest), fmt.Errorf("token: read the login of the actor: %w", err))
	}
	if alive {
		return nil
	}
	return i.revokeFamily(ctx, f, digest, "the login of the actor has ended")
}
