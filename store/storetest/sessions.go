package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

func sessionUpdates(k *kit) {
	const writers, each = 8, 8
	m := k.managers(session.Config{})
	var b browser
	if err := b.login(k.ctx, m[0], k.subject()); err != nil {
		k.fatalf("login: %v", err)
	}
	var updates atomic.Int64
	k.parallel(writers, func(i int, v view) error {
		for range k.rounds(each) {
			if err := b.increment(k.ctx, m[v.which]); err != nil {
				return err
			}
			updates.Add(1)
		}
		return nil
	})
	if n, err := b.count(k.ctx, m[0]); int64(n) != updates.Load() || err != nil {
		k.Errorf("%d of %d updates of a session are left, %v", n, updates.Load(), err)
	}
}

// sessionLogout uses sessions whose use is recorded after a short time, so that saves and
// records of use race with the logout.
func sessionLogout(k *kit) {
	const idle, writers, each = 3 * time.Second, 6, 5
	m := k.managers(session.Config{Limits: auth.Limits{IdleTimeout: idle}})
	for range k.rounds(5) {
		var b browser
		if err := b.login(k.ctx, m[0], k.subject()); err != nil {
			k.fatalf("login: %v", err)
		}
		time.Sleep(idle / 10) // every request now records the use
		k.parallel(writers+1, func(i int, v view) error {
			if i == writers {
				err := b.logout(k.ctx, m[1])
				k.mustBeRefused(&b, m, "a session after its logout")
				return err
			}
			for range each {
				if err := b.increment(k.ctx, m[v.which]); err != nil && !refused(err) {
					return err
				}
				if _, err := b.authenticate(k.ctx, m[v.which]); err != nil && !refused(err) {
					return err
				}
			}
			return nil
		})
		k.mustBeRefused(&b, m, "a session after its logout and concurrent updates")
	}
}

func sessionLogoutAll(k *kit) {
	const browsers = 4
	m := k.managers(session.Config{})
	for range k.rounds(5) {
		subject := k.subject()
		var before, during [browsers]browser
		k.parallel(browsers, func(i int, v view) error { return before[i].login(k.ctx, m[v.which], subject) })
		k.parallel(browsers+1, func(i int, v view) error {
			if i == browsers {
				return m[0].LogoutAll(k.ctx, subject)
			}
			during[i].login(k.ctx, m[v.which], subject) // it may lose against the logout
			return nil
		})
		for i := range before {
			k.mustBeRefused(&before[i], m, "a login from before LogoutAll")
		}
		if err := m[1].LogoutAll(k.ctx, subject); err != nil {
			k.fatalf("LogoutAll: %v", err)
		}
		for i := range during {
			k.mustBeRefused(&during[i], m, "a login from before the second LogoutAll")
		}
	}
}

// sessionRepeatedLogin: a double click on "log in" loses no value, and a login whose
// response was lost is repeated and ends the first.
func sessionRepeatedLogin(k *kit) {
	m := k.managers(session.Config{})
	for range k.rounds(5) {
		subject := k.subject()
		var b browser
		if err := errors.Join(b.visit(k.ctx, m[0]), b.increment(k.ctx, m[0])); err != nil {
			k.fatalf("a visitor: %v", err)
		}
		pair := [2]browser{b, b}
		k.parallel(len(pair), func(i int, v view) error { return pair[i].login(k.ctx, m[v.which], subject) })
		last := b
		if err := last.login(k.ctx, m[0], subject); err != nil {
			k.fatalf("login: %v", err)
		}
		for _, b := range append(pair[:], last) {
			if n, err := b.count(k.ctx, m[1]); n != 1 && !refused(err) {
				k.Errorf("a login has lost the values of the visitor: %d, %v", n, err)
			}
		}
		if _, err := last.authenticate(k.ctx, m[1]); err != nil {
			k.Errorf("the last login is refused: %v", err)
		}
		list, err := m[0].Logins(k.ctx, subject)
		if err != nil || len(list) > 2 { // the last, and one of two that were made at once
			k.Errorf("%d logins are left, %v", len(list), err)
		}
		if err := m[0].LogoutAll(k.ctx, subject); err != nil {
			k.Errorf("LogoutAll: %v", err)
		}
	}
}

// sessionRights changes the rights of a user whose session is in use: by the hook, and by
// Refresh. It ends with a LogoutAll during a Refresh.
func sessionRights(k *kit) {
	const each = 10
	var rights atomic.Value
	rights.Store(auth.Words("read admin"))
	ask := func(_ context.Context, id auth.Identity) (auth.Identity, error) {
		id.Scopes = rights.Load().(auth.Words)
		return id, nil
	}
	m := k.managers(session.Config{Limits: auth.Limits{IdleTimeout: 30 * time.Second}, Refreshing: ask})
	subject := k.subject()
	var b browser
	if err := b.login(k.ctx, m[0], subject); err != nil {
		k.fatalf("login: %v", err)
	}
	rights.Store(auth.Words("read"))
	k.awaitRights(&b, m, "read") // by the hook, when a use is recorded

	rights.Store(auth.Words("none"))
	k.parallel(3, func(i int, v view) error {
		if i == 2 {
			return m[1].Refresh(k.ctx, subject, ask)
		}
		for range each {
			if err := b.increment(k.ctx, m[i]); err != nil {
				return err
			}
		}
		return nil
	})
	k.awaitRights(&b, m, "none")
	if n, err := b.count(k.ctx, m[0]); n != 2*each || err != nil {
		k.Errorf("%d of %d updates are left, %v", n, 2*each, err)
	}

	var group sync.WaitGroup
	for i := range m {
		group.Go(func() {
			for range each {
				m[i].Refresh(k.ctx, subject, ask)
				b.authenticate(k.ctx, m[i])
			}
		})
	}
	err := m[0].LogoutAll(k.ctx, subject)
	group.Wait()
	if err != nil {
		k.fatalf("LogoutAll: %v", err)
	}
	k.mustBeRefused(&b, m, "a session after LogoutAll and concurrent changes of rights")
}

// awaitRights waits until both processes see the rights of a session.
func (k *kit) awaitRights(b *browser, m [2]*session.Manager, want auth.Words) {
	k.Helper()
	for i := range m {
		for start := time.Now(); ; time.Sleep(2 * short) {
			id, err := b.authenticate(k.ctx, m[i])
			if err != nil {
				k.fatalf("process %d refuses a live session: %v", i+1, err)
			}
			if id.Scopes == want {
				break
			}
			if time.Since(start) > alive {
				k.fatalf("process %d sees the rights %q, want %q", i+1, id.Scopes, want)
			}
		}
	}
}
