package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func TestUseIsNotedOncePerTenthOfTheIdleTimeout(t *testing.T) {
	for _, c := range []struct {
		rule       string
		idle       time.Duration // of remembered logins
		remembered bool
		tenth      time.Duration
	}{
		{"a login", 0, false, 6 * time.Minute},
		{"a remembered login", 0, true, day},
		{"a remembered login with an idle timeout", 5 * day, true, day / 2},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &counted{Store: &store.Memory{}}
				m := newManager(t, session.Config{Store: s, Limits: auth.Limits{RememberedIdleTimeout: c.idle}})
				b, id := &browser{}, auth.Identity{Subject: "alice"}
				if c.remembered {
					id.Expires = time.Now().Add(30 * day)
				}
				check(t, b.loginWith(m, id))
				s.took()
				for range 10 {
					for range 99 {
						time.Sleep(c.tenth / 100)
						b.wants(t, m, valid)
						if reads, writes := s.took(); reads != 1 || writes != 0 {
							t.Fatalf("steady state: %d reads, %d writes", reads, writes)
						}
					}
					time.Sleep(c.tenth / 100)
					b.wants(t, m, valid)
					// The session, its list, its use.
					if reads, writes := s.took(); reads != 2 || writes != 1 {
						t.Fatalf("touch: %d reads, %d writes", reads, writes)
					}
				}
			})
		})
	}
}

func TestVisitIsNotedWithoutAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Store: &store.Memory{}}
		m := newManager(t, session.Config{Store: s})
		b := &browser{}
		for range 30 { // three hours
			if _, err := b.ensure(m); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Minute)
		}
		s.took()
		if _, err := b.ensure(m); err != nil || b.set != nil {
			t.Fatal("the visit has ended")
		}
		if reads, writes := s.took(); reads != 1 || writes != 1 {
			t.Errorf("%d reads, %d writes", reads, writes)
		}
	})
}

// Last use never moves backwards through a slow request.
func TestSlowTouchNeverMovesLastUseBackwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &store.Memory{}
		fast := newManager(t, session.Config{Store: inner})
		b := loggedIn(t, fast, "alice")
		used := func() time.Time {
			list, err := fast.Logins(t.Context(), "alice")
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			return list[0].LastUsed
		}
		time.Sleep(10 * time.Minute)
		slow := newManager(t, session.Config{Store: &hooked{inner, func(_ context.Context, write bool, _ string) error {
			if write { // between its look and its write
				time.Sleep(10 * time.Minute)
				b.wants(t, fast, valid)
			}
			return nil
		}}})
		b.wants(t, slow, valid)
		if !used().Equal(time.Now()) {
			t.Errorf("last use %v, want %v", used(), time.Now())
		}
	})
}

// ASVS 5.0, 7.4.1 and 15.4.2.
// A touch that has looked before the logout and writes after it.
func TestSlowTouchNeverUndoesLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []func(*session.Manager, browser) error{
			func(m *session.Manager, b browser) error { return b.logout(m) },
			func(m *session.Manager, _ browser) error { return m.LogoutAll(t.Context(), "alice") },
			func(m *session.Manager, b browser) error { return b.login(m, "alice") },
		} {
			inner := &store.Memory{}
			fast := newManager(t, session.Config{Store: inner})
			b := loggedIn(t, fast, "alice")
			slow := newManager(t, session.Config{Store: &hooked{inner, func(_ context.Context, write bool, _ string) error {
				if write {
					check(t, end(fast, *b))
				}
				return nil
			}}})
			time.Sleep(10 * time.Minute)
			b.authenticate(slow)
			b.wants(t, fast, noCredential)
			time.Sleep(2 * time.Minute) // the tombstone has gone
			b.wants(t, fast, noCredential)
		}
	})
}

