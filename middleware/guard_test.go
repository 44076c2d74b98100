package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// authenticatorFunc is the Authenticator of these tests.
type authenticatorFunc func(*http.Request) (auth.Identity, error)

func (f authenticatorFunc) Authenticate(r *http.Request) (auth.Identity, error) { return f(r) }

func always(id auth.Identity, err error) authenticatorFunc {
	return func(*http.Request) (auth.Identity, error) { return id, err }
}

var (
	alice    = auth.Identity{Subject: "alice", Scopes: "read write delete", Methods: "pwd"}
	errStore = errors.New("store: dial 10.0.0.7: secret refused")

	valid     = always(alice, nil)
	none      = always(auth.Identity{}, fmt.Errorf("session: %w", auth.ErrNoCredential))
	bad       = always(auth.Identity{}, fmt.Errorf("session: secret: %w", auth.ErrUnauthenticated))
	forbidden = always(auth.Identity{}, fmt.Errorf("session: secret: %w", auth.ErrForbidden))
	down      = always(auth.Identity{}, errStore)
	untold    = always(auth.Identity{Subject: "alice"}, nil)
	noSubject = always(auth.Identity{Scopes: "read"}, nil)
	// An incorrect Authenticator that returns a usable identity with an error.
	beside = always(alice, auth.ErrUnauthenticated)
)

// hello writes the identity that the handler sees.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	id, ok := auth.FromContext(r.Context())
	fmt.Fprintf(w, "%q %v", id.Subject, ok)
})

// mustNotRun is the handler of requests that must be refused.
func mustNotRun(t *testing.T) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the handler ran")
	})
}

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func get(target string) *http.Request { return httptest.NewRequest("GET", target, nil) }

