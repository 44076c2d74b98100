package conformance

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// raceSessions runs the races of package session over a real store, with two
// managers that stand for two processes.
func raceSessions(t *testing.T, open func(t *testing.T) store.Store) {
	one, other := open(t), open(t)
	for rule, race := range map[string]func(*testing.T, [2]*session.Manager){
		"parallel updates are not lost":     raceUpdates,
		"logout everywhere misses no login": raceLogoutAll,
		"a repeated login keeps the values": raceRepeatedLogin,
	} {
		t.Run(rule, func(t *testing.T) {
			race(t, [2]*session.Manager{newManager(t, one), newManager(t, other)})
		})
	}
	t.Run("a parallel save or touch does not undo a logout", func(t *testing.T) {
		raceLogout(t, [2]*session.Manager{managerWithIdle(t, one, shortIdle), managerWithIdle(t, other, shortIdle)})
	})
	t.Run("rights change in a live session", func(t *testing.T) {
		raceRights(t, [2]store.Store{one, other})
	})
}

// shortIdle is an idle timeout, a tenth of which a test can wait for.
const shortIdle = 3 * time.Second

// newManager returns a manager whose sessions last.
func newManager(t testing.TB, s store.Store) *session.Manager {
	t.Helper()
	return managerWithIdle(t, s, time.Hour)
}

func managerWithIdle(t testing.TB, s store.Store, idle time.Duration) *session.Manager {
	t.Helper()
	m, err := session.New(session.Config{Store: s, Limits: auth.Limits{IdleTimeout: idle}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A client keeps the session cookie of one site.
type client struct{ token string }

const sessionCookie = "__Host-Http-session"

func (c *client) request(ctx context.Context, method string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example/", nil).WithContext(ctx)
	if c.token != "" {
		r.Header.Set("Cookie", sessionCookie+"="+c.token)
	}
	return r
}

// post lets handle answer a request, and keeps the cookie that it sets.
func (c *client) post(ctx context.Context, handle func(http.ResponseWriter, *http.Request) error) error {
	w := httptest.NewRecorder()
	err := handle(w, c.request(ctx, "POST"))
	for _, set := range w.Result().Cookies() {
		if set.Name == sessionCookie && set.MaxAge >= 0 {
			c.token = set.Value
		}
	}
	return err
}

func (c *client) login(ctx context.Context, m *session.Manager, subject string) error {
	return c.post(ctx, func(w http.ResponseWriter, r *http.Request) error {
		return m.Login(w, r, auth.Identity{Subject: subject})
	})
}

// logout keeps the cookie, to check that it is refused.
func (c *client) logout(ctx context.Context, m *session.Manager) error {
	return m.Logout(httptest.NewRecorder(), c.request(ctx, "POST"))
}

func (c *client) authenticate(ctx context.Context, m *session.Manager) (auth.Identity, error) {
	return m.Authenticate(c.request(ctx, "GET"))
}

const counter = session.Key[int]("count")

func increment(s *session.Session) error {
	n, err := counter.Get(s)
	return errors.Join(err, counter.Set(s, n+1))
}

func (c *client) increment(ctx context.Context, m *session.Manager) error {
	s, err := m.Get(c.request(ctx, "GET"))
	if err != nil {
		return err
	}
	return m.Update(ctx, s, increment)
}

func (c *client) count(ctx context.Context, m *session.Manager) (int, error) {
	s, err := m.Get(c.request(ctx, "GET"))
	if err != nil {
		return 0, err
	}
	return counter.Get(s)
}

// raceRepeatedLogin is hestiacp#5570, magento2#15434 and FreshRSS#7762: a double click on "log
// in" loses no value, and a login whose response was lost is repeated and ends the first.
func raceRepeatedLogin(t *testing.T, managers [2]*session.Manager) {
	ctx := t.Context()
	for range 5 {
		c := &client{}
		err := c.post(ctx, func(w http.ResponseWriter, r *http.Request) error {
			_, err := managers[0].Ensure(w, r)
			return err
		})
		if err = errors.Join(err, c.increment(ctx, managers[0])); err != nil {
			t.Fatal(err)
		}
		pair := [2]client{*c, *c}
		var wg sync.WaitGroup
		for i := range pair {
			wg.Go(func() {
				if err := pair[i].login(ctx, managers[i], "carol"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		last := *c
		if err := last.login(ctx, managers[0], "carol"); err != nil {
			t.Fatal(err)
		}
		for _, c := range append(pair[:], last) {
			if n, err := c.count(ctx, managers[1]); n != 1 && !over(err) {
				t.Errorf("a login has %d values, %v", n, err)
			}
		}
		if _, err := last.authenticate(ctx, managers[1]); err != nil {
			t.Errorf("the last login: %v", err)
		}
		list, err := managers[0].Logins(ctx, "carol")
		if err != nil || len(list) > 2 { // the last, and one of two that were made at once
			t.Errorf("%d logins, %v", len(list), err)
		}
		if err := managers[0].LogoutAll(ctx, "carol"); err != nil {
			t.Error(err)
		}
	}
}

// over reports whether a check says that there is no valid login.
func over(err error) bool { return errors.Is(err, auth.ErrUnauthenticated) }

func raceLogout(t *testing.T, managers [2]*session.Manager) {
	for range 5 {
		c := &client{}
		if err := c.login(t.Context(), managers[0], "alice"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(shortIdle / 10) // every request now notes its use
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for range 5 {
					if err := c.increment(t.Context(), managers[i%2]); err != nil && !over(err) {
						t.Error(err)
					}
					if _, err := c.authenticate(t.Context(), managers[i%2]); err != nil && !over(err) {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			if err := c.logout(t.Context(), managers[1]); err != nil {
				t.Error(err)
			}
			for _, m := range managers {
				if _, err := c.authenticate(t.Context(), m); !over(err) {
					t.Errorf("after logout: %v", err)
				}
			}
		})
		wg.Wait()
		for _, m := range managers {
			if _, err := c.authenticate(t.Context(), m); !over(err) {
				t.Errorf("after logout and parallel saves: %v", err)
			}
		}
	}
}

func raceUpdates(t *testing.T, managers [2]*session.Manager) {
	const ways, each = 32, 2
	c := &client{}
	if err := c.login(t.Context(), managers[0], "bob"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range ways {
		wg.Go(func() {
			for range each {
				if err := c.increment(t.Context(), managers[i%2]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := c.count(t.Context(), managers[0]); n != ways*each || err != nil {
		t.Errorf("count %d after %d updates, %v", n, ways*each, err)
	}
}

func raceLogoutAll(t *testing.T, managers [2]*session.Manager) {
	for range 5 {
		var before, during [4]client
		for i := range before {
			if err := before[i].login(t.Context(), managers[i%2], "carol"); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i := range during {
			wg.Go(func() {
				if err := during[i].login(t.Context(), managers[i%2], "carol"); err != nil {
					t.Log(err) // it may lose against the logout
				}
			})
		}
		wg.Go(func() {
			if err := managers[0].LogoutAll(t.Context(), "carol"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for i := range before {
			if _, err := before[i].authenticate(t.Context(), managers[1]); !over(err) {
				t.Errorf("an earlier login: %v", err)
			}
		}
		if err := managers[1].LogoutAll(t.Context(), "carol"); err != nil {
			t.Error(err)
		}
		for i := range during {
			if _, err := during[i].authenticate(t.Context(), managers[0]); !over(err) {
				t.Errorf("a login before the second logout: %v", err)
			}
		}
	}
}
