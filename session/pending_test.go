package session_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
)

func (b *browser) pending(m *session.Manager, subject string) error {
	return b.post(func(w http.ResponseWriter, r *http.Request) error {
		return m.LoginPending(w, r, auth.Identity{Subject: subject, Methods: "pwd"})
	})
}

// ASVS 5.0, 2.3.1: a login that waits for its second factor is none yet.
func TestPendingLoginPassesNoGuard(t *testing.T) {
	m := newManager(t, session.Config{})
	guard := &middleware.Guard{Authenticator: m}
	b := &browser{}
	check(t, b.pending(m, "alice"))
	served := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := auth.FromContext(r.Context()); ok {
			t.Error("a pending login is in the context")
		}
	})
	anyone := func(auth.Identity) error { return nil }
	for rule, c := range map[string]struct {
		handler http.Handler
		want    int
	}{
		"Require":       {guard.Require(served), 401},
		"RequireThat":   {guard.RequireThat(anyone)(served), 401},
		"RequireScope":  {guard.RequireScope("read")(served), 401},
		"RequireRecent": {guard.RequireRecent(time.Hour)(served), 401},
		"Optional":      {guard.Optional(served), 200},
	} {
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, b.request("GET"))
		if w.Code != c.want || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: %d, %q; want %d and no cookie", rule, w.Code, w.Header()["Set-Cookie"], c.want)
		}
	}
}

// ASVS 5.0, 16.3.1: an operator can distinguish a password alone from both factors.
func TestAPendingLoginIsReportedAsSuch(t *testing.T) {
	var j journal
	m := newManager(t, session.Config{Events: j.record})
	b := &browser{}
	check(t, b.pending(m, "alice"))
	check(t, b.login(m, "alice"))
	var reasons []string
	for _, e := range j.events {
		reasons = append(reasons, string(e.Kind)+" "+e.Reason)
	}
	if want := []string{"login pending", "login "}; !slices.Equal(reasons, want) {
		t.Errorf("%q, want %q", reasons, want)
	}
}

func TestSecondFactorReplacesThePendingLogin(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	if _, err := b.ensure(m); err != nil {
		t.Fatal(err)
	}
	check(t, b.add(m))
	check(t, b.pending(m, "alice"))
	s, err := m.Get(b.request("GET"))
	check(t, err)
	id, ok := s.PendingIdentity()
	if !ok || id.Subject != "alice" || id.Methods != "pwd" || s.Anonymous() {
		t.Fatalf("%+v, %t", id, ok)
	}
	list, err := m.Logins(t.Context(), "alice")
	if err != nil || len(list) != 1 || !list[0].Pending {
		t.Fatal(list, err)
	}
	waiting := *b
	check(t, b.loginWith(m, auth.Identity{Subject: id.Subject, Methods: "pwd otp"}))
	waiting.wants(t, m, noCredential)
	b.wants(t, m, valid)
	if n := b.count(t, m); n != 1 {
		t.Error("the cart is lost")
	}
	s, err = m.Get(b.request("GET"))
	check(t, err)
	if _, ok := s.PendingIdentity(); ok {
		t.Error("a complete login is pending")
	}
	if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != 1 || list[0].Pending {
		t.Error(list, err)
	}
}

func TestPendingLoginEndsLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		for rule, end := range map[string]func(*browser) error{
			"logout":            func(b *browser) error { return b.logout(m) },
			"logout everywhere": func(b *browser) error { return m.LogoutAll(t.Context(), "alice") },
			"its idle timeout":  func(b *browser) error { time.Sleep(time.Hour); return nil },
		} {
			b := &browser{}
			check(t, b.pending(m, "alice"))
			old := *b
			check(t, end(b))
			if _, err := m.Get(old.request("GET")); outcome(err) != noCredential {
				t.Errorf("after %s: %v", rule, err)
			}
		}
	})
}

// A subject cannot take over the second factor of another.
func TestPendingLoginOfAnotherSubjectCarriesNothing(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	check(t, b.pending(m, "mallory"))
	check(t, b.add(m))
	check(t, b.login(m, "alice"))
	if n := b.count(t, m); n != 0 {
		t.Error("values of another subject are carried over")
	}
	if list, err := m.Logins(t.Context(), "mallory"); len(list) != 0 || err != nil {
		t.Error("the pending login goes on")
	}
}

// An attacker who knows only the password must not end complete logins.
func TestPendingLoginsEvictNoCompleteOnes(t *testing.T) {
	m := newManager(t, session.Config{Limits: auth.Limits{MaxLogins: 3}})
	var complete []*browser
	for range 3 {
		complete = append(complete, loggedIn(t, m, "alice"))
	}
	for range 30 {
		check(t, (&browser{}).pending(m, "alice"))
	}
	for _, b := range complete {
		b.wants(t, m, valid)
	}
	list, err := m.Logins(t.Context(), "alice")
	check(t, err)
	pending := 0
	for _, login := range list {
		if login.Pending {
			pending++
		}
	}
	if pending != 10 || len(list) != 13 {
		t.Errorf("%d pending of %d", pending, len(list))
	}
}

// ASVS 5.0, 6.5.5.
func TestPendingLoginLastsTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		b := &browser{}
		check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
			return m.LoginPending(w, r, auth.Identity{Subject: "alice", Expires: time.Now().Add(240 * time.Hour)})
		}))
		time.Sleep(10*time.Minute - time.Second)
		if s, err := m.Get(b.request("GET")); err != nil {
			t.Fatal(err)
		} else if _, ok := s.PendingIdentity(); !ok {
			t.Error("it is not pending")
		}
		time.Sleep(time.Second)
		if _, err := m.Get(b.request("GET")); err == nil {
			t.Error("it lasts longer")
		}
	})
}

func TestPendingLoginLastsNoLongerThanAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{Limits: auth.Limits{Lifetime: 5 * time.Minute}})
		for rule, expires := range map[string]time.Time{
			"without a requested expiry": {}, "with a later requested expiry": time.Now().Add(day),
		} {
			b := &browser{}
			check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
				return m.LoginPending(w, r, auth.Identity{Subject: "alice", Expires: expires})
			}))
			for range 4 { // so that it is not the idle timeout that ends it
				time.Sleep(75*time.Second - time.Millisecond)
				b.has(t, m, valid)
			}
			time.Sleep(time.Second)
			if got := b.session(m); got != noCredential {
				t.Errorf("%s: %s after the lifetime of a login", rule, got)
			}
		}
	})
}

func TestPendingIdentityLogsInForAsLongAsAnyOther(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	check(t, b.pending(m, "alice"))
	s, err := m.Get(b.request("GET"))
	check(t, err)
	id, _ := s.PendingIdentity()
	check(t, b.loginWith(m, id))
	complete, err := b.authenticate(m)
	check(t, err)
	if left := time.Until(complete.Expires); left < 23*time.Hour {
		t.Errorf("it ends in %v", left)
	}
}

// better-auth#1564: "remember me" is requested with the password, and the login with the
// second factor is remembered.
func TestTheRequestedLifetimeSurvivesTheSecondFactor(t *testing.T) {
	for _, c := range []struct {
		rule      string
		limits    auth.Limits
		requested time.Duration
		id        func(pending auth.Identity) auth.Identity // nil: as it is
		lasts     time.Duration                             // after the request
		maxAge    time.Duration                             // a minute later; zero: none
	}{
		{"as it is", auth.Limits{}, 20 * day, nil, 20 * day, 20*day - time.Minute},
		{"without an Expires", auth.Limits{}, 20 * day, func(auth.Identity) auth.Identity { return auth.Identity{Subject: "alice"} }, 20 * day, 20*day - time.Minute},
		{"over MaxLifetime", auth.Limits{}, 365 * day, nil, 30 * day, 30*day - time.Minute},
		{"just over the lifetime", auth.Limits{}, day + 10*time.Second, nil, day + time.Minute, day},
		{"none", auth.Limits{}, 0, nil, time.Hour + time.Minute, 0},
		{"a shorter one", auth.Limits{}, 30 * time.Minute, nil, 30 * time.Minute, 0},
		{"a shorter one, without an Expires", auth.Limits{}, 30 * time.Minute, func(auth.Identity) auth.Identity { return auth.Identity{Subject: "alice"} }, 30 * time.Minute, 0},
		{"of another subject", auth.Limits{}, 20 * day, func(auth.Identity) auth.Identity { return auth.Identity{Subject: "bob"} }, time.Hour + time.Minute, 0},
		{"replaced by a new request", auth.Limits{}, 20 * day, func(id auth.Identity) auth.Identity {
			id.Expires = time.Now().Add(2 * day)
			return id
		}, 2*day + time.Minute, 2 * day},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, b, start := newManager(t, session.Config{Limits: c.limits}), &browser{}, time.Now()
				id := auth.Identity{Subject: "alice", Methods: "pwd"}
				if c.requested != 0 {
					id.Expires = start.Add(c.requested)
				}
				check(t, b.post(func(w http.ResponseWriter, r *http.Request) error { return m.LoginPending(w, r, id) }))
				if b.set.MaxAge != 0 {
					t.Errorf("the pending cookie has Max-Age %d", b.set.MaxAge)
				}
				time.Sleep(time.Minute)
				s, err := m.Get(b.request("GET"))
				check(t, err)
				id, _ = s.PendingIdentity()
				if id.Expires.IsZero() != (c.requested == 0) || c.requested != 0 && !id.Expires.Equal(start.Add(min(c.requested, 30*day))) {
					t.Errorf("the pending identity requests %v", id.Expires)
				}
				if id.Methods = "pwd otp"; c.id != nil {
					id = c.id(id)
				}
				check(t, b.loginWith(m, id))
				if got := time.Duration(b.set.MaxAge) * time.Second; got != c.maxAge {
					t.Errorf("the cookie lasts %v, want %v", got, c.maxAge)
				}
				time.Sleep(c.lasts - time.Since(start) - time.Millisecond)
				list, err := m.Logins(t.Context(), id.Subject)
				if err != nil || len(list) != 1 {
					t.Errorf("a moment before the end: %v, %v", list, err)
				}
				time.Sleep(time.Millisecond)
				b.wants(t, m, noCredential)
			})
		})
	}
}

// A remembered user who logs in with both factors again stays remembered.
func TestAPendingStepUpKeepsARememberedLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, b, start := newManager(t, session.Config{}), &browser{}, time.Now()
		check(t, b.loginWith(m, auth.Identity{Subject: "alice", Expires: start.Add(30 * day)}))
		time.Sleep(10 * day)
		for range 2 { // the password is proved twice
			check(t, b.pending(m, "alice"))
		}
		check(t, b.login(m, "alice"))
		id, err := b.authenticate(m)
		check(t, err)
		if !id.Expires.Equal(start.Add(30*day)) || b.set.MaxAge != int(20*day/time.Second) {
			t.Errorf("it ends %v, Max-Age %d", id.Expires, b.set.MaxAge)
		}
	})
}