// ASVS 5.0, 6.8.4, 8.2.1, 8.3.1, 10.3.2, 10.3.4, 16.5.1 and 16.5.2.
func TestGuardsAdmitAndRefuse(t *testing.T) {
	type wrap = func(http.Handler) http.Handler
	guards := map[string]func(*middleware.Guard) wrap{
		"Require":  func(g *middleware.Guard) wrap { return g.Require },
		"Optional": func(g *middleware.Guard) wrap { return g.Optional },
		"Scope":    func(g *middleware.Guard) wrap { return g.RequireScope("write") },
		"Scopes":   func(g *middleware.Guard) wrap { return g.RequireScope("delete read") },
		"Lacking":  func(g *middleware.Guard) wrap { return g.RequireScope("admin") },
		"OneOfTwo": func(g *middleware.Guard) wrap { return g.RequireScope("read admin") },
		"Recent":   func(g *middleware.Guard) wrap { return g.RequireRecent(time.Hour) },
		"Method":   func(g *middleware.Guard) wrap { return g.RequireMethods("pwd") },
		"Methods":  func(g *middleware.Guard) wrap { return g.RequireMethods("pwd hwk") },
		"That":     that(nil),
		"ThatNot":  that(auth.ErrForbidden),
		"ThatOld":  that(&auth.InsufficientError{MaxAge: time.Minute}),
		"ThatNone": that(auth.ErrNoCredential),
		"ThatDown": that(errStore),
	}
	tests := []struct {
		rule   string
		guard  string
		from   authenticatorFunc
		status int
		sees   string // by the handler; empty: it does not run
	}{
		{"who is authenticated passes", "Require", valid, 200, `"alice" true`},
		{"no credential is 401", "Require", none, 401, ""},
		{"a bad credential is 401", "Require", bad, 401, ""},
		{"a forbidden request is 403", "Require", forbidden, 403, ""},
		{"a store that is down is 503, not 401", "Require", down, 503, ""},
		{"an identity without a subject is not admitted", "Require", noSubject, 503, ""},
		{"an identity beside an error is worth nothing", "Require", beside, 401, ""},

		{"who is authenticated is known", "Optional", valid, 200, `"alice" true`},
		{"no credential is anonymous", "Optional", none, 200, `"" false`},
		{"a bad credential is not anonymous", "Optional", bad, 401, ""},
		{"a forbidden request is not anonymous", "Optional", forbidden, 403, ""},
		{"a store failure does not make a request anonymous", "Optional", down, 503, ""},
		{"no subject is not anonymous", "Optional", noSubject, 503, ""},
		{"an identity beside an error is not anonymous", "Optional", beside, 401, ""},

		{"who has the scope passes", "Scope", valid, 200, `"alice" true`},
		{"who has all scopes passes", "Scopes", valid, 200, `"alice" true`},
		{"a lack of scope is 403", "Lacking", valid, 403, ""},
		{"one scope of two is 403", "OneOfTwo", valid, 403, ""},
		{"no credential is 401 before a scope counts", "Lacking", none, 401, ""},
		{"a bad credential is 401 before a scope counts", "Scope", bad, 401, ""},
		{"a forbidden request is 403 with any scope", "Scope", forbidden, 403, ""},
		{"a store that is down is 503, not a lack of scope", "Lacking", down, 503, ""},
		{"no subject is refused with any scope", "Scope", noSubject, 503, ""},

		{"an unknown time of login is not recent", "Recent", valid, 401, ""},
		{"no credential is not recent", "Recent", none, 401, ""},
		{"a bad credential is not recent", "Recent", bad, 401, ""},
		{"a forbidden request is not asked to log in again", "Recent", forbidden, 403, ""},
		{"a store failure does not require a new login", "Recent", down, 503, ""},
		{"no subject is not recent", "Recent", noSubject, 503, ""},

		{"who has the method passes", "Method", valid, 200, `"alice" true`},
		{"one method of two asks for a new login", "Methods", valid, 401, ""},
		{"a login that states no methods has none", "Method", untold, 401, ""},
		{"no credential is 401 before a method counts", "Method", none, 401, ""},
		{"a forbidden request is 403 with any methods", "Method", forbidden, 403, ""},
		{"a store that is down is 503, not a lack of methods", "Methods", down, 503, ""},

		{"who passes the check passes", "That", valid, 200, `"alice" true`},
		{"the check may forbid", "ThatNot", valid, 403, ""},
		{"the check may ask for a new login", "ThatOld", valid, 401, ""},
		{"the check does not make a request anonymous", "ThatNone", valid, 401, ""},
		{"a check that fails is 503", "ThatDown", valid, 503, ""},
		{"the check admits none without a credential", "That", none, 401, ""},
		{"the check admits none with a bad credential", "That", bad, 401, ""},
		{"the check admits no forbidden request", "That", forbidden, 403, ""},
		{"the check admits none while the store is down", "That", down, 503, ""},
		{"the check admits none without a subject", "That", noSubject, 503, ""},
	}
	for _, test := range tests {
		t.Run(test.guard+": "+test.rule, func(t *testing.T) {
			next, cache := http.Handler(hello), "no-store"
			if test.sees == "" {
				next = mustNotRun(t)
			} else if strings.HasSuffix(test.sees, "false") {
				cache = ""
			}
			guard := &middleware.Guard{Authenticator: test.from}
			res := serve(guards[test.guard](guard)(next), get("https://app.example/page"))
			if res.StatusCode != test.status {
				t.Errorf("status %d, want %d", res.StatusCode, test.status)
			}
			if got := res.Header.Get("Cache-Control"); got != cache {
				t.Errorf("Cache-Control %q, want %q", got, cache)
			}
			if test.sees != "" {
				if got := readAll(t, res); got != test.sees {
					t.Errorf("the handler sees %s, want %s", got, test.sees)
				}
				return
			}
			isProblem(t, res)
		})
	}
}

func that(err error) func(*middleware.Guard) func(http.Handler) http.Handler {
	return func(g *middleware.Guard) func(http.Handler) http.Handler {
		return g.RequireThat(func(id auth.Identity) error {
			if id.Subject != "alice" {
				panic("the check was called without an identity")
			}
			return err
		})
	}
}

