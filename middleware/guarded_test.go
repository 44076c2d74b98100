package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// counting authenticates by the Authorization header and counts its calls.
type counting struct{ asked atomic.Int32 }

func (c *counting) Authenticate(r *http.Request) (auth.Identity, error) {
	c.asked.Add(1)
	subject := r.Header.Get("Authorization")
	if subject == "" {
		return auth.Identity{}, auth.ErrNoCredential
	}
	return auth.Identity{Subject: subject, Scopes: "read"}, nil
}

// A guard nested in the same guard authenticates again unless the request is the same.
func TestTakeOver(t *testing.T) {
	type key struct{}
	bob := auth.Identity{Subject: "bob"}
	tests := []struct {
		rule   string
		change func(*http.Request) *http.Request
		asked  int32
	}{
		{"the same request is taken over", func(r *http.Request) *http.Request { return r }, 1},
		{"another context around it is taken over", func(r *http.Request) *http.Request {
			return r.WithContext(context.WithValue(r.Context(), key{}, 1))
		}, 1},
		{"a shallow copy is taken over", func(r *http.Request) *http.Request { c := *r; return &c }, 1},
		{"another query is taken over", func(r *http.Request) *http.Request { r.URL.RawQuery = "a=b"; return r }, 1},
		{"a clone is asked about", func(r *http.Request) *http.Request { return r.Clone(r.Context()) }, 2},
		{"another method is asked about", func(r *http.Request) *http.Request { r.Method = "DELETE"; return r }, 2},
		{"another host is asked about", func(r *http.Request) *http.Request { r.Host = "other.example"; return r }, 2},
		{"another path is asked about", func(r *http.Request) *http.Request {
			r.URL = &url.URL{Path: "/other"}
			return r
		}, 2},
		{"another path in the same URL is asked about", func(r *http.Request) *http.Request { r.URL.Path = "/other"; return r }, 2},
		{"other headers are asked about", func(r *http.Request) *http.Request {
			r.Header = http.Header{"Authorization": r.Header["Authorization"]}
			return r
		}, 2},
		{"a request that was made up is asked about", func(r *http.Request) *http.Request {
			made := httptest.NewRequestWithContext(r.Context(), r.Method, r.RequestURI, nil)
			made.Header.Set("Authorization", "alice")
			return made
		}, 2},
		{"an identity of NewContext is asked about", func(r *http.Request) *http.Request {
			return r.WithContext(auth.NewContext(r.Context(), bob))
		}, 2},
		{"the same identity by NewContext is asked about", func(r *http.Request) *http.Request {
			id, _ := auth.FromContext(r.Context())
			return r.WithContext(auth.NewContext(r.Context(), id))
		}, 2},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			from := &counting{}
			guard := &middleware.Guard{Authenticator: from}
			inner := guard.RequireScope("read")(hello)
			r := get("https://app.example/page")
			r.Header.Set("Authorization", "alice")
			res := serve(guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner.ServeHTTP(w, test.change(r))
			})), r)
			if got := readAll(t, res); res.StatusCode != 200 || got != `"alice" true` {
				t.Errorf("status %d, the handler sees %s", res.StatusCode, got)
			}
			if got := from.asked.Load(); got != test.asked {
				t.Errorf("asked %d times, want %d", got, test.asked)
			}
		})
	}
}

func TestTakeOverThroughAllGuards(t *testing.T) {
	from := &counting{}
	guard := &middleware.Guard{Authenticator: from}
	h := guard.Optional(guard.Require(guard.RequireScope("read")(guard.Optional(hello))))
	r := get("/")
	r.Header.Set("Authorization", "alice")
	if got := readAll(t, serve(h, r)); got != `"alice" true` || from.asked.Load() != 1 {
		t.Errorf("the handler sees %s after %d questions", got, from.asked.Load())
	}
}

