package crossorigin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
	"github.com/authlatch/auth/token"
)

// place is a function that accepts a cookie. It returns 200, or the status of the
// error.
type place func(w http.ResponseWriter, r *http.Request) int

func outcome(err error) int {
	switch {
	case err == nil:
		return 200
	case errors.Is(err, auth.ErrForbidden):
		return 403
	case errors.Is(err, auth.ErrUnauthenticated):
		return 401
	}
	return 503
}

// places returns all places, with and without a required origin, and a cookie of
// alice's login for each.
func places(t *testing.T, required bool, receive func(context.Context, auth.Event)) (all map[string]place, cookies string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	protection := http.NewCrossOriginProtection()
	protection.AddInsecureBypassPattern("POST /callback")
	var origins auth.CrossOrigin = protection
	if required {
		origins = auth.RequireOrigin(protection)
	}
	sessions, err := session.New(session.Config{Store: &store.Memory{}, CrossOrigin: origins, Events: receive})
	must(err)
	keys, err := token.NewKeySet(token.HS256)
	must(err)
	config := token.IssuerConfig{
		Keys: keys, Store: &store.Memory{}, Issuer: "https://app.example", Audience: "api", ClientID: "web",
		AccessCookie: cookie.New("access"), CrossOrigin: origins, Events: receive,
	}
	issuer, err := token.NewIssuer(config)
	must(err)
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys: keys, Issuer: config.Issuer, Audience: config.Audience,
		AccessCookie: config.AccessCookie, CrossOrigin: origins, Events: receive,
	})
	must(err)
	sealer, err := cookie.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	must(err)
	limiter, err := throttle.New(throttle.Config{
		Store: &store.Memory{}, Sealer: sealer, CrossOrigin: origins, Events: receive,
	})
	must(err)
	alice := auth.Identity{Subject: "alice"}
	login := func(w http.ResponseWriter, r *http.Request) []string {
		must(sessions.Login(w, r, alice))
		must(issuer.Login(w, r, alice))
		return w.Header()["Set-Cookie"]
	}
	page := httptest.NewRequest("POST", "https://app.example/", nil)
	page.Header.Set("Sec-Fetch-Site", "same-origin")
	var pairs []string
	for _, field := range login(httptest.NewRecorder(), page) {
		pair, _, _ := strings.Cut(field, ";")
		pairs = append(pairs, pair)
	}
	cookies = strings.Join(pairs, "; ")
	page.Header.Set("Cookie", cookies)
	csrf, err := sessions.CSRFToken(httptest.NewRecorder(), page)
	must(err)
	serve := func(h http.Handler) place {
		return func(w http.ResponseWriter, r *http.Request) int {
			answer := httptest.NewRecorder()
			if h.ServeHTTP(answer, r); answer.Code == 204 {
				return 200
			}
			return answer.Code
		}
	}
	return map[string]place{
		"session, Login":        func(w http.ResponseWriter, r *http.Request) int { return outcome(sessions.Login(w, r, alice)) },
		"session, LoginPending": func(w http.ResponseWriter, r *http.Request) int { return outcome(sessions.LoginPending(w, r, alice)) },
		"session, Ensure":       func(w http.ResponseWriter, r *http.Request) int { _, err := sessions.Ensure(w, r); return outcome(err) },
		"session, Authenticate": func(_ http.ResponseWriter, r *http.Request) int {
			_, err := sessions.Authenticate(r)
			return outcome(err)
		},
		"session, Get":    func(_ http.ResponseWriter, r *http.Request) int { _, err := sessions.Get(r); return outcome(err) },
		"session, Logout": func(w http.ResponseWriter, r *http.Request) int { return outcome(sessions.Logout(w, r)) },
		"session, CheckCSRF": func(_ http.ResponseWriter, r *http.Request) int {
			r.Header.Set("X-CSRF-Token", csrf)
			return outcome(sessions.CheckCSRF(r))
		},
		"issuer, Login":          func(w http.ResponseWriter, r *http.Request) int { return outcome(issuer.Login(w, r, alice)) },
		"issuer, Logout":         func(w http.ResponseWriter, r *http.Request) int { return outcome(issuer.Logout(w, r)) },
		"issuer, RefreshHandler": serve(issuer.RefreshHandler()),
		"issuer, LogoutHandler":  serve(issuer.LogoutHandler()),
		"issuer, Authenticate": func(_ http.ResponseWriter, r *http.Request) int {
			_, err := issuer.Authenticate(r)
			return outcome(err)
		},
		"throttle, Try": func(w http.ResponseWriter, r *http.Request) int {
			return outcome(limiter.Try(w, r, "alice", func() error { return nil }))
		},
		"verifier, Authenticate": func(_ http.ResponseWriter, r *http.Request) int {
			_, err := verifier.Authenticate(r)
			return outcome(err)
		},
	}, cookies
}

