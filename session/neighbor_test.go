package session_test

import (
	"testing"

	"github.com/authlatch/auth/session"
)

// spring-boot#49349, OctoPrint#1479: two applications on localhost have the default name of the
// cookie, and stores of their own. What a browser does at one, short of logging in there,
// deletes no live cookie of the other.
func TestAnotherApplicationsCookieIsNotDeleted(t *testing.T) {
	one, other := newManager(t, session.Config{}), newManager(t, session.Config{})
	for rule, do := range map[string]func(b *browser) error{
		"look":   func(b *browser) error { b.obey(b.guarded(other).Header()); return nil },
		"read":   func(b *browser) error { _, _ = other.Get(b.request("GET")); return nil },
		"logout": func(b *browser) error { return b.logout(other) },
	} {
		b := loggedIn(t, one, "alice")
		b.set = nil
		check(t, do(b))
		if b.set != nil {
			t.Errorf("%s: %v", rule, b.set)
		}
		b.wants(t, one, valid)
	}
	// A login, or a session for a visitor, needs the cookie.
	b := loggedIn(t, one, "alice")
	if _, err := b.ensure(other); err != nil {
		t.Error(err)
	}
	b.has(t, other, valid)
	b = loggedIn(t, one, "alice")
	check(t, b.login(other, "bob"))
	b.wants(t, other, valid)
}