// The boundaries of RFC 9470, 3 (ASVS 5.0, 7.5.1).
func TestRequireRecentBoundaries(t *testing.T) {
	tests := []struct {
		rule   string
		age    time.Duration
		status int
	}{
		{"now is recent", 0, 200},
		{"just below the limit is recent", 10*time.Minute - 1, 200},
		{"the limit itself is recent", 10 * time.Minute, 200},
		{"just over the limit is not", 10*time.Minute + 1, 401},
		{"long ago is not", 30 * 24 * time.Hour, 401},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				id := alice
				id.AuthTime = time.Now().UTC().Round(0)
				guard := &middleware.Guard{Authenticator: always(id, nil)}
				h := guard.RequireRecent(10 * time.Minute)(hello)
				time.Sleep(test.age)
				if res := serve(h, get("/")); res.StatusCode != test.status {
					t.Errorf("status %d, want %d", res.StatusCode, test.status)
				}
			})
		})
	}
}

// A misconfigured guard panics when the program starts.
func TestGuardsPanicWhenWrapping(t *testing.T) {
	good := &middleware.Guard{Authenticator: valid}
	var (
		missing *middleware.Guard
		pointer *pointerAuthenticator
		mux     *http.ServeMux
	)
	tests := []struct {
		rule string
		wrap func()
	}{
		{"no guard", func() { missing.Require(hello) }},
		{"no Authenticator", func() { (&middleware.Guard{}).Require(hello) }},
		{"no Authenticator, optional", func() { (&middleware.Guard{}).Optional(hello) }},
		{"no Authenticator, with a scope", func() { (&middleware.Guard{}).RequireScope("read")(hello) }},
		{"no Authenticator, recent", func() { (&middleware.Guard{}).RequireRecent(1)(hello) }},
		{"the nil pointer of a constructor that failed", func() { (&middleware.Guard{Authenticator: pointer}).Require(hello) }},
		{"a nil function as Authenticator", func() { (&middleware.Guard{Authenticator: authenticatorFunc(nil)}).Optional(hello) }},
		{"no handler", func() { good.Require(nil) }},
		{"no handler, optional", func() { good.Optional(nil) }},
		{"no handler, with a scope", func() { good.RequireScope("read")(nil) }},
		{"no handler, recent", func() { good.RequireRecent(1)(nil) }},
		{"no handler, with a check", func() { good.RequireThat(func(auth.Identity) error { return nil })(nil) }},
		{"a nil pointer as handler", func() { good.Require(mux) }},
		{"a nil function as handler", func() { good.Require(http.HandlerFunc(nil)) }},
		{"no check", func() { good.RequireThat(nil) }},
		{"no scope", func() { good.RequireScope("") }},
		{"a space as scope", func() { good.RequireScope(" ") }},
		{"scopes with two spaces", func() { good.RequireScope("read  write") }},
		{"a scope that would end its challenge", func() { good.RequireScope(`read"`) }},
		{"no method", func() { good.RequireMethods("") }},
		{"a method that would end its challenge", func() { good.RequireMethods(`pwd"`) }},
		{"no time", func() { good.RequireRecent(0) }},
		{"a time in the future", func() { good.RequireRecent(-1) }},
		{"a login page that is not a URL", func() { page("/%zz").Require(hello) }},
		{"a login page that is not a URL, optional", func() { page("/%zz").Optional(hello) }},
		{"a relative login page", func() { page("login").Require(hello) }},
		{"a login page that is a script", func() { page("javascript:alert(1)").Require(hello) }},
		{"a login page that is a script with a path", func() { page("javascript:/login").Require(hello) }},
		{"a login page without a host", func() { page("https:/login").Require(hello) }},
		{"a login page of another site by accident", func() { page("//login").Require(hello) }},
		{"a login page without a path", func() { page("?login").Require(hello) }},
		{"AnyOf of none", func() { middleware.AnyOf() }},
		{"AnyOf of nil", func() { middleware.AnyOf(valid, nil) }},
		{"AnyOf of a nil pointer", func() { middleware.AnyOf(pointer, valid) }},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			test.wrap()
		})
	}
}

func TestGuardsTakeTheseLoginPages(t *testing.T) {
	for _, login := range []string{
		"", "/", "/login", "/log/in/", "/login?lang=de", "/login#form", "/anmelden-hör", "https://id.example/login", "http://localhost:8080/",
	} {
		page(login).Require(hello)
	}
}

