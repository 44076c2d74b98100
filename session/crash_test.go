package session_test

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/session"
)

// scene is what the tests of faults start from: alice is logged in on two
// devices, each with a count of one, a visitor has one as well, and all three
// have not been there for long enough that their use is to be noted.
type scene struct {
	store         *mapStore
	m             *session.Manager // whose store always works
	laptop, phone *browser
	visitor       *browser
}

func newScene(t *testing.T) *scene {
	s := &scene{store: &mapStore{}, visitor: &browser{}}
	s.m = newManager(t, session.Config{Store: s.store})
	s.phone, s.laptop = loggedIn(t, s.m, "alice"), loggedIn(t, s.m, "alice")
	if _, err := s.visitor.ensure(s.m); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*browser{s.phone, s.laptop, s.visitor} {
		check(t, b.add(s.m))
		b.set = nil
	}
	time.Sleep(6 * time.Minute)
	return s
}

// operation is a call that writes, by the browser that it is given.
type operation struct {
	rule  string
	guest bool // the browser is the visitor's, not the laptop
	do    func(s *scene, m *session.Manager, b *browser) error
	sets  bool // it sets a cookie, if it succeeds
	ends  bool // it ends the session that b has, if it succeeds
	phone bool // it ends the phone's, if it succeeds
	adds  int  // to the count of b
}

var operations = []operation{
	{rule: "Login", sets: true, ends: true, do: func(_ *scene, m *session.Manager, b *browser) error {
		return b.login(m, "alice")
	}},
	{rule: "Login of a visitor", guest: true, sets: true, ends: true, do: func(_ *scene, m *session.Manager, b *browser) error {
		return b.login(m, "alice")
	}},
	{rule: "LoginPending", sets: true, ends: true, do: func(_ *scene, m *session.Manager, b *browser) error {
		return b.pending(m, "alice")
	}},
	{rule: "Ensure", do: func(_ *scene, m *session.Manager, b *browser) error {
		_, err := b.ensure(m)
		return err
	}},
	{rule: "Ensure of a new visitor", sets: true, do: func(_ *scene, m *session.Manager, b *browser) error {
		b.token = ""
		_, err := b.ensure(m)
		return err
	}},
	{rule: "Update", adds: 1, do: func(s *scene, m *session.Manager, b *browser) error {
		own, err := s.m.Get(b.request("GET"))
		if err != nil {
			return err
		}
		return m.Update(b.request("GET").Context(), own, addOne)
	}},
	{rule: "Logout", ends: true, do: func(_ *scene, m *session.Manager, b *browser) error {
		return b.logout(m)
	}},
	{rule: "Logout of a visitor", guest: true, ends: true, do: func(_ *scene, m *session.Manager, b *browser) error {
		return b.logout(m)
	}},
	{rule: "LogoutOne", phone: true, do: func(s *scene, m *session.Manager, b *browser) error {
		list, err := s.m.Logins(context.Background(), "alice")
		if err != nil {
			return err
		}
		return m.LogoutOne(b.request("GET").Context(), "alice", list[0].ID)
	}},
	{rule: "LogoutAll", ends: true, phone: true, do: func(_ *scene, m *session.Manager, b *browser) error {
		return m.LogoutAll(b.request("GET").Context(), "alice")
	}},
}

func (op operation) scene(t *testing.T) *scene {
	s := newScene(t)
	if op.guest {
		s.laptop = s.visitor
	}
	return s
}

// The client hangs up at any moment, and nothing is left half done.
func TestDisconnectUndoesNothing(t *testing.T) {
	for _, op := range operations {
		t.Run(op.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for at := 1; ; at++ {
					s := op.scene(t)
					ctx, cancel := context.WithCancel(t.Context())
					var mu sync.Mutex
					calls := 0
					m := newManager(t, session.Config{Store: &hooked{s.store, func(ctx context.Context, _ bool, _ string) error {
						mu.Lock()
						defer mu.Unlock()
						if calls++; calls == at {
							cancel()
						}
						return ctx.Err()
					}}})
					old := *s.laptop
					s.laptop.ctx = ctx
					err := op.do(s, m, s.laptop)
					cancel()
					s.laptop.ctx = nil
					if calls < at {
						return
					}
					if err != nil {
						t.Fatalf("call %d: %v", at, err)
					}
					op.succeeded(t, s, old)
				}
			})
		})
	}
}

// succeeded checks what an operation by the laptop has done. old is the laptop
// as it was.
func (op operation) succeeded(t *testing.T, s *scene, old browser) {
	t.Helper()
	if op.sets != (s.laptop.set != nil && s.laptop.set.MaxAge >= 0) {
		t.Errorf("cookie set: %t", !op.sets)
	}
	if op.sets && s.laptop.token == old.token {
		t.Error("the token is the old one")
	}
	if op.ends {
		old.has(t, s.m, noCredential)
	} else {
		old.has(t, s.m, valid)
		if n := old.count(t, s.m); n != 1+op.adds {
			t.Errorf("count %d, want %d", n, 1+op.adds)
		}
	}
	if op.sets && op.ends { // a login
		if n := s.laptop.count(t, s.m); n != 1 {
			t.Errorf("count %d after login, want 1", n)
		}
	}
	if op.phone {
		s.phone.wants(t, s.m, noCredential)
	} else {
		s.phone.wants(t, s.m, valid)
		if n := s.phone.count(t, s.m); n != 1 {
			t.Errorf("the phone's count is %d", n)
		}
	}
}

// ASVS 5.0, 2.3.3.
// A process that dies at any moment costs one login at most, and never
// leaves two that work.
func TestCrashCostsOneLoginAtMost(t *testing.T) {
	type crash struct{}
	for _, op := range operations {
		t.Run(op.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for at, died := 1, true; died; at++ {
					s := op.scene(t)
					var mu sync.Mutex
					calls := 0
					m := newManager(t, session.Config{Store: &hooked{s.store, func(context.Context, bool, string) error {
						mu.Lock()
						defer mu.Unlock()
						if calls++; calls == at {
							panic(crash{})
						}
						return nil
					}}})
					old, answer := *s.laptop, httptest.NewRecorder()
					func() {
						defer func() {
							if p := recover(); p != nil && p != any(crash{}) {
								panic(p)
							}
						}()
						dying := *s.laptop
						dying.writer = answer
						op.do(s, m, &dying)
					}()
					// If it has not died yet, it dies now: no client gets the response.
					if died = calls >= at; died && len(answer.Header()["Set-Cookie"]) > 0 {
						t.Errorf("call %d: the token is disclosed before it is safe", at)
					}
					if !op.phone {
						s.phone.wants(t, s.m, valid)
					}
					if got := old.session(s.m); got != valid && !(got == noCredential && op.ends) {
						t.Errorf("call %d: the laptop: %s", at, got)
					}
					op.again(t, s, old)
				}
			})
		})
	}
}

// again checks that after a crash everything works as ever.
func (op operation) again(t *testing.T, s *scene, laptop browser) {
	t.Helper()
	check(t, op.do(s, s.m, &browser{token: laptop.token}))
	before := laptop
	check(t, laptop.login(s.m, "alice"))
	laptop.wants(t, s.m, valid)
	before.has(t, s.m, noCredential)
	check(t, s.m.LogoutAll(t.Context(), "alice"))
	laptop.wants(t, s.m, noCredential)
	s.phone.wants(t, s.m, noCredential)
	if list, err := s.m.Logins(t.Context(), "alice"); len(list) != 0 || err != nil {
		t.Errorf("%d logins are left, %v", len(list), err)
	}
}
