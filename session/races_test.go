package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// The tests of this file are named after defects that libraries have had.

// ASVS 5.0, 7.4.1 and 15.4.2.
// CVE-2025-46336: request A loads, logout completes, A saves.
func TestParallelSaveDoesNotUndoLogout(t *testing.T) {
	for rule, end := range map[string]func(*session.Manager, browser) error{
		"logout":            func(m *session.Manager, b browser) error { return b.logout(m) },
		"logout everywhere": func(m *session.Manager, _ browser) error { return m.LogoutAll(context.Background(), "alice") },
		"logout of one": func(m *session.Manager, b browser) error {
			id, err := b.authenticate(m)
			return errors.Join(err, m.LogoutOne(context.Background(), "alice", id.LoginID))
		},
		"renewal": func(m *session.Manager, b browser) error { return b.login(m, "alice") },
		"step-up": func(m *session.Manager, b browser) error {
			return b.loginWith(m, auth.Identity{Subject: "alice", Methods: "pwd otp"})
		},
	} {
		t.Run(rule, func(t *testing.T) {
			m := newManager(t, session.Config{})
			b := loggedIn(t, m, "alice")
			s, err := m.Get(b.request("GET"))
			check(t, err)
			err = m.Update(t.Context(), s, func(s *session.Session) error {
				check(t, end(m, *b))
				return addOne(s)
			})
			if outcome(err) != noCredential {
				t.Errorf("saving in a session that has ended: %v", err)
			}
			b.wants(t, m, noCredential)
			if err := m.Update(t.Context(), s, addOne); outcome(err) != noCredential {
				t.Errorf("saving again: %v", err)
			}
			b.wants(t, m, noCredential)
		})
	}
}

// ASVS 5.0, 15.4.2.
// Parallel requests change one session, and no change is lost.
func TestParallelUpdatesAreNotLost(t *testing.T) {
	const each, requests = 8, 64
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	var wg sync.WaitGroup
	for i := range requests {
		wg.Go(func() {
			s, err := m.Get(b.request("GET"))
			if err != nil {
				t.Error(err)
				return
			}
			own := session.Key[int](strings.Repeat("x", i+1))
			for range each {
				err := m.Update(t.Context(), s, func(s *session.Session) error {
					n, err := own.Get(s)
					return errors.Join(err, own.Set(s, n+1), addOne(s))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := b.count(t, m); n != each*requests {
		t.Errorf("count %d, want %d", n, each*requests)
	}
	s, err := m.Get(b.request("GET"))
	check(t, err)
	for i := range requests {
		if n, err := session.Key[int](strings.Repeat("x", i+1)).Get(s); n != each || err != nil {
			t.Errorf("request %d: %d, %v", i, n, err)
		}
	}
}

// ASVS 5.0, 15.4.1.
// No other request changes the session that a handler holds.
func TestSessionInHandIsNeverChanged(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	s, err := m.Get(b.request("GET"))
	check(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				check(t, b.add(m))
				if n, err := count.Get(s); n != 0 || err != nil {
					t.Error(n, err)
				}
			}
		})
	}
	wg.Wait()
	if n := b.count(t, m); n != 16*20 {
		t.Errorf("count %d", n)
	}
}

// A18: a handler reads from its session what it has saved in it.
func TestAHandlerReadsWhatItHasSaved(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	id, err := b.authenticate(m)
	check(t, err)
	s := id.Credential.(*session.Session)
	reads := func(want int) {
		t.Helper()
		if n, err := count.Get(s); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	check(t, m.Update(t.Context(), s, addOne))
	reads(1)
	check(t, b.add(m))
	reads(1)
	check(t, m.Update(t.Context(), s, addOne))
	reads(3)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if err := m.Update(t.Context(), s, addOne); err != nil {
					t.Error(err)
				}
				if n, err := count.Get(s); n < 4 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	check(t, m.Update(t.Context(), s, addOne))
	last := 3 + 16*20 + 1
	reads(last)
	if n := b.count(t, m); n != last {
		t.Errorf("the store has %d, want %d", n, last)
	}
	failed := errors.New("failed")
	if err := m.Update(t.Context(), s, func(fresh *session.Session) error { return errors.Join(addOne(fresh), failed) }); !errors.Is(err, failed) {
		t.Error(err)
	}
	check(t, b.logout(m))
	if err := m.Update(t.Context(), s, addOne); outcome(err) != noCredential {
		t.Error(err)
	}
	reads(last)
}

// A18: five values in five layers of handlers. Each Update is one write, and a read more where
// another request was faster.
func TestFiveValuesInFiveLayersCostOneReadAndFiveWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Store: &store.Memory{}}
		m := newManager(t, session.Config{Store: s})
		b := loggedIn(t, m, "alice")
		five := func(wantReads, wantWrites int64) {
			t.Helper()
			s.took()
			id, err := b.authenticate(m)
			check(t, err)
			own := id.Credential.(*session.Session)
			for i := range 5 {
				key := session.Key[int](strings.Repeat("x", i+1))
				check(t, m.Update(t.Context(), own, func(s *session.Session) error {
					n, err := key.Get(s)
					return errors.Join(err, key.Set(s, n+1))
				}))
				if n, err := key.Get(own); n == 0 || err != nil {
					t.Errorf("layer %d reads %d, %v", i, n, err)
				}
			}
			if reads, writes := s.took(); reads != wantReads || writes != wantWrites {
				t.Errorf("%d reads, %d writes, want %d, %d", reads, writes, wantReads, wantWrites)
			}
		}
		five(1, 5)
		time.Sleep(6 * time.Minute)
		five(2, 6) // the use is recorded, which reads the list
		id, err := b.authenticate(m)
		check(t, err)
		check(t, b.add(m))
		s.took()
		check(t, m.Update(t.Context(), id.Credential.(*session.Session), addOne))
		if reads, writes := s.took(); reads != 1 || writes != 2 {
			t.Errorf("after another request: %d reads, %d writes", reads, writes)
		}
	})
}

