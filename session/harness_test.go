package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

const cookieName = "__Host-Http-session"

var alice = auth.Identity{Subject: "alice"}

func newManager(t testing.TB, c session.Config) *session.Manager {
	t.Helper()
	if c.Store == nil {
		c.Store = &store.Memory{}
	}
	m, err := session.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// browser keeps the session cookie of one site.
type browser struct {
	token string
	set   *http.Cookie // what the last answer set, or nil

	ctx    context.Context            // of its requests, if not nil
	writer *httptest.ResponseRecorder // of the answer, if not nil
}

// request returns a request as the browser sends it.
func (b *browser) request(method string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example/", nil)
	if b.ctx != nil {
		r = r.WithContext(b.ctx)
	}
	if b.token != "" {
		r.Header.Set("Cookie", cookieName+"="+b.token)
	}
	return r
}

// post lets handle answer a request, and obeys the answer.
func (b *browser) post(handle func(http.ResponseWriter, *http.Request) error) error {
	w := b.writer
	if w == nil {
		w = httptest.NewRecorder()
	}
	err := handle(w, b.request("POST"))
	b.obey(w.Header())
	return err
}

func (b *browser) obey(h http.Header) {
	b.set = nil
	for _, field := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(field)
		if err != nil || c.Name != cookieName {
			continue
		}
		b.set = c
		if b.token = c.Value; c.MaxAge < 0 {
			b.token = ""
		}
	}
}

func (b *browser) loginWith(m *session.Manager, id auth.Identity) error {
	return b.post(func(w http.ResponseWriter, r *http.Request) error { return m.Login(w, r, id) })
}

func (b *browser) login(m *session.Manager, subject string) error {
	return b.loginWith(m, auth.Identity{Subject: subject})
}

func (b *browser) logout(m *session.Manager) error { return b.post(m.Logout) }

func (b *browser) ensure(m *session.Manager) (s *session.Session, err error) {
	err = b.post(func(w http.ResponseWriter, r *http.Request) error {
		s, err = m.Ensure(w, r)
		return err
	})
	return s, err
}

func (b *browser) authenticate(m *session.Manager) (auth.Identity, error) {
	return m.Authenticate(b.request("GET"))
}

// outcome authenticates, and returns which of the outcomes it had.
func (b *browser) outcome(m *session.Manager) string {
	_, err := b.authenticate(m)
	return outcome(err)
}

// The outcomes of a check.
const (
	valid        = "valid"
	noCredential = "no credential"
	invalid      = "invalid credential"
	forbidden    = "forbidden"
	unavailable  = "unavailable"
)

func outcome(err error) string {
	switch {
	case err == nil:
		return valid
	case errors.Is(err, auth.ErrNoCredential):
		return noCredential
	case errors.Is(err, auth.ErrUnauthenticated):
		return invalid
	case errors.Is(err, auth.ErrForbidden):
		return forbidden
	}
	return unavailable
}

// loggedIn returns a browser in which subject is logged in.
func loggedIn(t testing.TB, m *session.Manager, subject string) *browser {
	t.Helper()
	b := &browser{}
	check(t, b.login(m, subject))
	return b
}

func (b *browser) wants(t testing.TB, m *session.Manager, want string) {
	t.Helper()
	if got := b.outcome(m); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// session returns the outcome of looking for a session of any kind.
func (b *browser) session(m *session.Manager) string {
	_, err := m.Get(b.request("GET"))
	return outcome(err)
}

func (b *browser) has(t testing.TB, m *session.Manager, want string) {
	t.Helper()
	if got := b.session(m); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

const count = session.Key[int]("count")

// add adds one to the count in the session that the browser has.
func (b *browser) add(m *session.Manager) error {
	s, err := m.Get(b.request("GET"))
	if err != nil {
		return err
	}
	return m.Update(b.request("GET").Context(), s, addOne)
}

func addOne(s *session.Session) error {
	n, err := count.Get(s)
	if err != nil {
		return err
	}
	return count.Set(s, n+1)
}

func (b *browser) count(t testing.TB, m *session.Manager) int {
	t.Helper()
	s, err := m.Get(b.request("GET"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := count.Get(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// journal keeps events.
type journal struct {
	mu     sync.Mutex
	events []auth.Event
}

func (j *journal) record(_ context.Context, e auth.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

// take returns the kinds of the events so far, and forgets them.
func (j *journal) take() (kinds []auth.EventKind) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		kinds = append(kinds, e.Kind)
	}
	j.events = nil
	return kinds
}
