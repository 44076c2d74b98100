package session_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// near is a near cache that never forgets: the worst that there could be.
type near struct {
	store.Store
	kept   map[string][]byte
	cached int
}

func (n *near) GetCached(ctx context.Context, key string) ([]byte, bool, error) {
	n.cached++
	if value, ok := n.kept[key]; ok {
		return value, true, nil
	}
	value, ok, err := n.Store.Get(ctx, key)
	if ok && err == nil {
		n.kept[key] = value
	}
	return value, ok, err
}

func TestNearCacheIsAskedByAuthenticateOnly(t *testing.T) {
	s := &near{Store: &store.Memory{}, kept: make(map[string][]byte)}
	m := newManager(t, session.Config{Store: s})
	b := loggedIn(t, m, "alice")
	check(t, b.add(m))
	if _, err := b.ensure(m); err != nil {
		t.Fatal(err)
	}
	b.has(t, m, valid)
	if _, err := m.Logins(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	check(t, m.LogoutOne(t.Context(), "alice", "unknown"))
	check(t, b.login(m, "alice"))
	old := *b
	check(t, b.logout(m))
	check(t, m.LogoutAll(t.Context(), "alice"))
	if s.cached != 0 {
		t.Errorf("%d reads of the cache by others than Authenticate", s.cached)
	}
	old.wants(t, m, noCredential)
	if s.cached != 1 {
		t.Errorf("%d reads of the cache by Authenticate, want 1", s.cached)
	}
}

// A store for metrics or tracing that passes GetCached on keeps the near cache.
func TestWrappedStoreKeepsItsNearCache(t *testing.T) {
	cache := &near{Store: &store.Memory{}, kept: make(map[string][]byte)}
	for name, c := range map[string]struct {
		store store.Store
		want  int
	}{
		"a wrapper that passes it on":  {struct{ store.Cached }{cache}, 1},
		"a wrapper of a Store without": {struct{ store.Store }{cache}, 0},
	} {
		m := newManager(t, session.Config{Store: c.store})
		b := loggedIn(t, m, "alice")
		cache.cached = 0
		if b.wants(t, m, valid); cache.cached != c.want {
			t.Errorf("%s: %d reads of the cache, want %d", name, cache.cached, c.want)
		}
	}
}

// What a near cache has missed is seen by everything that matters.
func TestStaleCacheBringsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &store.Memory{}
		m := newManager(t, session.Config{Store: &near{Store: inner, kept: make(map[string][]byte)}})
		behind := newManager(t, session.Config{Store: inner}) // a sensitive route
		b := loggedIn(t, m, "alice")
		check(t, b.add(m))
		b.wants(t, m, valid) // it is in the cache now
		id, err := b.authenticate(m)
		check(t, err)
		old := *b
		check(t, b.logout(behind))
		old.wants(t, m, valid)
		old.wants(t, behind, noCredential)
		old.has(t, m, noCredential)
		if err := m.Update(t.Context(), id.Credential.(*session.Session), addOne); outcome(err) != noCredential {
			t.Error(err)
		}
		w := httptest.NewRecorder()
		if _, err := m.Ensure(w, old.request("GET")); outcome(err) != noCredential {
			t.Error("Ensure returns what the cache has", err)
		}
		again := old
		check(t, again.login(m, "alice"))
		if n := again.count(t, m); n != 0 {
			t.Error("values come back from the cache")
		}
		check(t, old.logout(m))
		time.Sleep(6 * time.Minute)
		old.wants(t, m, noCredential) // the touch asks the list
		old.wants(t, behind, noCredential)
	})
}
