package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/interleave"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// rightsKey is where an application of an exploration keeps the rights of alice.
const rightsKey = "rights"

// change is what a scenario of changed rights knows: everything that an outsider could notice.
type change struct {
	t         testing.TB
	model     *interleave.Model
	b         *browser
	seen      []string // by the requests, in the order in which they returned
	saved     bool     // Update has returned nil
	ended     bool     // a logout has returned nil, or a request was refused
	refreshed string   // the rights as of which Refresh has returned nil
	broken    error
}

// newChange makes a login whose next use is due.
func newChange(t testing.TB, model *interleave.Model) *change {
	c := &change{t: t, model: model, b: &browser{}}
	check(t, c.b.loginWith(newManager(t, session.Config{Store: model}), auth.Identity{Subject: "alice", Scopes: "admin"}))
	c.write(model, "admin")
	time.Sleep(6 * time.Minute)
	model.Swapped = func(old, _ []byte) {
		if _, ended := logins.ParseTombstone(old); ended {
			c.broken = errors.New("a tombstone was overwritten")
		}
	}
	return c
}

// write changes the rights in the application.
func (c *change) write(s store.Store, rights string) bool {
	old, _, err := s.Get(context.Background(), rightsKey)
	if err != nil {
		return false
	}
	swapped, err := s.CompareAndSwap(context.Background(), rightsKey, old, []byte(rights), time.Hour)
	return swapped && err == nil
}

// manager asks for the rights in the application over s, and refuses a user without any.
func (c *change) manager(s store.Store) (*session.Manager, func(context.Context, auth.Identity) (auth.Identity, error)) {
	ask := func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
		rights, _, err := s.Get(ctx, rightsKey)
		if string(rights) == "none" {
			err = auth.ErrUnauthenticated
		}
		id.Scopes = auth.Words(rights)
		return id, err
	}
	return newManager(c.t, session.Config{Store: s, Refreshing: ask}), ask
}

func (c *change) request(s store.Store) {
	m, _ := c.manager(s)
	got := c.b.scopes(c.t, m)
	c.seen = append(c.seen[:len(c.seen):len(c.seen)], got)
}

func (c *change) update(s store.Store) {
	m, _ := c.manager(s)
	c.saved = c.b.add(m.WithoutTouch()) == nil
}

func (c *change) logout(s store.Store) {
	m, _ := c.manager(s)
	tab := *c.b
	c.ended = tab.logout(m) == nil || c.ended
}

// becomes changes the rights, one after the other, and then has them take effect at once.
func (c *change) becomes(rights ...string) func(store.Store) {
	return func(s store.Store) {
		for _, r := range rights {
			if !c.write(s, r) {
				return
			}
		}
		m, ask := c.manager(s)
		if m.Refresh(context.Background(), "alice", ask) == nil {
			c.refreshed = rights[len(rights)-1]
		}
	}
}

func (c *change) facts() string { return fmt.Sprint(c.seen, c.saved, c.ended, c.refreshed) }

// verify checks the session as it is stored.
func (c *change) verify(bool) error {
	if c.broken != nil || c.model.Recreated {
		return errors.Join(c.broken, errors.New("a session was revived"))
	}
	look := newManager(c.t, session.Config{Store: c.model}).WithoutTouch()
	s, err := look.Get(c.b.request("GET"))
	switch {
	case err != nil && !errors.Is(err, auth.ErrNoCredential):
		return err
	case err != nil:
		return nil
	case c.ended:
		return errors.New("a session is alive after its logout")
	case c.refreshed == "none":
		return errors.New("a session is alive after Refresh has refused it")
	}
	id, err := look.Authenticate(c.b.request("GET"))
	if err != nil {
		return err
	}
	if c.refreshed != "" && string(id.Scopes) != c.refreshed {
		return fmt.Errorf("after Refresh the session has %q, want %q", id.Scopes, c.refreshed)
	}
	if n, err := count.Get(s); err != nil || c.saved && n != 1 {
		return fmt.Errorf("%d values, %v", n, err)
	}
	return nil
}

// ASVS 5.0, 8.3.2 and 15.4.2. virtool#1039: every order of the store calls of requests whose
// use is due, an update, a logout and a change of rights, with a fault or a crash anywhere.
// No session is revived, no update is lost, and no touch that asked before a change undoes
// what Refresh has stored after it.
func TestEveryOrderOfRequestsAndAChangeOfRights(t *testing.T) {
	for _, rule := range []struct {
		name   string
		actors func(*change) []func(store.Store)
	}{
		{"fewer rights, and an update", func(c *change) []func(store.Store) {
			return []func(store.Store){c.request, c.update, c.becomes("read")}
		}},
		{"more rights for a moment", func(c *change) []func(store.Store) {
			return []func(store.Store){c.request, c.becomes("root", "admin")}
		}},
		{"none, and an update", func(c *change) []func(store.Store) {
			return []func(store.Store){c.request, c.update, c.becomes("none")}
		}},
		{"fewer rights, and a logout", func(c *change) []func(store.Store) {
			return []func(store.Store){c.request, c.logout, c.becomes("read")}
		}},
		{"two requests, and an update", func(c *change) []func(store.Store) {
			return []func(store.Store){c.request, c.request, c.update}
		}},
	} {
		for faults := range 2 {
			if faults > 0 && (raceEnabled || testing.Short()) {
				continue
			}
			states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
				c := newChange(t, model)
				return interleave.Scenario{Actors: rule.actors(c), Faults: faults, Facts: c.facts, Check: c.verify}
			})
			t.Logf("%s, %d faults: %d states", rule.name, faults, states)
		}
	}
}