// ASVS 5.0, 3.7.5.
func TestEveryPlaceObeysRequireOrigin(t *testing.T) {
	for _, c := range []struct {
		rule, method, path, site, origin, upgrade string
		lax, strict                               int
	}{
		{"a page of ours", "POST", "/", "same-origin", "https://app.example", "", 200, 200},
		{"a bookmark", "POST", "/", "none", "", "", 200, 200},
		{"an old browser", "POST", "/", "", "https://app.example", "", 200, 200},
		{"an old browser, another site", "POST", "/", "", "https://evil.example", "", 403, 403},
		{"another site", "POST", "/", "cross-site", "https://evil.example", "", 403, 403},
		{"another site without an origin", "POST", "/", "cross-site", "", "", 403, 403},
		{"neither header", "POST", "/", "", "", "", 200, 403},
		{"neither header, on a callback", "POST", "/callback", "", "", "", 200, 200},
		{"neither header, a handshake", "GET", "/", "", "", "websocket", 200, 403},
		{"neither header, a page that is read", "GET", "/", "", "", "", 200, 200},
	} {
		for _, required := range []bool{false, true} {
			want := c.lax
			if required {
				want = c.strict
			}
			var events []auth.Event
			all, _ := places(t, required, nil)
			for name := range all {
				// Logout and refresh use up their credential, so each has its own.
				all, cookies := places(t, required, func(_ context.Context, e auth.Event) { events = append(events, e) })
				r := httptest.NewRequest(c.method, "https://app.example"+c.path, nil)
				r.Header.Set("Cookie", cookies)
				r.Header.Set(token.AttemptHeader, "0123456789012345678901")
				for field, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin, "Upgrade": c.upgrade} {
					if value != "" {
						r.Header.Set(field, value)
					}
				}
				if c.method == "GET" && (strings.HasSuffix(name, "Logout") || strings.HasSuffix(name, "Handler")) {
					continue // they take a POST only
				}
				events = nil
				w := httptest.NewRecorder()
				if got := all[name](w, r); got != want {
					t.Errorf("%s, required %v: %s: %d, want %d", c.rule, required, name, got, want)
				}
				if want == 403 && (len(events) != 1 || events[0].Kind != auth.EventRejected || events[0].Reason != "cross-origin request" || w.Header()["Set-Cookie"] != nil) {
					t.Errorf("%s, required %v: %s: events %+v, header %v", c.rule, required, name, events, w.Header())
				}
			}
		}
	}
}

// gorilla/csrf#187, portainer#12748: a proxy replaces Host, so the browser's Origin no longer
// fits. The event says what was compared, at each place.
func TestARefusalNamesTheOriginAndTheHost(t *testing.T) {
	for _, required := range []bool{false, true} {
		all, _ := places(t, required, nil)
		for name := range all {
			var events []auth.Event
			all, cookies := places(t, required, func(_ context.Context, e auth.Event) { events = append(events, e) })
			r := httptest.NewRequest("POST", "https://10.0.0.5:8080/", nil)
			r.Header.Set("Cookie", cookies)
			r.Header.Set(token.AttemptHeader, "0123456789012345678901")
			r.Header.Set("Origin", "https://app.example\n")
			events = nil
			if got := all[name](httptest.NewRecorder(), r); got != 403 || len(events) != 1 || events[0].Err == nil {
				t.Errorf("%s: %d, %+v", name, got, events)
				continue
			}
			text := events[0].Err.Error()
			if !strings.Contains(text, `"https://app.example\n"`) || !strings.Contains(text, `"10.0.0.5:8080"`) || strings.Contains(text, "\n") {
				t.Errorf("%s: %s", name, text)
			}
			if !errors.Is(events[0].Err, auth.ErrForbidden) {
				t.Errorf("%s: %v", name, events[0].Err)
			}
		}
	}
}

// No browser sends a bearer token on its own.
func TestBearerTokensNeedNoOrigin(t *testing.T) {
	keys, err := token.NewKeySet(token.HS256)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{}, Issuer: "https://app.example", Audience: "api", ClientID: "web",
		AccessCookie: cookie.New("access"), CrossOrigin: auth.RequireOrigin(nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := issuer.Issue(t.Context(), auth.Identity{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{"", "null", "https://evil.example"} {
		for _, upgrade := range []string{"", "websocket"} {
			for _, method := range []string{"GET", "POST", "CONNECT"} {
				r := httptest.NewRequest("GET", "https://app.example/", nil)
				r.Method = method
				for field, value := range map[string]string{"Origin": origin, "Upgrade": upgrade, "Authorization": "Bearer " + tokens.AccessToken} {
					if value != "" {
						r.Header.Set(field, value)
					}
				}
				if id, err := issuer.Authenticate(r); err != nil || id.Subject != "alice" {
					t.Errorf("%s from %q, upgrade %q: %v", method, origin, upgrade, err)
				}
			}
		}
	}
}

// Add each new call to the places above.
func TestThereAreNoOtherPlaces(t *testing.T) {
	known := map[string]int{"session/manager.go": 1, "token/bearer.go": 1, "token/handlers.go": 1, "throttle/throttle.go": 1}
	for _, pattern := range []string{"../../*/*.go", "../../*/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel("../..", file)
			name = filepath.ToSlash(name)
			if n := strings.Count(string(text), "crossorigin.Check("); n != known[name] && !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s calls crossorigin.Check %d times: add the new call to places in this file", name, n)
			}
		}
	}
}