// What change returns without a write counts only for what the store has: a decision may not
// rest on what the session was before.
func TestADecisionOfUpdateRestsOnWhatIsStored(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	own, err := m.Get(b.request("GET"))
	check(t, err)
	check(t, b.add(m))
	isNew := errors.New("nothing was saved before")
	for range 2 {
		check(t, m.Update(t.Context(), own, func(s *session.Session) error {
			if n, err := count.Get(s); n == 0 || err != nil {
				return isNew
			}
			return nil
		}))
	}
}

func TestParallelLoginsWithOneVisitorsCookieAreTwoThatKeepTheCart(t *testing.T) {
	inner := &store.Memory{}
	m := newManager(t, session.Config{Store: inner})
	for writes := 1; ; writes++ { // the second overtakes the first before this write
		visitor := &browser{}
		if _, err := visitor.ensure(m); err != nil {
			t.Fatal(err)
		}
		check(t, visitor.add(m))
		first, second := *visitor, *visitor
		n := 0
		slow := newManager(t, session.Config{Store: &hooked{inner, func(_ context.Context, write bool, _ string) error {
			if write {
				if n++; n == writes {
					check(t, second.login(m, "alice"))
				}
			}
			return nil
		}}})
		check(t, first.login(slow, "alice"))
		if n < writes {
			if writes < 4 {
				t.Errorf("a login makes %d writes only", n)
			}
			return
		}
		for _, tab := range []browser{first, second} {
			tab.wants(t, m, valid)
			if n := tab.count(t, m); n != 1 {
				t.Errorf("overtaken before write %d, a tab has lost the cart", writes)
			}
		}
		visitor.wants(t, m, noCredential)
		if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != 2*writes {
			t.Errorf("%d logins, %v", len(list), err)
		}
	}
}

