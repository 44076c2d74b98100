package session_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authlatch/auth/session"
)

// A login that fails half way, or has to start over, leaves nothing behind
// that grants access.
func TestLoginLeavesNoRecordBehind(t *testing.T) {
	for _, c := range []struct {
		rule  string
		fault fault
		at    int
		want  string
		live  int
	}{
		{"the create happens in spite of its error", failAfter, 1, valid, 1},
		{"the create fails", failBefore, 1, valid, 1},
		{"the key is taken", refuse, 1, valid, 1},
		{"the list cannot be read", failBefore, 2, unavailable, 0},
		{"the list cannot be written", refuse, 3, valid, 1},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := &mapStore{}
			broken := &faulty{mapStore: s, fault: c.fault, at: c.at}
			if got := outcome((&browser{}).login(newManager(t, session.Config{Store: broken}), "alice")); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			live := 0
			for _, value := range s.dump() {
				if value[0] == 0x10 {
					live++
				}
			}
			if live != c.live {
				t.Errorf("%d records live, want %d", live, c.live)
			}
		})
	}
}

func TestUpdateOutlastsOneError(t *testing.T) {
	for _, kind := range []fault{failBefore, failAfter, failLate, refuse} {
		s := &mapStore{}
		m := newManager(t, session.Config{Store: s})
		b := loggedIn(t, m, "alice")
		own, err := m.Get(b.request("GET"))
		check(t, err)
		once := newManager(t, session.Config{Store: &faulty{mapStore: s, fault: kind, at: 2}})
		check(t, once.Update(t.Context(), own, addOne))
		if n := b.count(t, m); n != 1 {
			t.Errorf("fault %d: count %d", kind, n)
		}
	}
}

// A store that answers reads and takes no write lets in who is logged in, and
// says of nothing that it was done.
func TestStoreThatTakesNoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		m := newManager(t, session.Config{Store: &hooked{s.store, func(_ context.Context, write bool, _ string) error {
			if write {
				return errDown
			}
			return nil
		}}})
		s.laptop.wants(t, m, valid)
		for _, op := range operations {
			b := *s.laptop
			want := unavailable
			if op.rule == "Ensure" { // which has only a touch to write
				want = valid
			}
			if err := op.do(s, m, &b); outcome(err) != want || b.set != nil {
				t.Errorf("%s: %v", op.rule, err)
			}
		}
		s.laptop.wants(t, s.m, valid)
		s.phone.wants(t, s.m, valid)
	})
}

// A store that is down changes nothing for requests that do not need it.
func TestOutageDoesNotConcernRequestsWithoutACookie(t *testing.T) {
	down := &faulty{mapStore: &mapStore{}, at: 1, forGood: true}
	m := newManager(t, session.Config{Store: down})
	(&browser{}).wants(t, m, noCredential)
	check(t, (&browser{}).logout(m))
	(&browser{token: strings.Repeat("A", 43)}).wants(t, m, unavailable)
}

// A client that hangs up before its session is read receives nothing.
func TestCanceledReadIsNoLogout(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone := browser{token: b.token, ctx: ctx}
	gone.wants(t, m, unavailable)
	b.wants(t, m, valid)
}
