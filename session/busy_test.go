package session_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// Store calls grow with the number of parallel updates, not with its square. All
// calls take the same time, so that without a queue one update of all succeeds at a
// time.
func TestUpdatesAtOnceCostTheStoreFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		s := &counted{Store: &hooked{&store.Memory{}, func(context.Context, bool, string) error {
			time.Sleep(time.Millisecond)
			return nil
		}}}
		var j journal
		m := newManager(t, session.Config{Store: s, Events: j.record})
		b := &browser{}
		_, err := b.ensure(m)
		check(t, err)
		own, err := m.Get(b.request("GET"))
		check(t, err)
		s.took()
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if err := m.Update(t.Context(), own, addOne); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		calls := s.calls()
		t.Logf("%d calls", calls)
		if calls > 5*n {
			t.Errorf("%d calls for %d updates", calls, n)
		}
		if got := b.count(t, m); got != n {
			t.Errorf("count %d, want %d", got, n)
		}
		if kinds := j.take(); kinds != nil {
			t.Errorf("events %q", kinds)
		}
	})
}

// Logins at once of one subject, within the bound and over it. A login waits for its turn for
// some seconds at most, so time is that of a bubble, which a busy machine does not use up.
// Where a turn takes more than a second to come, evicted logins are still in the list, and
// each login ends a few of them once more.
func TestLoginsAtOnceOfOneSubjectAllSucceed(t *testing.T) {
	const n = 500
	for _, c := range []struct {
		bound, calls int // calls of the store for a login
		each         time.Duration
	}{
		{1000, 6, 100 * time.Microsecond},
		{100, 14, 100 * time.Microsecond},
		{100, 45, 2 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &counted{Store: &hooked{&store.Memory{}, func(context.Context, bool, string) error {
				time.Sleep(c.each)
				return nil
			}}}
			m := newManager(t, session.Config{Store: s, Limits: auth.Limits{MaxLogins: c.bound}})
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if err := m.Login(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), alice); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			calls := s.calls()
			t.Logf("bound %d, %v for a call: %d calls", c.bound, c.each, calls)
			if calls > int64(c.calls*n) {
				t.Errorf("bound %d, %v for a call: %d calls for %d logins", c.bound, c.each, calls, n)
			}
		})
	}
}

// A client that gives up while it waits for its turn has not waited in vain: the
// update goes on, for 5 seconds at most.
func TestAnUpdateWaitsForItsTurnForFiveSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &mapStore{}
		m := newManager(t, session.Config{Store: inner})
		b := loggedIn(t, m, "alice")
		own, err := m.Get(b.request("GET"))
		check(t, err)
		met := make(chan struct{})
		slow := newManager(t, session.Config{Store: &hooked{inner, func(ctx context.Context, write bool, _ string) error {
			if write {
				<-met
			}
			return nil
		}}})
		took := make([]time.Duration, 2)
		var wg sync.WaitGroup
		for i := range took {
			wg.Go(func() {
				began, calls := time.Now(), 0
				err := slow.Update(t.Context(), own, func(s *session.Session) error {
					switch calls++; calls {
					case 1:
						return errors.New("it needs what the store has")
					case 3:
						time.Sleep(time.Minute) // with the turn
					}
					return addOne(s)
				})
				if outcome(err) != unavailable {
					t.Error(err)
				}
				took[i] = time.Since(began)
			})
		}
		synctest.Wait()
		check(t, b.add(m)) // so both have met another
		close(met)
		wg.Wait()
		slices.Sort(took)
		if took[0] > 5*time.Second {
			t.Errorf("waited %v", took[0])
		}
		if n := b.count(t, m); n != 1 {
			t.Errorf("count %d", n)
		}
	})
}

