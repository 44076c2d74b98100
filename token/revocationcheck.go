package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/store"
)

// RevocationCheck lets a [Verifier] look whether the log-in behind a token goes on,
// for APIs that must see a log-out at once (ASVS 5.0, 7.4.1). It costs a read
// of the store. A token without a log-in behind it is refused.
//
// A log-in whose refresh secret has been dropped is over as well, where Keys is
// a [KeySet]: a [RemoteKeySet] does not know of refresh secrets.
type RevocationCheck struct {
	// Store is that of the issuer. It is required. If it is a near cache, what
	// it has at hand counts: a log-out is then seen as late as it promises.
	Store store.Store

	// Namespace is that of the issuer.
	Namespace string

	// Every is how long a token whose log-in was found to go on is not looked
	// up again. The default is to look on each request. Without the cache of
	// verified tokens each request looks anyhow.
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

// revocationCheck is a RevocationCheck at work.
type revocationCheck struct {
	get       func(context.Context, string) ([]byte, bool, error)
	namespace string
	every     time.Duration
	keys      *KeySet // nil if the refresh secrets are not known here
}

func newRevocationCheck(l RevocationCheck, keys Keys) *revocationCheck {
	live := &revocationCheck{get: l.Store.Get, namespace: l.Namespace, every: l.Every}
	live.keys, _ = keys.(*KeySet)
	if near, ok := l.Store.(store.Cached); ok {
		live.get = near.GetCached
	}
	return live
}

var (
	errOver     = errors.New("token: its log-in is over")
	errNoFamily = errors.New("token: no log-in is behind it")
)

// bind notes where the log-in of a token is stored.
func (l *revocationCheck) bind(t *Token, family string) error {
	if family == "" {
		return asInvalid(errNoFamily)
	}
	digest := rotation.Digest(l.namespace, family)
	if digest.LoginID() != t.identity.LoginID {
		return asInvalid(errNoFamily) // of this namespace
	}
	t.familyKey = digest.Key()
	return nil
}

// check looks whether the log-in goes on. What it notes is the time before the
// look, so nothing counts as newer than it is.
func (l *revocationCheck) check(ctx context.Context, t *Token, now time.Time) error {
	if age := now.UnixNano() - t.seenLive.Load(); 0 <= age && age < int64(l.every) {
		return nil
	}
	raw, ok, err := l.get(ctx, t.familyKey)
	if err != nil {
		return fmt.Errorf("token: live check: %w", err)
	}
	if !ok {
		return asInvalid(errOver)
	}
	f, err := rotation.Living(raw, now)
	if err != nil {
		return fmt.Errorf("token: live check: %w", err)
	}
	if f == nil || f.Subject != t.identity.Subject || l.keys.retired(f.KeyID) {
		return asInvalid(errOver) // or it is another subject's
	}
	t.seenLive.Store(now.UnixNano())
	return nil
}
