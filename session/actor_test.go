package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

var acting = auth.Identity{Subject: "alice", Actor: "support-7"}

// authorizer#658: what an administrator puts into the cart of a user, and what the user
// does in the same browser, stay apart.
func TestALoginWithAnActorSharesNoValues(t *testing.T) {
	alone := auth.Identity{Subject: "alice"}
	for rule, steps := range map[string][2]auth.Identity{
		"the subject, then an actor":     {alone, acting},
		"an actor, then the subject":     {acting, alone},
		"an actor twice":                 {acting, acting},
		"an actor, then another":         {acting, {Subject: "alice", Actor: "support-8"}},
		"an actor, then the actor alone": {acting, {Subject: "support-7"}},
	} {
		m := newManager(t, session.Config{})
		b := &browser{}
		check(t, b.loginWith(m, steps[0]))
		check(t, b.add(m))
		check(t, b.loginWith(m, steps[1]))
		if n := b.count(t, m); n != 0 {
			t.Errorf("%s: %d values are carried over", rule, n)
		}
	}
	m := newManager(t, session.Config{})
	b := &browser{}
	_, err := b.ensure(m)
	check(t, err)
	check(t, b.add(m))
	check(t, b.loginWith(m, acting))
	if n := b.count(t, m); n != 0 {
		t.Errorf("a visitor, then an actor: %d values are carried over", n)
	}
}

// A browser has one session: that of the actor itself ends, as at any login.
func TestALoginWithAnActorReplacesTheSessionOfTheBrowser(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "support-7")
	before := *b
	id, err := b.authenticate(m)
	check(t, err)
	tied := acting
	tied.ActorLoginID = id.LoginID
	if err := b.loginWith(m, tied); err == nil || !strings.Contains(err.Error(), "another cookie") {
		t.Errorf("a session that ends with the one that it replaces: %v", err)
	}
	before.wants(t, m, valid)
	check(t, b.loginWith(m, acting))
	before.wants(t, m, noCredential)
	b.wants(t, m, valid)
	check(t, m.LogoutAll(t.Context(), "support-7"))
	b.wants(t, m, noCredential)
}

// With a cookie of its own, the session with an actor stands beside that of the actor,
// and ends with it.
func TestALoginWithAnActorInACookieOfItsOwn(t *testing.T) {
	s := &store.Memory{}
	own := newManager(t, session.Config{Store: s})
	others := newManager(t, session.Config{Store: s, Cookie: cookie.New("acting")})
	admin := loggedIn(t, own, "support-7")
	id, err := admin.authenticate(own)
	check(t, err)
	tied := acting
	tied.ActorLoginID = id.LoginID
	w := httptest.NewRecorder()
	check(t, others.Login(w, admin.request("POST"), tied))
	r := admin.request("GET") // with both cookies
	r.AddCookie(w.Result().Cookies()[0])
	if id, err := others.Authenticate(r); err != nil || id.Subject != "alice" || id.Actor != "support-7" {
		t.Errorf("%+v, %v", id, err)
	}
	if id, err := own.Authenticate(r); err != nil || id.Subject != "support-7" || id.Actor != "" {
		t.Errorf("%+v, %v", id, err)
	}
	check(t, admin.logout(own))
	if id, err := others.Authenticate(r); outcome(err) != noCredential {
		t.Errorf("after the logout of the actor: %+v, %v", id, err)
	}
}

func TestALoginWithAnActorIsNeverPending(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	err := b.post(func(w http.ResponseWriter, r *http.Request) error { return m.LoginPending(w, r, acting) })
	if err == nil || !strings.Contains(err.Error(), "pending") {
		t.Error(err)
	}
	if list, err := m.Logins(t.Context(), "alice"); len(list) != 0 || err != nil {
		t.Error(list, err)
	}
}

// Ensure keeps the session with the actor while it lives, and makes one of a visitor
// after it, which knows neither.
func TestEnsureAfterALoginWithAnActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		b := &browser{}
		check(t, b.loginWith(m, acting))
		check(t, b.add(m))
		s, err := b.ensure(m)
		check(t, err)
		if s.Anonymous() || b.count(t, m) != 1 {
			t.Error("Ensure has replaced the session with an actor")
		}
		time.Sleep(time.Hour)
		s, err = b.ensure(m)
		check(t, err)
		if !s.Anonymous() || b.count(t, m) != 0 {
			t.Error("the visitor has something of the session with an actor")
		}
		check(t, b.login(m, "alice"))
		if id, err := b.authenticate(m); err != nil || id.Actor != "" {
			t.Errorf("%+v, %v", id, err)
		}
	})
}

// The session is short even where own sessions are shorter, and a use keeps it no longer.
func TestALoginWithAnActorKeepsTheLimitsOfTheMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{Limits: auth.Limits{Lifetime: 10 * time.Minute, IdleTimeout: 4 * time.Minute}})
		b := &browser{}
		id := acting
		id.Expires = time.Now().Add(30 * day)
		check(t, b.loginWith(m, id))
		for range 3 {
			time.Sleep(3 * time.Minute)
			b.wants(t, m, valid)
		}
		time.Sleep(time.Minute)
		b.wants(t, m, noCredential)
		check(t, b.loginWith(m, id))
		time.Sleep(4 * time.Minute)
		b.wants(t, m, noCredential)
	})
}

// A store that has lost the list of the actor cannot end what the actor has opened, so
// the session ends at its next touch, as without the list of its subject.
func TestALoginWithAnActorThatAListHasLostEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &mapStore{}
		m := newManager(t, session.Config{Store: s})
		loggedIn(t, m, "support-7")
		before := s.dump()
		b := &browser{}
		check(t, b.loginWith(m, acting))
		for key, value := range before {
			if value[0] == 0x02 { // the list of the actor
				s.put(key, value, time.Now().Add(day))
			}
		}
		b.wants(t, m, valid)
		time.Sleep(6 * time.Minute)
		b.wants(t, m, noCredential)
	})
}

// A repeated login whose response was lost ends the login of the first attempt. It ends
// only one of the same actor, and carries nothing over.
func TestARepeatedLoginWithAnActorEndsNoOther(t *testing.T) {
	for rule, c := range map[string]struct {
		first, second auth.Identity
		left          int // of the logins of alice
	}{
		"the same actor":             {acting, acting, 1},
		"the subject, then an actor": {auth.Identity{Subject: "alice"}, acting, 2},
		"an actor, then the subject": {acting, auth.Identity{Subject: "alice"}, 2},
	} {
		m := newManager(t, session.Config{})
		b := &browser{}
		_, err := b.ensure(m)
		check(t, err)
		late := *b // which does not receive the response of the first
		check(t, b.loginWith(m, c.first))
		check(t, b.add(m))
		check(t, late.loginWith(m, c.second))
		if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != c.left {
			t.Errorf("%s: %+v, %v", rule, list, err)
		}
		if n := late.count(t, m); n != 0 {
			t.Errorf("%s: %d values are carried over", rule, n)
		}
	}
}
