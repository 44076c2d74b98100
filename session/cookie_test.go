package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// guarded answers a request of the browser's from behind a guard.
func (b *browser) guarded(m middleware.Authenticator) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	guard := &middleware.Guard{Authenticator: m}
	guard.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, b.request("GET"))
	return w
}

// A late 401 must not delete a newer cookie.
func TestRefusalDeletesTheCookieOnlyWhereNoNewerOneCanBe(t *testing.T) {
	for _, c := range []struct {
		rule    string
		do      func(m *session.Manager, b *browser) error
		deletes bool
	}{
		{"logged out", func(m *session.Manager, b *browser) error { return (&browser{token: b.token}).logout(m) }, false},
		{"replaced", func(m *session.Manager, b *browser) error { return (&browser{token: b.token}).login(m, "alice") }, false},
		{"revoked", func(m *session.Manager, b *browser) error { return m.LogoutAll(context.Background(), "alice") }, true},
		{"evicted", func(m *session.Manager, b *browser) error { return (&browser{}).login(m, "alice") }, true},
		{"expired", func(m *session.Manager, b *browser) error { time.Sleep(time.Hour); return nil }, true},
		{"gone long ago", func(m *session.Manager, b *browser) error { time.Sleep(2 * day); return nil }, false},
		{"never there", func(m *session.Manager, b *browser) error { b.token = strings.Repeat("A", 43); return nil }, false},
		{"malformed", func(m *session.Manager, b *browser) error { b.token = "A"; return nil }, false},
		{"a visitor", func(m *session.Manager, b *browser) error { b.token = ""; _, err := b.ensure(m); return err }, false},
		{"a pending login", func(m *session.Manager, b *browser) error { return b.pending(m, "alice") }, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(t, session.Config{Limits: auth.Limits{MaxLogins: 1}})
				b := loggedIn(t, m, "alice")
				if w := b.guarded(m); w.Code != 200 || w.Header()["Set-Cookie"] != nil {
					t.Fatal(w.Code, w.Header())
				}
				check(t, c.do(m, b))
				for _, a := range []middleware.Authenticator{m, middleware.AnyOf(m), middleware.AnyOf(bearer{}, m)} {
					w := b.guarded(a)
					if challenge := w.Header()["Www-Authenticate"]; w.Code != 401 || len(challenge) != 1 ||
						!strings.HasPrefix(challenge[0], "Cookie ") {
						t.Errorf("%d, challenges %q", w.Code, challenge)
					}
					answered := browser{token: b.token}
					answered.obey(w.Header())
					if deletes := answered.set != nil && answered.set.MaxAge < 0; deletes != c.deletes {
						t.Errorf("Set-Cookie %q, deletes: want %t", w.Header()["Set-Cookie"], c.deletes)
					}
				}
				other := newManager(t, session.Config{Cookie: cookie.New("other")})
				_, err := b.authenticate(m)
				h := make(http.Header)
				other.Challenge(h, b.request("GET"), err)
				if h["Set-Cookie"] != nil {
					t.Error("another manager deletes its own cookie for it")
				}
			})
		})
	}
}

// A browser that has logged in, or was given an anonymous session, after its old one
// had ended however, keeps the newer cookie when an earlier request is refused.
func TestALateRequestLeavesTheNewerCookieAlone(t *testing.T) {
	for rule, end := range map[string]func(m *session.Manager, b *browser) error{
		"revoked":        func(m *session.Manager, _ *browser) error { return m.LogoutAll(context.Background(), "alice") },
		"evicted":        func(m *session.Manager, _ *browser) error { return (&browser{}).login(m, "alice") },
		"expired":        func(*session.Manager, *browser) error { time.Sleep(time.Hour); return nil },
		"not ended even": func(*session.Manager, *browser) error { return nil },
	} {
		for name, renew := range map[string]func(m *session.Manager, b *browser) error{
			"login":   func(m *session.Manager, b *browser) error { return b.login(m, "alice") },
			"pending": func(m *session.Manager, b *browser) error { return b.pending(m, "alice") },
			"ensure":  func(m *session.Manager, b *browser) error { _, err := b.ensure(m); return err },
		} {
			if rule == "not ended even" && name == "ensure" {
				continue // there is no newer cookie
			}
			t.Run(rule+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newManager(t, session.Config{Limits: auth.Limits{MaxLogins: 1}})
					b := loggedIn(t, m, "alice")
					check(t, end(m, b))
					late := *b
					check(t, renew(m, b))
					if b.token == late.token {
						t.Fatal("no newer cookie")
					}
					w := late.guarded(m)
					if w.Code != 401 || w.Header()["Set-Cookie"] != nil {
						t.Errorf("%d, Set-Cookie %q", w.Code, w.Header()["Set-Cookie"])
					}
				})
			})
		}
	}
}

// bearer is another mode, for which the request has no credential.
type bearer struct{}

func (bearer) Authenticate(*http.Request) (auth.Identity, error) {
	return auth.Identity{}, auth.ErrNoCredential
}

