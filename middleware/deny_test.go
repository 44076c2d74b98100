package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// ASVS 5.0, 1.2.3, 4.1.1 and 16.5.1: the body has the status and nothing of the
// error.
func TestDenyDistinguishesTheOutcomes(t *testing.T) {
	tests := []struct {
		rule   string
		err    error
		status int
	}{
		{"no credential", auth.ErrNoCredential, 401},
		{"a bad credential", fmt.Errorf("token: secret: %w", auth.ErrUnauthenticated), 401},
		{"an old login", &auth.InsufficientError{MaxAge: 1}, 401},
		{"a forbidden request", auth.ErrForbidden, 403},
		{"a lack of scope", &auth.InsufficientError{Scope: "secret"}, 403},
		{"forbidden wins over unauthenticated", errors.Join(auth.ErrUnauthenticated, auth.ErrForbidden), 403},
		{"a store that is down", errStore, 503},
		{"a client that hung up", context.Canceled, 503},
		{"nil is not admitted", nil, 503},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			w := httptest.NewRecorder()
			middleware.Deny(w, get("/"), test.err)
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			isProblem(t, w.Result())
		})
	}
}

// Which requests are redirected to the login page, and with which "next".
func TestDenyRedirectsNavigations(t *testing.T) {
	const (
		html = "text/html,application/xhtml+xml,*/*;q=0.8"
		long = "/long?q="
	)
	tests := []struct {
		rule         string
		method       string
		target       string
		mode, accept string
		login        string
		location     string // empty: 401
	}{
		{"a navigation", "GET", "/me", "navigate", "", "/login", "/login?next=%2Fme"},
		{"a navigation keeps its query", "GET", "/me?a=b&c=d", "navigate", "", "/login", "/login?next=%2Fme%3Fa%3Db%26c%3Dd"},
		{"a navigation by an old browser", "GET", "/me", "", html, "/login", "/login?next=%2Fme"},
		{"a HEAD is answered as a GET", "HEAD", "/me", "navigate", "", "/login", "/login?next=%2Fme"},
		{"a form that is posted has no next", "POST", "/pay", "navigate", "", "/login", "/login"},
		{"a form that is posted by an old browser has no next", "POST", "/pay", "", html, "/login", "/login"},
		{"the start page is not a next", "GET", "/", "navigate", "", "/login", "/login"},
		{"the start page with a query is one", "GET", "/?a=b", "navigate", "", "/login", "/login?next=%2F%3Fa%3Db"},
		{"a path that is not safe is not a next", "GET", "//evil.example/", "navigate", "", "/login", "/login"},
		{"a path that is not safe when decoded is not a next", "GET", "/%2fevil.example/", "navigate", "", "/login", "/login"},
		{"what is too long is not a next", "GET", long + strings.Repeat("a", 2049-len(long)), "navigate", "", "/login", "/login"},
		{"a script gets a 401", "GET", "/me", "cors", html, "/login", ""},
		{"a script of the same origin gets a 401", "GET", "/me", "same-origin", html, "/login", ""},
		{"an image gets a 401", "GET", "/me", "no-cors", "image/*", "/login", ""},
		{"a WebSocket gets a 401", "GET", "/me", "websocket", "", "/login", ""},
		{"an API client gets a 401", "GET", "/me", "", "application/json", "/login", ""},
		{"a client that takes anything gets a 401", "GET", "/me", "", "*/*", "/login", ""},
		{"a client that says nothing gets a 401", "GET", "/me", "", "", "/login", ""},
		{"no login page, no redirect", "GET", "/me", "navigate", html, "", ""},
		{"the login page does not redirect to itself", "GET", "/login", "navigate", "", "/login", ""},
		{"nor does it with a query", "GET", "/login?next=%2Fme", "navigate", "", "/login", ""},
		{"nor does it in another encoding", "GET", "/%6cogin", "navigate", "", "/login", ""},
		{"nor does it when posted", "POST", "/login", "navigate", "", "/login", ""},
		{"nor does it if it has a query of its own", "GET", "/login", "navigate", "", "/login?lang=de", ""},
		{"nor does it if it is an absolute URL", "GET", "/login", "navigate", "", "https://app.example/login", ""},
		{"nor does it in another case of the host", "GET", "/login", "navigate", "", "https://APP.example/login", ""},
		{"a page below the login page is another", "GET", "/login/help", "navigate", "", "/login", "/login?next=%2Flogin%2Fhelp"},
		{"the login page of another host", "GET", "/login", "navigate", "", "https://id.example/login", "https://id.example/login?next=%2Flogin"},
		{"an absolute login page", "GET", "/me", "navigate", "", "https://id.example/in", "https://id.example/in?next=%2Fme"},
		{"another host does not learn the query", "GET", "/me?secret=1", "navigate", "", "https://id.example/in", "https://id.example/in?next=%2Fme"},
		{"nor that of the start page", "GET", "/?secret=1", "navigate", "", "https://id.example/in", "https://id.example/in"},
		{"nor is another port", "GET", "/me?secret=1", "navigate", "", "https://app.example:8443/in", "https://app.example:8443/in?next=%2Fme"},
		{"the own host learns the query", "GET", "/me?a=b", "navigate", "", "https://APP.example/in", "https://APP.example/in?next=%2Fme%3Fa%3Db"},
		{"a login page with a query of its own", "GET", "/me", "navigate", "", "/login?lang=de", "/login?lang=de&next=%2Fme"},
		{"a login page with a next of its own", "GET", "/me", "navigate", "", "/login?next=%2Fhome", "/login?next=%2Fme"},
		{"which stays if there is no other", "POST", "/me", "navigate", "", "/login?next=%2Fhome", "/login?next=%2Fhome"},
		{"a login page with a fragment", "GET", "/me", "navigate", "", "/login#form", "/login?next=%2Fme#form"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			r := get("https://app.example/")
			r.Method, r.RequestURI = test.method, test.target
			u, err := url.ParseRequestURI(test.target)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
			setIf(r.Header, "Sec-Fetch-Mode", test.mode)
			setIf(r.Header, "Accept", test.accept)
			w := httptest.NewRecorder()
			refuse(t, w, r, auth.ErrNoCredential, test.login)
			if test.location == "" {
				if w.Code != 401 {
					t.Errorf("status %d, Location %q", w.Code, w.Header().Get("Location"))
				}
				isProblem(t, w.Result())
				return
			}
			if got := w.Header().Get("Location"); w.Code != 303 || got != test.location {
				t.Errorf("status %d, Location %q, want %q", w.Code, got, test.location)
			}
			if w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("a redirect with %v and %q", w.Header(), w.Body)
			}
		})
	}
}

