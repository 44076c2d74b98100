package session_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// ASVS 5.0, 7.2.2 and 7.2.4.
// CVE-2024-38513: a token that we did not issue is never adopted.
func TestForeignTokenIsNeverAdopted(t *testing.T) {
	foreign := strings.Repeat("A", 43)
	m := newManager(t, session.Config{})
	for rule, do := range map[string]func(*browser) error{
		"Login":        func(b *browser) error { return b.login(m, "alice") },
		"Ensure":       func(b *browser) error { _, err := b.ensure(m); return err },
		"LoginPending": func(b *browser) error { return b.pending(m, "alice") },
	} {
		b := &browser{token: foreign}
		check(t, do(b))
		if b.token == foreign || len(b.token) != 43 {
			t.Errorf("%s adopts a token", rule)
		}
		(&browser{token: foreign}).wants(t, m, noCredential)
	}
}

// ASVS 5.0, 7.2.4.
// CVE-2022-25896: the token changes, and the old one is invalid.
func TestEachStepChangesTheToken(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	var seen []string
	for _, step := range []struct {
		rule string
		do   func() error
	}{
		{"visit", func() error { _, err := b.ensure(m); return err }},
		{"first factor", func() error { return b.pending(m, "alice") }},
		{"second factor", func() error { return b.login(m, "alice") }},
		{"step-up", func() error { return b.loginWith(m, auth.Identity{Subject: "alice", Scopes: "admin"}) }},
		{"another account", func() error { return b.login(m, "bob") }},
		{"logout", func() error { return b.logout(m) }},
		{"visit again", func() error { _, err := b.ensure(m); return err }},
	} {
		check(t, step.do())
		if slices.Contains(seen, b.token) {
			t.Errorf("%s keeps a token", step.rule)
		}
		for _, token := range seen {
			old := &browser{token: token}
			if _, err := m.Get(old.request("GET")); outcome(err) != noCredential {
				t.Errorf("after %s an old token is accepted: %v", step.rule, err)
			}
		}
		if b.token != "" {
			seen = append(seen, b.token)
		}
	}
	for _, subject := range []string{"alice", "bob"} {
		if list, err := m.Logins(t.Context(), subject); len(list) != 0 || err != nil {
			t.Errorf("%s has %d logins left, %v", subject, len(list), err)
		}
	}
}

// ASVS 5.0, 6.5.2.
// CVE-2026-53603: a dump of the store holds nothing that authenticates.
func TestDumpOfTheStoreAuthenticatesNothing(t *testing.T) {
	s := &mapStore{}
	m := newManager(t, session.Config{Store: s})
	b := loggedIn(t, m, "alice")
	check(t, b.add(m))
	id, err := b.authenticate(m)
	check(t, err)
	candidates := []string{id.LoginID, id.LoginID + strings.Repeat("A", 21)}
	for key, value := range s.dump() {
		texts := []string{key, string(value), base64.RawURLEncoding.EncodeToString(value)}
		if raw, err := base64.RawURLEncoding.DecodeString(key); err == nil {
			texts = append(texts, string(raw))
		}
		for _, text := range texts {
			if strings.Contains(text, b.token) || strings.Contains(text, string(secret(t, b))) {
				t.Fatal("the store holds the token")
			}
			for i := range len(text) {
				candidates = append(candidates, text[i:min(i+43, len(text))])
				if i+32 <= len(text) {
					candidates = append(candidates, base64.RawURLEncoding.EncodeToString([]byte(text[i:i+32])))
				}
			}
		}
	}
	for _, candidate := range candidates {
		if got := (&browser{token: candidate}).outcome(m); got == valid {
			t.Fatal("something in the store authenticates")
		}
	}
	b.wants(t, m, valid)
}

func secret(t *testing.T, b *browser) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(b.token)
	check(t, err)
	return raw
}

