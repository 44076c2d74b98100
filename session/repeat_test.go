package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// visitor returns a browser with one thing in its anonymous cart.
func visitor(t testing.TB, m *session.Manager) *browser {
	t.Helper()
	b := &browser{}
	_, err := b.ensure(m)
	check(t, err)
	check(t, b.add(m))
	return b
}

// hestiacp#5570, magento2#15434, FreshRSS#7762, nextcloud/server#40878, kirby#1932: the
// response of a login is lost, so the form is sent again with the old cookie, perhaps several
// times, and within a minute. The cart is there, one login is alive, and each earlier one has
// ended.
func TestARepeatedLoginKeepsTheValuesAndLeavesNoGhost(t *testing.T) {
	for rule, login := range map[string]func(b *browser, m *session.Manager) error{
		"login":   func(b *browser, m *session.Manager) error { return b.login(m, "alice") },
		"pending": func(b *browser, m *session.Manager) error { return b.pending(m, "alice") },
		"remember me": func(b *browser, m *session.Manager) error {
			return b.loginWith(m, auth.Identity{Subject: "alice", Expires: time.Now().Add(20 * day)})
		},
	} {
		for _, from := range []string{"a visitor", "a login", "another subject"} {
			t.Run(rule+" from "+from, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newManager(t, session.Config{})
					before := visitor(t, m)
					want := 1
					switch from {
					case "a login":
						check(t, before.login(m, "alice"))
					case "another subject":
						check(t, before.login(m, "bob"))
						want = 0
					}
					var all []browser
					for range 5 {
						time.Sleep(10 * time.Second)
						tab := *before
						check(t, login(&tab, m))
						all = append(all, tab)
					}
					last := all[len(all)-1]
					if n := last.count(t, m); n != want {
						t.Errorf("the cart has %d, want %d", n, want)
					}
					list, err := m.Logins(t.Context(), "alice")
					if err != nil || len(list) != 1 {
						t.Errorf("%d logins, %v", len(list), err)
					}
					for _, tab := range append(all[:len(all)-1], *before) {
						tab.has(t, m, noCredential)
						// A late request with it must not delete the newer cookie.
						if w := tab.guarded(m); w.Code != 401 || w.Header()["Set-Cookie"] != nil {
							t.Errorf("%d, Set-Cookie %q", w.Code, w.Header()["Set-Cookie"])
						}
					}
				})
			})
		}
	}
}

// What a request has changed in the session that the lost response named is kept, too.
func TestARepeatedLoginKeepsWhatWasSavedMeanwhile(t *testing.T) {
	m := newManager(t, session.Config{})
	before := visitor(t, m)
	first, second := *before, *before
	check(t, first.login(m, "alice"))
	check(t, first.add(m))
	check(t, second.login(m, "alice"))
	if n := second.count(t, m); n != 2 {
		t.Errorf("the cart has %d, want 2", n)
	}
}

