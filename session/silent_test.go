package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// A request without the cookie costs nothing and changes nothing.
func TestRequestWithoutCookieCostsNothing(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	var j journal
	m := newManager(t, session.Config{Store: s, Events: j.record})
	guard := &middleware.Guard{Authenticator: m}
	for rule, h := range map[string]http.Handler{
		"Optional": guard.Optional(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
		"Require":  guard.Require(http.NotFoundHandler()),
		"Logout": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Method = "POST"
			check(t, m.Logout(w, r))
		}),
		"Get": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := m.Get(r); outcome(err) != noCredential {
				t.Error(err)
			}
		}),
	} {
		for _, cookies := range []string{"", "theme=dark", "session=x; Host-session=y", "x" + cookieName + "=y"} {
			r := httptest.NewRequest("GET", "/", nil)
			if cookies != "" {
				r.Header.Set("Cookie", cookies)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			// The responses of Optional differ for requests with a cookie.
			varies := w.Header()["Vary"] != nil
			if w.Header()["Set-Cookie"] != nil || varies != (rule == "Optional") || s.calls() != 0 || len(j.take()) != 0 {
				t.Errorf("%s, cookies %q: calls, an event or %v", rule, cookies, w.Header())
			}
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	if n := testing.AllocsPerRun(100, func() { m.Authenticate(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// ASVS 5.0, 1.1.1, 2.2.1 and 15.3.7.
// A malformed credential never reaches the store, however large.
func TestMalformedCookieNeverReachesTheStore(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	good := loggedIn(t, m, "alice").token
	s.calls()
	for rule, cookies := range map[string]string{
		"half a megabyte":            cookieName + "=" + strings.Repeat("a", 500_000),
		"half a megabyte of pairs":   strings.Repeat(cookieName+"="+good+"; ", 5000),
		"empty":                      cookieName + "=",
		"no value":                   cookieName,
		"one character less":         cookieName + "=" + good[1:],
		"one character more":         cookieName + "=" + good + "A",
		"padded":                     cookieName + "=" + good[:42] + "=",
		"the other alphabet":         cookieName + "=" + good[:42] + "+",
		"the other alphabet, inside": cookieName + "=" + good[:20] + "/" + good[21:],
		"not canonical":              cookieName + "=" + good[:42] + "B",
		"in quotes":                  cookieName + `="` + good + `"`,
		"a control character":        cookieName + "=" + good[:42] + "\x00",
		"not ASCII":                  cookieName + "=" + good[:41] + "é",
		"a space before it":          cookieName + "= " + good,
		"twice":                      cookieName + "=" + good + "; " + cookieName + "=" + good,
		"two different ones":         cookieName + "=" + good + "; " + cookieName + "=" + strings.Repeat("A", 43),
		"path traversal":             cookieName + "=../../../../../../../../../../../../etc/passw",
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Cookie", cookies)
		if id, err := m.Authenticate(r); outcome(err) != invalid || id.Subject != "" {
			t.Errorf("%s: %v", rule, err)
		}
		if s, err := m.Get(r); outcome(err) != invalid || s != nil {
			t.Errorf("%s: %v", rule, err)
		}
		if n := s.calls(); n != 0 {
			t.Errorf("%s: %d store calls", rule, n)
		}
		// Logout deletes it, and ends nothing: if it cannot even be read, it says so.
		w := httptest.NewRecorder()
		_, _, unreadable := cookie.Session().Read(r)
		if err := m.Logout(w, r); (err != nil) != (unreadable != nil) || err != nil && outcome(err) != invalid || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") || s.calls() != 0 {
			t.Errorf("%s: logout: %v, %q", rule, err, w.Header()["Set-Cookie"])
		}
		// A visit and a login replace it.
		b := &browser{}
		w = httptest.NewRecorder()
		if _, err := m.Ensure(w, r); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
		if reads, writes := s.took(); reads != 0 || writes != 1 {
			t.Errorf("%s: a visit makes %d reads, %d writes", rule, reads, writes)
		}
		b.obey(w.Header())
		b.has(t, m, valid)
		w = httptest.NewRecorder()
		check(t, m.Login(w, r, auth.Identity{Subject: "bob"}))
		b.obey(w.Header())
		b.wants(t, m, valid)
		s.calls()
	}
	(&browser{token: good}).wants(t, m, valid)
}

// ASVS 5.0, 7.2.1.
// Each token of the right shape costs one read, and no write.
func TestUnknownTokenCostsOneRead(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	for _, c := range "ABCDEFG" {
		(&browser{token: strings.Repeat(string(c), 42) + "A"}).wants(t, m, noCredential)
	}
	if reads, writes := s.took(); reads != 7 || writes != 0 {
		t.Errorf("%d reads, %d writes", reads, writes)
	}
}

func TestLoginThatIsRefusedWritesNothing(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	for rule, id := range map[string]auth.Identity{
		"no subject":         {},
		"a subject too long": {Subject: strings.Repeat("a", 256)},
		"an issuer":          {Subject: "alice", Issuer: "https://issuer.example"},
		"malformed scopes":   {Subject: "alice", Scopes: "a  b"},
		"malformed methods":  {Subject: "alice", Methods: `"`},
		"malformed claims":   {Subject: "alice", Claims: "[]"},
		"registered claims":  {Subject: "alice", Claims: `{"sub":"bob"}`},
		"claims too large":   {Subject: "alice", Claims: auth.Claims(`{"a":"` + strings.Repeat("a", store.MaxValue) + `"}`)},
	} {
		b := &browser{}
		if err := b.loginWith(m, id); outcome(err) != unavailable || b.set != nil {
			t.Errorf("%s: %v", rule, err)
		}
		if n := s.calls(); n != 0 {
			t.Errorf("%s: %d store calls", rule, n)
		}
	}
}