func page(login string) *middleware.Guard {
	return &middleware.Guard{Authenticator: valid, LoginPage: login}
}

type pointerAuthenticator struct{ id auth.Identity }

func (p *pointerAuthenticator) Authenticate(*http.Request) (auth.Identity, error) { return p.id, nil }

// ASVS 5.0, 14.3.2.
func TestHandlerMayOverrideNoStore(t *testing.T) {
	guard := &middleware.Guard{Authenticator: valid}
	tests := []struct {
		rule   string
		change func(http.Header)
		want   []string
	}{
		{"nothing said is no-store", func(http.Header) {}, []string{"no-store"}},
		{"Set replaces it", func(h http.Header) { h.Set("Cache-Control", "public") }, []string{"public"}},
		{"Del removes it", func(h http.Header) { h.Del("Cache-Control") }, nil},
		{"Add adds to it", func(h http.Header) { h.Add("Cache-Control", "private") }, []string{"no-store", "private"}},
		{"a write into its slice changes it", func(h http.Header) { h["Cache-Control"][0] = "public" }, []string{"public"}},
		{"an append to its slice adds to it", func(h http.Header) { h["Cache-Control"] = append(h["Cache-Control"], "a", "b") }, []string{"no-store", "a", "b"}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := guard.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { test.change(w.Header()) }))
			if got := serve(h, get("/")).Header["Cache-Control"]; !slices.Equal(got, test.want) {
				t.Errorf("Cache-Control %q, want %q", got, test.want)
			}
			// The header changes of that handler do not affect the next response.
			if got := serve(guard.Require(hello), get("/")).Header["Cache-Control"]; !slices.Equal(got, []string{"no-store"}) {
				t.Errorf("the next response has Cache-Control %q", got)
			}
		})
	}
}

func TestNoStoreReplacesWhatWasSaidOutside(t *testing.T) {
	guard := &middleware.Guard{Authenticator: valid}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public")
		guard.Require(hello).ServeHTTP(w, r)
	})
	if got := serve(h, get("/")).Header["Cache-Control"]; !slices.Equal(got, []string{"no-store"}) {
		t.Errorf("Cache-Control %q", got)
	}
}

// A guard passes its ResponseWriter to the handler unwrapped.
func TestGuardsWrapNoResponseWriter(t *testing.T) {
	type writer struct{ *httptest.ResponseRecorder }
	for name, from := range map[string]authenticatorFunc{"authenticated": valid, "anonymous": none} {
		t.Run(name, func(t *testing.T) {
			w := &writer{httptest.NewRecorder()}
			guard := &middleware.Guard{Authenticator: from}
			guard.Optional(http.HandlerFunc(func(got http.ResponseWriter, _ *http.Request) {
				if got != http.ResponseWriter(w) {
					t.Errorf("the handler got a %T", got)
				}
			})).ServeHTTP(w, get("/"))
		})
	}
}

// The handler gets the request unchanged except for its context.
func TestGuardsChangeNothingElseInTheRequest(t *testing.T) {
	guard := &middleware.Guard{Authenticator: valid}
	r := get("/a/b?c=d")
	r.SetPathValue("id", "7")
	before := r.Clone(r.Context())
	serve(guard.Require(http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) {
		if got.PathValue("id") != "7" || !reflect.DeepEqual(got.WithContext(r.Context()), r) {
			t.Error("the handler got another request")
		}
	})), r)
	if _, ok := auth.FromContext(r.Context()); ok || !reflect.DeepEqual(before, r) {
		t.Error("the guard changed the request of its caller")
	}
}

func TestGuardedContextEndsWithTheRequest(t *testing.T) {
	type key struct{}
	ctx, cancel := contextWith(t, key{}, "value")
	guard := &middleware.Guard{Authenticator: valid}
	serve(guard.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) != "value" {
			t.Error("a value of the outer context is lost")
		}
		cancel()
		if r.Context().Err() == nil {
			t.Error("the context was not canceled")
		}
	})), get("/").WithContext(ctx))
}