func TestCookieOfOneManagerIsUnknownToAnother(t *testing.T) {
	s := &store.Memory{}
	own := newManager(t, session.Config{Store: s})
	b := loggedIn(t, own, "alice")
	for _, c := range []struct {
		rule string
		session.Config
		want string
	}{
		{"another process of the same program", session.Config{}, valid},
		{"another cookie name", session.Config{Cookie: cookie.New("admin")}, noCredential},
		{"another prefix", session.Config{Cookie: cookie.Session().Path("/app")}, noCredential},
		{"another namespace", session.Config{Namespace: "staff"}, noCredential},
		{"a namespace that looks like the name", session.Config{Namespace: "n" + cookieName}, noCredential},
	} {
		t.Run(c.rule, func(t *testing.T) {
			c.Store = s
			m := newManager(t, c.Config)
			name := cookieName
			if c.Cookie != (cookie.Policy{}) {
				name = c.Cookie.Name()
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", name+"="+b.token)
			_, err := m.Authenticate(r)
			if outcome(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if c.want == valid {
				return
			}
			// Nor does it end anything there, or show it.
			r.Method = "POST"
			check(t, m.Logout(httptest.NewRecorder(), r))
			check(t, m.Login(httptest.NewRecorder(), r, auth.Identity{Subject: "mallory"}))
			b.wants(t, own, valid)
		})
	}
	for _, m := range []*session.Manager{newManager(t, session.Config{Store: s, Namespace: "staff"})} {
		if list, err := m.Logins(t.Context(), "alice"); len(list) != 0 || err != nil {
			t.Error("another namespace shows the login")
		}
		check(t, m.LogoutAll(t.Context(), "alice"))
	}
	b.wants(t, own, valid)
}

func TestNamespaceAndCookieNameDoNotRunTogether(t *testing.T) {
	s := &store.Memory{}
	m := newManager(t, session.Config{Store: s, Namespace: "a", Cookie: cookie.New("bc").InsecureAnywhere()})
	other := newManager(t, session.Config{Store: s, Namespace: "ab", Cookie: cookie.New("c").InsecureAnywhere()})
	w := httptest.NewRecorder()
	check(t, m.Login(w, (&browser{}).request("POST"), alice))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "c="+w.Result().Cookies()[0].Value)
	if _, err := other.Authenticate(r); outcome(err) != noCredential {
		t.Error(err)
	}
}

// ASVS 5.0, 14.2.1.
// CVE-2026-34969: a credential elsewhere than in the cookie is ignored.
func TestTokenCountsInTheCookieOnly(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	b := loggedIn(t, m, "alice")
	s.calls()
	for _, r := range []*http.Request{
		httptest.NewRequest("GET", "/?"+cookieName+"="+b.token+"&session="+b.token, nil),
		httptest.NewRequest("GET", "/"+b.token, nil),
		{Method: "GET", URL: b.request("GET").URL, Header: http.Header{"Authorization": {"Bearer " + b.token}}},
		{Method: "GET", URL: b.request("GET").URL, Header: http.Header{cookieName: {b.token}}},
		{Method: "GET", URL: b.request("GET").URL, Header: http.Header{"Cookie": {"session=" + b.token}}},
		{Method: "GET", URL: b.request("GET").URL, Header: http.Header{"Cookie": {strings.ToLower(cookieName) + "=" + b.token}}},
		{Method: "POST", URL: b.request("GET").URL, Form: map[string][]string{cookieName: {b.token}}},
	} {
		if _, err := m.Authenticate(r); outcome(err) != noCredential {
			t.Errorf("%v: %v", r.Header, err)
		}
	}
	if n := s.calls(); n != 0 {
		t.Errorf("%d store calls", n)
	}
}

// A token is 256 bits. Many at once, of many goroutines, have nothing in common.
// A generator that fails ends the process (see crypto/rand), so there is no
// token that is none.
//
// ASVS 5.0, 7.2.3, 11.5.1 and 11.5.2.
func TestTokensAreRandom(t *testing.T) {
	m := newManager(t, session.Config{})
	var mu sync.Mutex
	seen := make(map[string]bool)
	var group sync.WaitGroup
	for subject := range 8 {
		group.Go(func() {
			for range 250 {
				b := &browser{}
				err := b.login(m, fmt.Sprint(subject))
				raw, malformed := base64.RawURLEncoding.DecodeString(b.token)
				if err != nil || malformed != nil || len(raw) != 32 {
					t.Errorf("%d bytes, %v, %v", len(raw), err, malformed)
					return
				}
				mu.Lock()
				seen[string(raw[:8])] = true
				seen[string(raw[24:])] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != 4000 {
		t.Errorf("%d of 4000 parts of tokens differ", len(seen))
	}
}
