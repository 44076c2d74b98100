package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// ASVS 5.0, 3.5.1: what another site makes a browser send changes nothing.
func TestCrossOriginRequestsAreRefused(t *testing.T) {
	protection := http.NewCrossOriginProtection()
	check(t, protection.AddTrustedOrigin("https://sso.example"))
	protection.AddInsecureBypassPattern("POST /callback")
	for _, c := range []struct {
		rule, method, path, site, origin string
		allowed                          bool
	}{
		{"a page of the site", "POST", "/", "same-origin", "https://app.example", true},
		{"a bookmark", "POST", "/", "none", "", true},
		{"no browser", "POST", "/", "", "", true},
		{"an old browser, same origin", "POST", "/", "", "https://app.example", true},
		{"an old browser, another origin", "POST", "/", "", "https://evil.example", false},
		{"an old browser, a sandboxed frame", "POST", "/", "", "null", false},
		{"an old browser, another port", "POST", "/", "", "https://app.example:8443", false},
		{"an old browser, a name that begins alike", "POST", "/", "", "https://app.example.evil.example", false},
		{"another site", "POST", "/", "cross-site", "https://evil.example", false},
		{"another site that sends no origin", "POST", "/", "cross-site", "", false},
		{"another site that claims ours", "POST", "/", "cross-site", "https://app.example", false},
		{"a sandboxed frame", "POST", "/", "cross-site", "null", false},
		{"a sibling sub-domain", "POST", "/", "same-site", "https://shop.app.example", false},
		{"an unknown site", "POST", "/", "odd", "https://evil.example", false},
		{"PUT from another site", "PUT", "/", "cross-site", "https://evil.example", false},
		{"DELETE from another site", "DELETE", "/", "cross-site", "https://evil.example", false},
		{"PATCH from another site", "PATCH", "/", "cross-site", "https://evil.example", false},
		{"an unheard-of method from another site", "EXPLODE", "/", "cross-site", "https://evil.example", false},
		{"a link from another site", "GET", "/", "cross-site", "", true},
		{"HEAD from another site", "HEAD", "/", "cross-site", "", true},
		{"a trusted origin", "POST", "/", "cross-site", "https://sso.example", true},
		{"a trusted host without TLS", "POST", "/", "cross-site", "http://sso.example", false},
		{"a callback that checks its own state", "POST", "/callback", "cross-site", "https://idp.example", true},
		{"a path that begins like the callback", "POST", "/callback/x", "cross-site", "https://idp.example", false},
		{"the callback by another method", "PUT", "/callback", "cross-site", "https://idp.example", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := &counted{Store: &store.Memory{}}
			var j journal
			m := newManager(t, session.Config{Store: s, CrossOrigin: protection, Events: j.record})
			b := loggedIn(t, m, "alice")
			j.take()
			s.calls()
			request := func() *http.Request {
				r := httptest.NewRequest(c.method, "https://app.example"+c.path, nil)
				r.Header = b.request("GET").Header
				if c.site != "" {
					r.Header.Set("Sec-Fetch-Site", c.site)
				}
				if c.origin != "" {
					r.Header.Set("Origin", c.origin)
				}
				return r
			}
			calls := map[string]func(http.ResponseWriter, *http.Request) error{
				"Authenticate": func(_ http.ResponseWriter, r *http.Request) error { _, err := m.Authenticate(r); return err },
				"Get":          func(_ http.ResponseWriter, r *http.Request) error { _, err := m.Get(r); return err },
				"Ensure":       func(w http.ResponseWriter, r *http.Request) error { _, err := m.Ensure(w, r); return err },
			}
			if !c.allowed { // or the session would be another one
				calls["Login"] = func(w http.ResponseWriter, r *http.Request) error { return m.Login(w, r, alice) }
				calls["LoginPending"] = func(w http.ResponseWriter, r *http.Request) error { return m.LoginPending(w, r, alice) }
				calls["Logout"] = m.Logout
			}
			want := valid
			if !c.allowed {
				want = forbidden
			}
			for rule, call := range calls {
				w := httptest.NewRecorder()
				err := call(w, request())
				if outcome(err) != want || w.Header()["Set-Cookie"] != nil {
					t.Errorf("%s: %v, want %s", rule, err, want)
				}
				if kinds := j.take(); !c.allowed && rule != "Logout" && (len(kinds) != 1 || kinds[0] != auth.EventRejected) {
					t.Errorf("%s: events %q", rule, kinds)
				}
			}
			guard := &middleware.Guard{Authenticator: m}
			w := httptest.NewRecorder()
			guard.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, request())
			if (w.Code == 200) != c.allowed || !c.allowed && w.Code != 403 {
				t.Errorf("behind a guard: %d", w.Code)
			}
			if n := s.calls(); !c.allowed && n != 0 {
				t.Errorf("%d store calls", n)
			}
			b.wants(t, m, valid)
			if c.allowed {
				w := httptest.NewRecorder()
				check(t, m.Login(w, request(), auth.Identity{Subject: "alice"}))
				b.obey(w.Header())
				b.wants(t, m, valid)
				w = httptest.NewRecorder()
				if err := m.Logout(w, request()); (err == nil) != (c.method == "POST") {
					t.Error(err)
				}
			}
		})
	}
}

// ASVS 5.0, 3.5.3 and 4.1.4.
func TestLogoutTakesAPostOnly(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "PROPFIND"} {
		r := b.request(method)
		r.Header.Set("X-HTTP-Method-Override", "POST")
		w := httptest.NewRecorder()
		err := m.Logout(w, r)
		middleware.Deny(w, r, err)
		if outcome(err) != forbidden || w.Code != 405 || w.Header().Get("Allow") != "POST" || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: %v, %d, %v", method, err, w.Code, w.Header())
		}
	}
	b.wants(t, m, valid)
}

// A login at an identity provider ends in a GET from another site.
func TestLoginMayComeBackByALink(t *testing.T) {
	m := newManager(t, session.Config{})
	r := httptest.NewRequest("GET", "/callback?code=x&state=y", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	check(t, m.Login(w, r, alice))
	b := &browser{}
	b.obey(w.Header())
	b.wants(t, m, valid)
	if !strings.Contains(w.Header().Get("Set-Cookie"), "SameSite=Lax") {
		t.Error(w.Header())
	}
}

// ASVS 5.0, 4.4.2: the handshake of a WebSocket is a GET that acts.
func TestWebSocketOfASiblingIsRefused(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	for origin, want := range map[string]string{"https://evil.app.example": forbidden, "null": forbidden, "https://app.example": valid, "": valid} {
		r := b.request("GET")
		r.Host = "app.example"
		r.Header.Set("Upgrade", "websocket")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if _, err := m.Authenticate(r); outcome(err) != want {
			t.Errorf("from %q: %v", origin, err)
		}
	}
}
