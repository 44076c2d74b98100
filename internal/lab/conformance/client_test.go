package conformance

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// newManager returns a manager whose sessions last.
func newManager(t testing.TB, s store.Store) *session.Manager {
	t.Helper()
	m, err := session.New(session.Config{Store: s})
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

// over reports whether a check says that there is no valid login.
func over(err error) bool { return errors.Is(err, auth.ErrUnauthenticated) }
