package session_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// What happens to the old session after Login has read it, and before it is
// replaced, decides what becomes of its values.
func TestLoginWhileTheOldSessionChanges(t *testing.T) {
	for _, c := range []struct {
		rule    string
		subject string
		change  func(m *session.Manager, b browser) error
		want    int
	}{
		{"nothing happens", "alice", func(*session.Manager, browser) error { return nil }, 1},
		{"a request saves", "alice", func(m *session.Manager, b browser) error { return b.add(m) }, 2},
		{"another login replaces it", "alice", func(m *session.Manager, b browser) error { return b.login(m, "alice") }, 1},
		{"it is logged out", "alice", func(m *session.Manager, b browser) error { return b.logout(m) }, 0},
		{"it is revoked", "alice", func(m *session.Manager, b browser) error { return m.LogoutAll(context.Background(), "alice") }, 0},
		{"it expires", "alice", func(*session.Manager, browser) error { time.Sleep(2 * time.Second); return nil }, 1},
		{"it is another subject's, and a request saves", "bob", func(m *session.Manager, b browser) error { return b.add(m) }, 0},
		{"it is another subject's and is replaced", "bob", func(m *session.Manager, b browser) error { return b.login(m, "bob") }, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &store.Memory{}
				m := newManager(t, session.Config{Store: inner})
				b := loggedIn(t, m, c.subject)
				check(t, b.add(m))
				old := *b
				time.Sleep(time.Hour - time.Second)
				key := ""
				slow := newManager(t, session.Config{Store: &hooked{inner, func(_ context.Context, write bool, k string) error {
					if key == "" {
						key = k // Login reads the old session first
					} else if write && k == key {
						key = "done"
						check(t, c.change(m, old))
					}
					return nil
				}}})
				err := b.login(slow, "alice")
				if c.rule == "it is revoked" {
					// The new login was listed before the logout everywhere.
					if got := b.session(m); got == valid {
						t.Error("the new login has survived the logout everywhere")
					}
					return
				}
				check(t, err)
				if key != "done" {
					t.Fatal("the old session is not replaced")
				}
				b.wants(t, m, valid)
				old.has(t, m, noCredential)
				if n := b.count(t, m); n != c.want {
					t.Errorf("count %d, want %d", n, c.want)
				}
			})
		})
	}
}

// If the store does not say whether the values have gone over, neither does the
// error, which has one line as others have.
func TestLoginThatCannotCarryValuesOverSaysWhy(t *testing.T) {
	inner := &store.Memory{}
	m := newManager(t, session.Config{Store: inner})
	b := loggedIn(t, m, "alice")
	old, key, down := *b, "", false
	slow := newManager(t, session.Config{Store: &hooked{inner, func(_ context.Context, write bool, k string) error {
		switch {
		case key == "":
			key = k // Login reads the old session first
		case write && k == key && !down:
			down = true
			check(t, old.add(m))
		case write && down:
			return errDown
		}
		return nil
	}}})
	err := b.login(slow, "alice")
	if !errors.Is(err, errDown) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "ended") {
		t.Errorf("%q", err)
	}
	b.wants(t, m, valid)
}

// A slow visit must not set its cookie over that of a login in another tab.
func TestVisitDoesNotReplaceALoginInAnotherTab(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	if _, err := b.ensure(m); err != nil {
		t.Fatal(err)
	}
	slow := *b
	check(t, b.login(m, "alice"))
	w := httptest.NewRecorder()
	if _, err := m.Ensure(w, slow.request("POST")); outcome(err) != noCredential || w.Header()["Set-Cookie"] != nil {
		t.Errorf("%v, %q", err, w.Header()["Set-Cookie"])
	}
}