// A session that keeps changing can be ended, and replaced by a login.
func TestABusySessionIsEnded(t *testing.T) {
	for rule, end := range map[string]func(*session.Manager, *browser) error{
		"logout":            func(m *session.Manager, b *browser) error { return b.logout(m) },
		"logout everywhere": func(m *session.Manager, _ *browser) error { return m.LogoutAll(context.Background(), "alice") },
		"logout of one": func(m *session.Manager, b *browser) error {
			id, err := b.authenticate(m)
			return errors.Join(err, m.LogoutOne(context.Background(), "alice", id.LoginID))
		},
		"login": func(m *session.Manager, b *browser) error { return b.login(m, "alice") },
	} {
		t.Run(rule, func(t *testing.T) {
			inner := &store.Memory{}
			m := newManager(t, session.Config{Store: inner})
			thief := loggedIn(t, m, "alice")
			owner := *thief
			own, err := m.Get(thief.request("GET"))
			check(t, err)
			key, changing := "", false
			beset := newManager(t, session.Config{Store: &hooked{inner, func(ctx context.Context, write bool, k string) error {
				if key == "" {
					key = k // the session is read first
				}
				if write && k == key && !changing {
					changing = true
					defer func() { changing = false }()
					if err := m.Update(ctx, own, addOne); err != nil && outcome(err) != noCredential {
						t.Error(err)
					}
				}
				return nil
			}}})
			if rule == "logout everywhere" { // which reads the list first
				_, err := owner.authenticate(beset)
				check(t, err)
			}
			check(t, end(beset, &owner))
			thief.wants(t, m, noCredential)
			if rule == "login" {
				owner.wants(t, m, valid)
			}
			if err := m.Update(t.Context(), own, addOne); outcome(err) != noCredential {
				t.Errorf("an update of what has ended: %v", err)
			}
		})
	}
}

// At MaxBytes every login fails, and every logout succeeds.
func TestLogoutWorksOnAFullStore(t *testing.T) {
	s := &store.Memory{MaxBytes: 64 << 10}
	m := newManager(t, session.Config{Store: s})
	phone, laptop, tablet := loggedIn(t, m, "alice"), loggedIn(t, m, "alice"), loggedIn(t, m, "alice")
	for {
		if _, err := (&browser{}).ensure(m); err != nil {
			if !errors.Is(err, store.ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	id, err := laptop.authenticate(m)
	check(t, err)
	old := *phone
	check(t, phone.logout(m))
	old.wants(t, m, noCredential)
	check(t, m.LogoutOne(t.Context(), "alice", id.LoginID))
	laptop.wants(t, m, noCredential)
	tablet.wants(t, m, valid)
	check(t, m.LogoutAll(t.Context(), "alice"))
	tablet.wants(t, m, noCredential)
}

// The same over a store that takes no swap at all, and what of it is reported.
func TestLogoutWorksWhereNothingCanBeSwapped(t *testing.T) {
	inner := &mapStore{}
	m := newManager(t, session.Config{Store: inner})
	phone, laptop, tablet := loggedIn(t, m, "alice"), loggedIn(t, m, "alice"), loggedIn(t, m, "alice")
	id, err := laptop.authenticate(m)
	check(t, err)
	var j journal
	full := newManager(t, session.Config{Store: swapless{inner}, Events: j.record})
	old := *phone
	check(t, phone.logout(full))
	if phone.set == nil || phone.set.MaxAge >= 0 {
		t.Error("the cookie stays")
	}
	old.wants(t, m, noCredential)
	check(t, full.LogoutOne(t.Context(), "alice", id.LoginID))
	laptop.wants(t, m, noCredential)
	check(t, full.LogoutAll(t.Context(), "alice"))
	tablet.wants(t, m, noCredential)
	if kinds := j.take(); !slices.Contains(kinds, auth.EventFault) || !slices.Contains(kinds, auth.EventLogout) || !slices.Contains(kinds, auth.EventRevoked) {
		t.Errorf("events %q", kinds)
	}
}

type swapless struct{ *mapStore }

func (swapless) CompareAndSwap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, store.ErrFull
}

// A script that logs in ends its own logins, and not the phone in daily use.
func TestTheDeviceInUseOutlivesAScriptThatLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{Limits: auth.Limits{MaxLogins: 10, IdleTimeout: day, Lifetime: 10 * day}})
		phone := loggedIn(t, m, "alice")
		var last *browser
		for range 100 {
			time.Sleep(time.Hour)
			last = loggedIn(t, m, "alice")
			time.Sleep(time.Hour)
			phone.wants(t, m, valid)
		}
		last.wants(t, m, valid)
	})
}

// The list of devices shows none that has ended by itself.
func TestListLeavesOutWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{Store: &mapStore{}})
		loggedIn(t, m, "alice")
		time.Sleep(time.Hour - time.Millisecond)
		for _, left := range []int{1, 0} { // the record stays for a margin more
			if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != left {
				t.Errorf("%d are listed, want %d: %v", len(list), left, err)
			}
			time.Sleep(time.Millisecond)
		}
	})
}
