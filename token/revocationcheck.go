package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/store"
)

// RevocationCheck makes a [Verifier] check that the login of a token has not ended,
// for APIs that must see a logout at once (ASVS 5.0, 7.4.1). It costs a read of the
// store. A token without a login in the store is refused.
//
// If Keys is a [KeySet], a login whose refresh secret has been dropped is refused as
// well. A [RemoteKeySet] does not have refresh secrets.
type RevocationCheck struct {
	// Store is the store of the issuer. It is required. If it is a near cache
	// (client-side caching), cached records are used: a logout is then seen within
	// the delay that the near cache guarantees.
	Store store.Store

	// Namespace is the namespace of the issuer.
	Namespace string

	// Every is how long a token is not checked again after a check has found its
	// login live. The default is to check on each request. Without the cache of
	// verified tokens, every request is checked in any case.
	Every time.Duration
}

func (l *RevocationCheck) check() error {
	switch {
	case l.Store == nil:
		return errors.New("token: RevocationCheck.Store is required")
	case l.Every < 0:
		return errors.New("token: RevocationCheck.Every is negative")
	}
	return nil
}

// revocationCheck makes the checks of a RevocationCheck.
type revocationCheck struct {
	get       func(context.Context, string) ([]byte, bool, error)
	store     store.Store
	namespace string
	every     time.Duration
	keys      *KeySet // nil if this host does not have the refresh secrets
}

func newRevocationCheck(l RevocationCheck, keys Keys) *revocationCheck {
	check := &revocationCheck{get: l.Store.Get, store: l.Store, namespace: l.Namespace, every: l.Every}
	check.keys, _ = keys.(*KeySet)
	if near, ok := l.Store.(store.Cached); ok {
		check.get = near.GetCached
	}
	return check
}

var (
	errEnded    = errors.New("token: its login has ended")
	errNoFamily = errors.New("token: it has no login in this namespace")
)

// bind sets the key under which the login of a token is stored.
func (l *revocationCheck) bind(t *Token, family string) error {
	if family == "" {
		return asInvalid(errNoFamily)
	}
	digest := rotation.Digest(l.namespace, family)
	if digest.LoginID() != t.identity.LoginID {
		return asInvalid(errNoFamily) // the login is of another namespace
	}
	t.familyKey = digest.Key()
	return nil
}

// check checks that the login has not ended. It records the time before the read, so
// that a result never counts as newer than it is.
func (l *revocationCheck) check(ctx context.Context, t *Token, now time.Time) error {
	if age := now.UnixNano() - t.liveAt.Load(); 0 <= age && age < int64(l.every) {
		return nil
	}
	if _, err := l.family(ctx, t.familyKey, t.identity.Subject, t.identity.Actor, now); err != nil {
		return err
	}
	t.liveAt.Store(now.UnixNano())
	return nil
}

// family returns the family that is stored under key, if it is live and of this subject
// and actor.
func (l *revocationCheck) family(ctx context.Context, key, subject, actor string, now time.Time) (*rotation.Family, error) {
	raw, ok, err := l.get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("token: revocation check: %w", err)
	}
	if !ok {
		return nil, ended("unknown")
	}
	f, err := rotation.Living(raw, now)
	tombstone, revoked := logins.ParseTombstone(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("token: revocation check: %w", err)
	case revoked:
		return nil, ended(tombstone.Reason.String())
	case f == nil:
		return nil, ended("expired")
	case f.Subject != subject || f.Actor != actor || l.keys.retired(f.KeyID): // or the record is of another subject
		return nil, ended(logins.Revoked.String())
	}
	switch alive, err := actorAlive(ctx, l.get, f, l.describe); {
	case err != nil:
		return nil, fmt.Errorf("token: revocation check: the login of the actor: %w", err)
	case !alive:
		return nil, ended("the login of the actor has ended")
	}
	return f, nil
}

// ended is the error of a token whose login has ended.
func ended(why string) error { return asInvalid(fmt.Errorf("%w: %s", errEnded, why)) }

// describe is [rotation.Describe] of a family whose secret may be retired.
func (l *revocationCheck) describe(d logins.Digest, raw []byte) (auth.Login, bool, error) {
	f, err := rotation.Living(raw, time.Now())
	if err != nil || f == nil {
		return auth.Login{}, false, err
	}
	return f.Describe(d), !l.keys.retired(f.KeyID), nil
}