// A double click on "log in": 50 pairs at once. No login loses the cart.
func TestADoubleClickOnLoginKeepsTheCart(t *testing.T) {
	m := newManager(t, session.Config{})
	for range 50 {
		before := visitor(t, m)
		tabs := [2]browser{*before, *before}
		var wg sync.WaitGroup
		for i := range tabs {
			wg.Go(func() {
				if err := tabs[i].login(m, "alice"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		alive := 0
		for _, tab := range tabs {
			if tab.session(m) != valid {
				continue
			}
			alive++
			if n := tab.count(t, m); n != 1 {
				t.Errorf("a login has %d in its cart", n)
			}
		}
		if alive == 0 {
			t.Error("both logins have ended")
		}
		check(t, m.LogoutAll(t.Context(), "alice"))
	}
}

// ASVS 5.0, 7.2.4: who has a copy of the old cookie gets to the new session neither by it
// nor by a login as another subject, and ends nothing of another subject.
func TestACopyOfTheOldCookieLeadsToNothing(t *testing.T) {
	for rule, login := range map[string]func(b *browser, m *session.Manager) error{
		"another subject":                  func(b *browser, m *session.Manager) error { return b.login(m, "mallory") },
		"another subject, pending":         func(b *browser, m *session.Manager) error { return b.pending(m, "mallory") },
		"a first factor of the same":       func(b *browser, m *session.Manager) error { return b.pending(m, "alice") },
		"an anonymous session":             func(b *browser, m *session.Manager) error { _, err := b.ensure(m); return err },
		"another subject, by another host": func(b *browser, m *session.Manager) error { return b.login(m, "carol") },
	} {
		t.Run(rule, func(t *testing.T) {
			m := newManager(t, session.Config{})
			owner := visitor(t, m)
			thief := *owner
			check(t, owner.login(m, "alice"))
			check(t, owner.add(m))
			thief.wants(t, m, noCredential)
			err := login(&thief, m)
			if s, err := m.Get(thief.request("GET")); err == nil {
				if n, err := count.Get(s); n != 0 || err != nil {
					t.Errorf("the thief sees %d of the owner's values", n)
				}
			}
			if rule == "an anonymous session" && outcome(err) != noCredential {
				t.Errorf("%v", err)
			}
			owner.wants(t, m, valid)
			if n := owner.count(t, m); n != 2 {
				t.Errorf("the owner's cart has %d", n)
			}
		})
	}
}

// After a logout, a revocation, or the minute of the tombstone, a repeated login starts
// anew: what has ended is not looked into.
func TestARepeatedLoginAfterTheEndStartsAnew(t *testing.T) {
	for rule, end := range map[string]func(m *session.Manager, b *browser) error{
		"logout":      func(m *session.Manager, b *browser) error { return b.logout(m) },
		"revoked":     func(m *session.Manager, _ *browser) error { return m.LogoutAll(context.Background(), "alice") },
		"two minutes": func(*session.Manager, *browser) error { time.Sleep(2 * time.Minute); return nil },
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(t, session.Config{})
				before := visitor(t, m)
				first, second := *before, *before
				check(t, first.login(m, "alice"))
				check(t, end(m, &first))
				check(t, second.login(m, "alice"))
				if n := second.count(t, m); n != 0 {
					t.Errorf("the cart has %d", n)
				}
			})
		})
	}
}

// A login costs the store calls that it did; a repeated one costs one read for each
// attempt before it.
func TestWhatARepeatedLoginCosts(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	before := visitor(t, m)
	first, second, third := *before, *before, *before
	took := func(do func() error) string {
		s.took()
		check(t, do())
		reads, writes := s.took()
		return fmt.Sprint(reads, " reads, ", writes, " writes")
	}
	for i, c := range []struct {
		b    *browser
		want string
	}{
		{&first, "2 reads, 3 writes"},
		{&second, "4 reads, 4 writes"},
		{&third, "5 reads, 4 writes"},
	} {
		if got := took(func() error { return c.b.login(m, "alice") }); got != c.want {
			t.Errorf("login %d: %s, want %s", i+1, got, c.want)
		}
	}
}

// A store that cannot say what became of the first attempt fails the login before
// anything is written.
func TestARepeatedLoginOverAnOutageWritesNothing(t *testing.T) {
	inner, reads, down := &store.Memory{}, 0, false
	m := newManager(t, session.Config{Store: &hooked{inner, func(_ context.Context, write bool, _ string) error {
		if write && down {
			t.Error("a write")
		}
		if reads++; down && reads == 2 {
			return errDown
		}
		return nil
	}}})
	before := visitor(t, m)
	first, second := *before, *before
	check(t, first.login(m, "alice"))
	down, reads = true, 0
	err := second.post(func(w http.ResponseWriter, r *http.Request) error { return m.Login(w, r, alice) })
	if !errors.Is(err, errDown) || second.set != nil {
		t.Errorf("%v, %v", err, second.set)
	}
}

// A step-up of a remembered login whose response was lost, and which is repeated, stays
// remembered.
func TestARepeatedStepUpStaysRemembered(t *testing.T) {
	m := newManager(t, session.Config{})
	before := &browser{}
	check(t, before.loginWith(m, auth.Identity{Subject: "alice", Expires: time.Now().Add(20 * day)}))
	first, second := *before, *before
	check(t, first.loginWith(m, auth.Identity{Subject: "alice", Methods: "pwd otp"}))
	check(t, second.loginWith(m, auth.Identity{Subject: "alice", Methods: "pwd otp"}))
	if second.set == nil || second.set.MaxAge < int(19*day/time.Second) || second.set.MaxAge != first.set.MaxAge && second.set.MaxAge != first.set.MaxAge-1 {
		t.Errorf("first %v, repeated %v", first.set, second.set)
	}
}