// Nor must a late logout.
func TestLogoutDeletesTheCookieOnlyWhereNoNewerOneCanBe(t *testing.T) {
	for _, c := range []struct {
		rule    string
		do      func(m *session.Manager, b browser) error
		deletes bool
	}{
		{"a valid session", func(*session.Manager, browser) error { return nil }, true},
		{"logged out before", func(m *session.Manager, b browser) error { return b.logout(m) }, false},
		{"replaced", func(m *session.Manager, b browser) error { return b.login(m, "alice") }, false},
		{"revoked", func(m *session.Manager, _ browser) error { return m.LogoutAll(context.Background(), "alice") }, true},
	} {
		m := newManager(t, session.Config{})
		b := loggedIn(t, m, "alice")
		check(t, c.do(m, *b))
		check(t, b.logout(m))
		if deletes := b.set != nil; deletes != c.deletes {
			t.Errorf("%s: deletes the cookie: %t", c.rule, deletes)
		}
	}
}

// ASVS 5.0, 16.5.2.
// An outage keeps the cookie and says nothing of it.
func TestOutageAnswers503AndKeepsTheCookie(t *testing.T) {
	m := newManager(t, session.Config{Store: &hooked{&store.Memory{}, func(context.Context, bool, string) error { return errDown }}})
	w := (&browser{token: strings.Repeat("A", 43)}).guarded(m)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header()["Set-Cookie"] != nil ||
		w.Header()["Www-Authenticate"] != nil || strings.Contains(w.Body.String(), "down") {
		t.Errorf("%d, %v, %q", w.Code, w.Header(), w.Body)
	}
}

// The deletion carries the attributes with which the cookie was set.
func TestDeletionHasTheAttributesOfTheCookie(t *testing.T) {
	for _, policy := range []cookie.Policy{
		cookie.Session(),
		cookie.New("s").Domain("app.example").Path("/a").SameSiteNone(),
		cookie.New("s").InsecureAnywhere(),
	} {
		m := newManager(t, session.Config{Cookie: policy})
		w := httptest.NewRecorder()
		check(t, m.Login(w, (&browser{}).request("POST"), alice))
		set, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
		check(t, err)
		r := (&browser{}).request("POST")
		r.AddCookie(set)
		w = httptest.NewRecorder()
		check(t, m.Logout(w, r))
		gone, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
		check(t, err)
		set.Value, set.MaxAge, set.Raw, gone.Raw = "", -1, "", ""
		if set.String() != gone.String() {
			t.Errorf("set as %v, deleted as %v", set, gone)
		}
	}
}

// A login with a cookie that the browser would not get writes nothing.
func TestCookieThatCannotBeSetIsFoundOutFirst(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s, Cookie: cookie.Session().Insecure()})
	if err := (&browser{}).login(m, "alice"); outcome(err) != unavailable {
		t.Error(err)
	}
	if _, err := (&browser{}).ensure(m); outcome(err) != unavailable {
		t.Error(err)
	}
	if n := s.calls(); n != 0 {
		t.Errorf("%d store calls", n)
	}
}

// ASVS 5.0, 14.2.2.
// CVE-2023-30861: a shared cache must not hand one visitor's cookie to others.
func TestResponseThatSetsACookieIsStoredByNoCache(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	for rule, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"Login":        func(w http.ResponseWriter, r *http.Request) error { return m.Login(w, r, alice) },
		"LoginPending": func(w http.ResponseWriter, r *http.Request) error { return m.LoginPending(w, r, alice) },
		"Ensure":       func(w http.ResponseWriter, r *http.Request) error { _, err := m.Ensure(w, r); return err },
	} {
		for range 2 { // Ensure sets the cookie the first time only
			w := httptest.NewRecorder()
			check(t, handle(w, b.request("POST")))
			b.obey(w.Header())
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s: Cache-Control %q", rule, got)
			}
		}
	}
}

// Several steps in one handler see what the steps before have done.
func TestStepsOfOneHandlerSeeEachOther(t *testing.T) {
	m := newManager(t, session.Config{})
	guest := &browser{}
	check(t, guest.post(func(w http.ResponseWriter, r *http.Request) error {
		first, err := m.Ensure(w, r)
		check(t, err)
		check(t, m.Update(r.Context(), first, addOne))
		again, err := m.Ensure(w, r)
		check(t, err)
		if n, _ := count.Get(again); n != 1 {
			t.Error("Ensure twice makes two sessions")
		}
		check(t, m.Login(w, r, alice))
		s, err := m.Ensure(w, r)
		check(t, err)
		if n, _ := count.Get(s); s.Anonymous() || n != 1 {
			t.Error("Ensure after Login returns another session")
		}
		check(t, m.Update(r.Context(), s, addOne))
		if len(w.Header()["Set-Cookie"]) != 1 {
			t.Errorf("Set-Cookie %q", w.Header()["Set-Cookie"])
		}
		return nil
	}))
	guest.wants(t, m, valid)
	if n := guest.count(t, m); n != 2 {
		t.Errorf("count %d", n)
	}
	check(t, guest.post(func(w http.ResponseWriter, r *http.Request) error {
		check(t, m.Logout(w, r))
		s, err := m.Ensure(w, r)
		check(t, err)
		if !s.Anonymous() {
			t.Error("Ensure after Logout returns the login")
		}
		return nil
	}))
	guest.wants(t, m, noCredential)
	guest.has(t, m, valid)
}

func TestLogoutAfterLoginInOneHandlerEndsTheNewSession(t *testing.T) {
	m := newManager(t, session.Config{})
	for _, b := range []*browser{{}, loggedIn(t, m, "alice")} {
		var between browser
		check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
			check(t, m.Login(w, r, auth.Identity{Subject: "alice"}))
			between.obey(w.Header())
			return m.Logout(w, r)
		}))
		between.wants(t, m, noCredential)
		b.wants(t, m, noCredential)
	}
}
