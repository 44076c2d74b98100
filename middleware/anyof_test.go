package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// mode is an Authenticator that logs its calls.
type mode struct {
	name string
	id   auth.Identity
	err  error
	log  *[]string
	got  error // by Challenge
}

func (m *mode) Authenticate(*http.Request) (auth.Identity, error) {
	*m.log = append(*m.log, m.name)
	return m.id, m.err
}

func (m *mode) Challenge(h http.Header, _ *http.Request, err error) {
	m.got = err
	h.Add("WWW-Authenticate", m.name)
}

func TestAnyOfAsksInOrderAndOnlyAfterNoCredential(t *testing.T) {
	bob := auth.Identity{Subject: "bob", Scopes: "read"}
	var (
		isNone      = auth.ErrNoCredential
		isBad       = auth.ErrUnauthenticated
		isForbidden = auth.ErrForbidden
	)
	tests := []struct {
		rule       string
		aID        auth.Identity
		aErr       error
		bID        auth.Identity
		bErr       error
		asked      []string
		status     int      // of Require
		optional   int      // of Optional
		challenges []string // of Require
	}{
		{"a comes first", alice, nil, bob, nil, []string{"a"}, 200, 200, nil},
		{"b is asked if a finds nothing", auth.Identity{}, isNone, bob, nil, []string{"a", "b"}, 200, 200, nil},
		{"a bad credential of a is refused, though that of b is good", auth.Identity{}, isBad, bob, nil, []string{"a"}, 401, 401, []string{"a"}},
		{"a forbidden request is refused, though b is good", auth.Identity{}, isForbidden, bob, nil, []string{"a"}, 403, 403, []string{"a"}},
		{"a store that is down is 503, though b is good", auth.Identity{}, errStore, bob, nil, []string{"a"}, 503, 503, []string{"a"}},
		{"no credential at all is 401 or anonymous", auth.Identity{}, isNone, auth.Identity{}, isNone, []string{"a", "b"}, 401, 200, []string{"a", "b"}},
		{"a bad credential of b is never anonymous", auth.Identity{}, isNone, auth.Identity{}, isBad, []string{"a", "b"}, 401, 401, []string{"b"}},
		{"a failure of the store of b does not make a request anonymous", auth.Identity{}, isNone, auth.Identity{}, errStore, []string{"a", "b"}, 503, 503, []string{"b"}},
		{"an identity of a without a subject does not make it ask b", auth.Identity{}, nil, bob, nil, []string{"a"}, 503, 503, []string{"a", "b"}},
		{"an identity of a beside an error is nothing", alice, isNone, auth.Identity{}, isNone, []string{"a", "b"}, 401, 200, []string{"a", "b"}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			var log []string
			a := &mode{name: "a", id: test.aID, err: test.aErr, log: &log}
			b := &mode{name: "b", id: test.bID, err: test.bErr, log: &log}
			guard := &middleware.Guard{Authenticator: middleware.AnyOf(a, b)}

			res := serve(guard.Require(hello), get("/"))
			if res.StatusCode != test.status {
				t.Errorf("Require: status %d, want %d", res.StatusCode, test.status)
			}
			if !slices.Equal(log, test.asked) {
				t.Errorf("asked %q, want %q", log, test.asked)
			}
			if got := res.Header["Www-Authenticate"]; !slices.Equal(got, test.challenges) {
				t.Errorf("challenges %q, want %q", got, test.challenges)
			}
			if res := serve(guard.Optional(hello), get("/")); res.StatusCode != test.optional {
				t.Errorf("Optional: status %d, want %d", res.StatusCode, test.optional)
			}
		})
	}
}

func TestAnyOfReturnsNoIdentityBesideAnError(t *testing.T) {
	for name, a := range map[string]authenticatorFunc{"refused": beside, "no credential": always(alice, auth.ErrNoCredential)} {
		if id, err := middleware.AnyOf(a).Authenticate(get("/")); id != (auth.Identity{}) || err == nil {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

// Each challenger gets the error that it returned, or one that concerns all of them.
func TestAnyOfChallenges(t *testing.T) {
	var log []string
	own := errors.New("a says so")
	a := &mode{name: "a", err: errors.Join(own, auth.ErrUnauthenticated), log: &log}
	b := &mode{name: "b", err: auth.ErrNoCredential, log: &log}
	quiet := always(auth.Identity{}, auth.ErrNoCredential)

	t.Run("who refused gets its error, also through a second AnyOf", func(t *testing.T) {
		first := middleware.AnyOf(quiet, middleware.AnyOf(b, a), b)
		_, err := first.Authenticate(get("/"))
		h := http.Header{}
		first.(middleware.Challenger).Challenge(h, get("/"), err)
		if !slices.Equal(h["Www-Authenticate"], []string{"a"}) || a.got != a.err || !errors.Is(err, own) {
			t.Errorf("%q, a got %v", h, a.got)
		}
	})
	t.Run("if none found a credential, each gets its own error", func(t *testing.T) {
		one := &mode{name: "one", err: fmt.Errorf("one: %w", auth.ErrNoCredential), log: &log}
		two := &mode{name: "two", err: fmt.Errorf("two: %w", auth.ErrNoCredential), log: &log}
		guard := &middleware.Guard{Authenticator: middleware.AnyOf(one, quiet, middleware.AnyOf(two))}
		res := serve(guard.Require(mustNotRun(t)), get("/"))
		if got := res.Header["Www-Authenticate"]; res.StatusCode != 401 || !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("status %d, challenges %q", res.StatusCode, got)
		}
		if one.got != one.err || two.got != two.err {
			t.Errorf("one got %v, two got %v", one.got, two.got)
		}
	})
	t.Run("a lack of scope concerns all", func(t *testing.T) {
		id := &mode{name: "id", id: alice, log: &log}
		guard := &middleware.Guard{Authenticator: middleware.AnyOf(quiet, b, id)}
		res := serve(guard.RequireScope("admin")(mustNotRun(t)), get("/"))
		if got := res.Header["Www-Authenticate"]; res.StatusCode != 403 || !slices.Equal(got, []string{"b", "id"}) {
			t.Errorf("status %d, challenges %q", res.StatusCode, got)
		}
		var lack *auth.InsufficientError
		if !errors.As(id.got, &lack) || lack.Scope != "admin" {
			t.Errorf("the challenger got %v", id.got)
		}
	})
	t.Run("who refused and is silent costs headers only", func(t *testing.T) {
		guard := &middleware.Guard{Authenticator: middleware.AnyOf(bad, b)}
		res := serve(guard.Require(mustNotRun(t)), get("/"))
		if res.StatusCode != 401 || len(res.Header["Www-Authenticate"]) != 0 {
			t.Errorf("status %d, %q", res.StatusCode, res.Header)
		}
	})
}

func TestAnyOfKeepsItsOwnList(t *testing.T) {
	list := []middleware.Authenticator{valid}
	first := middleware.AnyOf(list...)
	list[0] = none
	if id, err := first.Authenticate(get("/")); err != nil || id.Subject != "alice" {
		t.Errorf("%+v, %v", id, err)
	}
}