// refuse makes a guard with a login page refuse r because of err.
func refuse(t *testing.T, w http.ResponseWriter, r *http.Request, err error, login string) {
	guard := &middleware.Guard{LoginPage: login, Authenticator: authenticatorFunc(func(*http.Request) (auth.Identity, error) {
		return auth.Identity{}, err
	})}
	guard.Require(mustNotRun(t)).ServeHTTP(w, r)
}

// A custom Guard.Deny that calls Deny knows the login page of its guard. A handler
// that calls Deny does not.
func TestOnlyAGuardRedirectsToItsLoginPage(t *testing.T) {
	navigation := func() *http.Request {
		r := get("/me")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		return r
	}
	received := 0
	site := &middleware.Guard{Authenticator: none, LoginPage: "/login", Deny: func(w http.ResponseWriter, r *http.Request, err error) {
		received++
		middleware.Deny(w, r, err)
	}}
	if res := serve(site.Require(mustNotRun(t)), navigation()); res.StatusCode != 303 || res.Header.Get("Location") != "/login?next=%2Fme" || received != 1 {
		t.Errorf("a custom Deny: status %d, called %d times", res.StatusCode, received)
	}
	refuses := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { middleware.Deny(w, r, auth.ErrUnauthenticated) })
	in := &middleware.Guard{Authenticator: valid, LoginPage: "/login"}
	api := &middleware.Guard{Authenticator: none}
	for name, h := range map[string]http.Handler{
		"no guard": refuses, "a handler behind a guard": in.Require(refuses), "a guard without a page behind one": in.Require(api.Require(refuses)),
	} {
		if res := serve(h, navigation()); res.StatusCode != 401 {
			t.Errorf("%s: status %d", name, res.StatusCode)
		}
	}
}