func TestTouchThatFailsIsAnEventAndNotAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		reads := 0
		inner := &store.Memory{}
		m := newManager(t, session.Config{Events: j.record, Store: &hooked{inner, func(_ context.Context, write bool, _ string) error {
			if !write {
				reads++
			}
			if write || reads == 2 { // reads == 2 is the list
				return context.DeadlineExceeded
			}
			return nil
		}}})
		b := loggedIn(t, newManager(t, session.Config{Store: inner}), "alice")
		for _, first := range []int{0, 5} { // with and without a list
			reads = first
			time.Sleep(10 * time.Minute)
			b.wants(t, m, valid)
			for _, e := range j.events {
				if !errors.Is(e.Err, context.DeadlineExceeded) || !strings.HasPrefix(e.Err.Error(), "session: note use: ") {
					t.Error(e.Err)
				}
			}
			if kinds := j.take(); len(kinds) != 1 || kinds[0] != auth.EventFault {
				t.Errorf("events %q", kinds)
			}
		}
	})
}

// A client that hangs up undoes no touch. A store that hangs delays one request
// for a second, and then none for a while.
func TestTouchIsNoMatterOfTheClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &store.Memory{}
		plain := newManager(t, session.Config{Store: inner})
		b := loggedIn(t, plain, "alice")
		time.Sleep(50 * time.Minute)
		ctx, hangUp := context.WithCancel(t.Context())
		m := newManager(t, session.Config{Store: &hooked{inner, func(_ context.Context, write bool, _ string) error {
			if write {
				hangUp()
			}
			return nil
		}}})
		gone := browser{token: b.token, ctx: ctx}
		gone.wants(t, m, valid)
		time.Sleep(50 * time.Minute)
		b.wants(t, plain, valid)

		time.Sleep(10 * time.Minute)
		start := time.Now()
		hanging := newManager(t, session.Config{Store: &hooked{inner, func(ctx context.Context, write bool, _ string) error {
			if write {
				<-ctx.Done()
			}
			return ctx.Err()
		}}})
		for range 100 {
			b.wants(t, hanging, valid)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(5 * time.Second)
		start = time.Now()
		b.wants(t, hanging, valid)
		if took := time.Since(start); took != time.Second {
			t.Errorf("no use is ever noted again: %v", took)
		}
	})
}

// A list write that a failover has lost costs a tenth of the idle time.
func TestSessionMissingFromItsListEndsAtItsNextTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		s := &mapStore{}
		m := newManager(t, session.Config{Store: s, Events: j.record})
		b := loggedIn(t, m, "alice")
		before := s.dump()
		other := loggedIn(t, m, "alice")
		for key, value := range before { // the list of alice is one login short
			s.put(key, value, time.Now().Add(day))
		}
		b.wants(t, m, valid)
		other.wants(t, m, valid)
		time.Sleep(6 * time.Minute)
		j.take()
		b.wants(t, m, valid)
		other.wants(t, m, noCredential)
		if kinds := j.take(); len(kinds) != 1 || kinds[0] != auth.EventRevoked {
			t.Errorf("events %q", kinds)
		}
		other.wants(t, m, noCredential)
	})
}

// A touch that has read the session before its logout, and the list after it, finds it
// missing there. It was not revoked, and a late 401 must not delete a newer cookie.
func TestTouchThatMeetsALogoutSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		inner := &store.Memory{}
		plain := newManager(t, session.Config{Store: inner})
		b := loggedIn(t, plain, "alice")
		late, reads := *b, 0
		m := newManager(t, session.Config{Events: j.record, Store: &hooked{inner, func(_ context.Context, write bool, _ string) error {
			if reads++; reads == 2 { // the list
				check(t, b.login(plain, "alice"))
			}
			return nil
		}}})
		time.Sleep(6 * time.Minute)
		if w := late.guarded(m); w.Code != 401 || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%d, %v", w.Code, w.Header())
		}
		if kinds := j.take(); len(kinds) != 0 {
			t.Errorf("events %q", kinds)
		}
		b.wants(t, plain, valid)
	})
}
