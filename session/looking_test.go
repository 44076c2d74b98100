package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// spring-session#215, aspnetcore#4192: a page that polls each minute. Behind a guard without
// touch the session ends by its idle timeout; behind the other it goes on.
func TestLookingKeepsNoSessionAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Store: &store.Memory{}}
		m := newManager(t, session.Config{Store: s})
		looking := m.WithoutTouch()
		polled, used := loggedIn(t, m, "alice"), loggedIn(t, m, "bob")
		for i := range 59 {
			time.Sleep(time.Minute)
			s.took()
			if w := polled.guarded(looking); w.Code != 200 {
				t.Fatalf("minute %d: %d", i, w.Code)
			}
			if reads, writes := s.took(); reads != 1 || writes != 0 {
				t.Fatalf("minute %d: %d reads, %d writes", i, reads, writes)
			}
			if _, err := looking.Get(polled.request("GET")); err != nil {
				t.Fatal(err)
			}
			if _, err := polled.ensure(looking); err != nil || polled.set != nil {
				t.Fatal(err, polled.set)
			}
			if w := used.guarded(m); w.Code != 200 {
				t.Fatalf("minute %d: %d", i, w.Code)
			}
		}
		time.Sleep(time.Minute)
		if w := polled.guarded(looking); w.Code != 401 || w.Header()["Set-Cookie"] == nil {
			t.Errorf("after the idle timeout: %d, %v", w.Code, w.Header())
		}
		used.wants(t, m, valid)
		// The last use is what others see of presence.
		list, err := m.Logins(t.Context(), "bob")
		if err != nil || len(list) != 1 || time.Since(list[0].LastUsed) > 6*time.Minute {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// Loris#9100, openopps#1762, devise#3838: the form of alice's page is sent after bob has logged
// in, in the same browser. It is refused, with an error that tells it from a token that is
// missing or malformed.
func TestAFormOfAnotherSessionIsRefusedByName(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	form := b.csrf(t, m)
	send := func(token string) error {
		r := b.request("POST")
		if token != "" {
			r.Header.Set("X-CSRF-Token", token)
		}
		return m.CheckCSRF(r)
	}
	check(t, send(form))
	for rule, change := range map[string]func() error{
		"bob":         func() error { return b.login(m, "bob") },
		"alice again": func() error { return b.login(m, "alice") },
		"a visitor": func() error {
			err := b.logout(m)
			_, ensured := b.ensure(m)
			return errors.Join(err, ensured)
		},
	} {
		check(t, change())
		if err := send(form); !errors.Is(err, session.ErrOtherSession) || !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for rule, token := range map[string]string{"none": "", "short": form[1:], "no base64url": form[:85] + "+", "a line break": form[:85] + "\n"} {
		if err := send(token); errors.Is(err, session.ErrOtherSession) || !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}