// Values that are saved during a login are either refused or carried over.
func TestSaveDuringLoginIsNotLost(t *testing.T) {
	for range 100 {
		m := newManager(t, session.Config{})
		b := &browser{}
		if _, err := b.ensure(m); err != nil {
			t.Fatal(err)
		}
		saved, old := 0, *b
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 5 {
				switch err := old.add(m); {
				case err == nil:
					saved++
				case outcome(err) != noCredential:
					t.Error(err)
				}
			}
		})
		check(t, b.login(m, "alice"))
		wg.Wait()
		if n := b.count(t, m); n != saved {
			t.Fatalf("%d were saved, %d are there", saved, n)
		}
	}
}

// ASVS 5.0, 7.4.2.
// better-auth#11073: a login that logout everywhere has missed.
func TestLogoutEverywhereMissesNoLogin(t *testing.T) {
	for range 50 {
		m := newManager(t, session.Config{})
		var before, during []*browser
		for range 4 {
			before = append(before, loggedIn(t, m, "alice"))
			during = append(during, &browser{})
		}
		var wg sync.WaitGroup
		for _, b := range during {
			wg.Go(func() {
				if err := b.login(m, "alice"); err != nil && outcome(err) != unavailable {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if err := m.LogoutAll(t.Context(), "alice"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, b := range before {
			b.wants(t, m, noCredential)
		}
		alive := 0
		for _, b := range during {
			if b.outcome(m) == valid {
				alive++
			}
		}
		if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != alive {
			t.Fatalf("%d live, %d are listed, %v", alive, len(list), err)
		}
		check(t, m.LogoutAll(t.Context(), "alice"))
		for _, b := range during {
			b.wants(t, m, noCredential)
		}
	}
}

// ASVS 5.0, 2.3.4: the bound on logins cannot be over-booked by a race.
func TestParallelLoginsKeepTheBound(t *testing.T) {
	const bound, more = 5, 7
	m := newManager(t, session.Config{Limits: auth.Limits{MaxLogins: bound}, Store: &store.Memory{}})
	browsers := make([]*browser, bound+more)
	var wg sync.WaitGroup
	for i := range browsers {
		browsers[i] = &browser{}
		wg.Go(func() {
			if err := browsers[i].login(m, "alice"); err != nil && outcome(err) != unavailable {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	alive := 0
	for _, b := range browsers {
		if b.outcome(m) == valid {
			alive++
		}
	}
	if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != bound || alive != bound {
		t.Errorf("%d live, %d are listed, want %d: %v", alive, len(list), bound, err)
	}
}

func TestLoginAgainIsNotCountedTwice(t *testing.T) {
	m := newManager(t, session.Config{Limits: auth.Limits{MaxLogins: 2}})
	phone, laptop := loggedIn(t, m, "alice"), loggedIn(t, m, "alice")
	for range 5 {
		check(t, laptop.login(m, "alice"))
		phone.wants(t, m, valid)
		laptop.wants(t, m, valid)
	}
}

// ASVS 5.0, 15.4.1.
func TestManyUsersNeverSeeEachOther(t *testing.T) {
	m := newManager(t, session.Config{})
	var wg sync.WaitGroup
	for i := range 32 {
		name := strings.Repeat("u", i+1)
		wg.Go(func() {
			for range 50 {
				b := &browser{}
				if err := b.login(m, name); err != nil {
					t.Error(err)
				}
				if id, err := b.authenticate(m); err != nil || id.Subject != name {
					t.Error(id, err)
				}
			}
		})
	}
	wg.Wait()
}

// Two logins within one handler, as of a user who switches accounts.
func TestSecondLoginOfOneResponseReplacesTheFirst(t *testing.T) {
	m := newManager(t, session.Config{})
	var first browser
	b := &browser{}
	check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
		if err := m.Login(w, r, alice); err != nil {
			return err
		}
		first.obey(w.Header())
		return m.Login(w, r, auth.Identity{Subject: "bob"})
	}))
	first.wants(t, m, noCredential)
	if id, err := b.authenticate(m); err != nil || id.Subject != "bob" {
		t.Error(id, err)
	}
}