func setIf(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// Only unauthenticated requests are redirected to the login page.
func TestDenyRedirectsOnlyWhereALoginHelps(t *testing.T) {
	for name, err := range map[string]error{"forbidden": auth.ErrForbidden, "a lack of scope": &auth.InsufficientError{Scope: "a"}, "down": errStore} {
		t.Run(name, func(t *testing.T) {
			r := get("/me")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			w := httptest.NewRecorder()
			refuse(t, w, r, err, "/login")
			isProblem(t, w.Result())
		})
	}
}

// A guard behind http.StripPrefix returns the browser to the URL that it requested.
func TestNextKeepsAPrefixThatWasStripped(t *testing.T) {
	guard := &middleware.Guard{Authenticator: none, LoginPage: "/app/login"}
	h := http.StripPrefix("/app", guard.Require(mustNotRun(t)))
	for target, want := range map[string]string{
		"/app/me":    "/app/login?next=%2Fapp%2Fme",
		"/app/login": "", // it would send the browser in circles
	} {
		r := get(target)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		if got := serve(h, r).Header.Get("Location"); got != want {
			t.Errorf("%s: Location %q, want %q", target, got, want)
		}
	}
}

// SafeNext accepts the "next" that Deny sets.
func TestNextSurvivesTheLoginPage(t *testing.T) {
	const asked = "/reports/2026?from=a%20b&to=c%26d#"
	r := get("/reports/2026?from=a%20b&to=c%26d")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	refuse(t, w, r, auth.ErrNoCredential, "/login?lang=de")
	login, err := url.Parse(w.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if next := middleware.SafeNext(login.Query().Get("next")); next+"#" != asked {
		t.Errorf("next is %q", next)
	}
}

// Over the wire a HEAD has the same status and headers, and no body.
func TestDenyAnswersHEAD(t *testing.T) {
	guard := &middleware.Guard{Authenticator: down}
	server := httptest.NewServer(guard.Require(mustNotRun(t)))
	defer server.Close()
	res, err := server.Client().Head(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || len(b) != 0 {
		t.Errorf("status %d, %v, %q", res.StatusCode, res.Header, b)
	}
}

func TestDenyOfYourOwnGetsTheError(t *testing.T) {
	for name, from := range map[string]middleware.Authenticator{"none": none, "bad": bad, "forbidden": forbidden, "down": down} {
		t.Run(name, func(t *testing.T) {
			_, want := from.Authenticate(nil)
			guard := &middleware.Guard{Authenticator: from, Deny: func(w http.ResponseWriter, _ *http.Request, err error) {
				if err != want {
					t.Errorf("Deny got %v, want %v", err, want)
				}
				w.WriteHeader(http.StatusTeapot)
			}}
			if res := serve(guard.Require(mustNotRun(t)), get("/")); res.StatusCode != http.StatusTeapot {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	guard := &middleware.Guard{Authenticator: valid, Deny: func(w http.ResponseWriter, r *http.Request, err error) {
		var lack *auth.InsufficientError
		if !errors.As(err, &lack) || lack.Scope != "admin" {
			t.Errorf("Deny got %v", err)
		}
		middleware.Deny(w, r, err)
	}}
	if res := serve(guard.RequireScope("admin")(mustNotRun(t)), get("/")); res.StatusCode != 403 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestChallengerComesBeforeDeny(t *testing.T) {
	var log []string
	m := &mode{name: "Bearer", err: auth.ErrNoCredential, log: &log}
	guard := &middleware.Guard{Authenticator: m, Deny: func(w http.ResponseWriter, r *http.Request, err error) {
		if w.Header().Get("WWW-Authenticate") != "Bearer" || m.got != err {
			t.Error("no challenge was set before Deny was called")
		}
		middleware.Deny(w, r, err)
	}}
	if res := serve(guard.Require(mustNotRun(t)), get("/")); res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("status %d, %v", res.StatusCode, res.Header)
	}
}

func TestHiddenChallengerCostsHeadersOnly(t *testing.T) {
	var log []string
	hidden := struct{ middleware.Authenticator }{&mode{name: "Bearer", err: auth.ErrNoCredential, log: &log}}
	guard := &middleware.Guard{Authenticator: hidden}
	res := serve(guard.Require(mustNotRun(t)), get("/"))
	if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("status %d, %v", res.StatusCode, res.Header)
	}
	isProblem(t, res)
}

func TestWhoPassesGetsNoChallenge(t *testing.T) {
	var log []string
	for name, m := range map[string]*mode{
		"authenticated": {name: "Bearer", id: alice, log: &log},
		"anonymous":     {name: "Bearer", err: auth.ErrNoCredential, log: &log},
	} {
		guard := &middleware.Guard{Authenticator: m}
		if res := serve(guard.Optional(hello), get("/")); res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %v", name, res.Header)
		}
	}
}

// tooMany is the error of a rate limiter: of package throttle, or of another.
type tooMany time.Duration

func (tooMany) Error() string               { return "too many attempts" }
func (tooMany) Is(target error) bool        { return target == auth.ErrForbidden }
func (e tooMany) RetryAfter() time.Duration { return time.Duration(e) }

// RFC 6585, 4; RFC 9110, 10.2.3: whole seconds, and never too early.
func TestDenySaysHowLongToWait(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0: "", 1: "1", time.Millisecond: "1", time.Second: "1", time.Second + 1: "2",
		30 * time.Second: "30", time.Hour - time.Millisecond: "3600", time.Hour: "3600",
	} {
		w := httptest.NewRecorder()
		r := get("/")
		r.Header.Set("Sec-Fetch-Mode", "navigate") // no login page helps
		middleware.Deny(w, r, fmt.Errorf("login: %w", tooMany(wait)))
		if w.Code != 429 || w.Header().Get("Retry-After") != want {
			t.Errorf("%v: %d, Retry-After %q, want %q", wait, w.Code, w.Header().Get("Retry-After"), want)
		}
		isProblem(t, w.Result())
	}
}

// busy is the error of a store that has a method RetryAfter, as some clients have.
type busy struct{}

func (busy) Error() string             { return "busy" }
func (busy) RetryAfter() time.Duration { return time.Hour }

// Only an ErrForbidden is a 429. A store with a RetryAfter is a fault (503).
func TestAStoreThatAsksForTimeIsNoLimit(t *testing.T) {
	w := httptest.NewRecorder()
	middleware.Deny(w, get("/"), fmt.Errorf("store: %w", busy{}))
	if w.Code != 503 || w.Header().Get("Retry-After") != "5" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}