// A reused identity must still meet the requirement of the inner guard.
func TestTakeOverIsNoPass(t *testing.T) {
	guard := &middleware.Guard{Authenticator: &counting{}}
	r := get("/")
	r.Header.Set("Authorization", "alice")
	res := serve(guard.Require(guard.RequireScope("admin")(mustNotRun(t))), r)
	if res.StatusCode != 403 {
		t.Errorf("status %d", res.StatusCode)
	}
	isProblem(t, res)
}

func TestAnotherGuardAsksAgain(t *testing.T) {
	from := &counting{}
	one, two := &middleware.Guard{Authenticator: from}, &middleware.Guard{Authenticator: from}
	r := get("/")
	r.Header.Set("Authorization", "alice")
	if got := readAll(t, serve(one.Require(two.Require(one.Require(hello))), r)); got != `"alice" true` || from.asked.Load() != 3 {
		t.Errorf("the handler sees %s after %d questions", got, from.asked.Load())
	}
}

// A request without a credential stays anonymous even within an authenticated one.
func TestPlantedIdentitiesCountForNothing(t *testing.T) {
	outer := &middleware.Guard{Authenticator: valid}
	guard := &middleware.Guard{Authenticator: none}
	planted := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(auth.NewContext(r.Context(), alice)))
		})
	}
	tests := []struct {
		rule   string
		h      http.Handler
		status int
	}{
		{"Require refuses an identity of NewContext", planted(guard.Require(mustNotRun(t))), 401},
		{"Require refuses an identity of another guard", outer.Require(guard.Require(mustNotRun(t))), 401},
		{"Optional masks an identity of NewContext", planted(guard.Optional(hello)), 200},
		{"Optional masks an identity of another guard", outer.Require(guard.Optional(hello)), 200},
		{"Optional masks it under the same guard, too", guard.Optional(planted(guard.Optional(hello))), 200},
		{"Require refuses what Optional has masked", outer.Require(guard.Optional(guard.Require(mustNotRun(t)))), 401},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			res := serve(test.h, get("/"))
			if res.StatusCode != test.status {
				t.Fatalf("status %d, want %d", res.StatusCode, test.status)
			}
			if got := readAll(t, res); res.StatusCode == 200 && got != `"" false` {
				t.Errorf("the handler sees %s", got)
			}
		})
	}
}

// A guard recognizes its request within another guard, but the handler must see the
// identity of the innermost guard.
func TestGuardBehindAMaskReportsItsOwnIdentity(t *testing.T) {
	outer := &middleware.Guard{Authenticator: valid}
	masks := &middleware.Guard{Authenticator: none}
	if got := readAll(t, serve(outer.Require(masks.Optional(outer.Require(hello))), get("/"))); got != `"alice" true` {
		t.Errorf("the handler sees %s", got)
	}
}

// 10,000 users send requests through one guard at once, in nested guards and with
// contexts between them. None of them sees the identity of another (CVE-2026-24894
// is of this class).
func TestUsersNeverSeeEachOther(t *testing.T) {
	const users = 10_000
	guard := &middleware.Guard{Authenticator: &counting{}}
	sees := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		if want := r.Header.Get("Authorization"); id.Subject != want {
			t.Errorf("%q sees %q", want, id.Subject)
		}
		w.Header().Add("Cache-Control", id.Subject)
	})
	h := guard.Optional(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		guard.RequireScope("read")(sees).ServeHTTP(w, r.WithContext(ctx))
	}))
	var next atomic.Int64
	for worker := range 8 {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			for {
				n := next.Add(1)
				if n > users {
					return
				}
				subject := fmt.Sprint("user-", n)
				r := get("/")
				r.Header.Set("Authorization", subject)
				got := serve(h, r).Header["Cache-Control"]
				if len(got) != 2 || got[0] != "no-store" || got[1] != subject {
					t.Errorf("%q got Cache-Control %q", subject, got)
				}
			}
		})
	}
}
