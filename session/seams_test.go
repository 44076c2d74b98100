package session_test

import (
	"context"
	"errors"
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

// Refresh takes a right away from all sessions of a subject, those with an actor
// included.
func TestRefreshReachesLoginsWithAnActor(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	id := acting
	id.Scopes = "read admin"
	check(t, b.loginWith(m, id))
	check(t, m.Refresh(t.Context(), "alice", func(_ context.Context, id auth.Identity) (auth.Identity, error) {
		id.Scopes = "read"
		return id, nil
	}))
	if got := b.scopes(t, m); got != "read" {
		t.Errorf("alice by support-7 still has %q after Refresh(alice) = nil", got)
	}
	check(t, m.Refresh(t.Context(), "alice", func(_ context.Context, id auth.Identity) (auth.Identity, error) {
		return id, auth.ErrUnauthenticated
	}))
	b.wants(t, m, noCredential)
}

type gate struct {
	store.Store
	down bool
}

func (g *gate) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if g.down {
		return nil, false, errors.New("down")
	}
	return g.Store.Get(ctx, key)
}

// A logout that failed leaves the browser the cookies of former policies, so that its
// repetition ends their sessions.
func TestALogoutThatFailedCanBeRepeatedWithFormerCookies(t *testing.T) {
	for _, n := range []int{1, 2} {
		g := &gate{Store: &store.Memory{}}
		was, is := cookie.New("s").Domain("app.example.com"), cookie.New("s").Domain("example.com")
		before := newManager(t, session.Config{Store: g, Cookie: was})
		m := newManager(t, session.Config{Store: g, Cookie: is, FormerCookies: []cookie.Policy{was}})
		j := newJarred(t, "https://app.example.com/")
		check(t, j.login(before, alice))
		stolen := j.jar.Cookies(j.url)[0]
		if n == 2 { // the same visitor also has a current cookie
			newer := newManager(t, session.Config{Store: g, Cookie: is})
			k := newJarred(t, "https://app.example.com/")
			check(t, k.login(newer, alice))
			w := httptest.NewRecorder()
			is.Set(w.Header(), nil, k.jar.Cookies(k.url)[0].Value)
			j.jar.SetCookies(j.url, w.Result().Cookies())
		}
		if j.sent() != n {
			t.Fatal(j.sent())
		}
		g.down = true
		if err := j.logout(m); err == nil || errors.Is(err, auth.ErrUnauthenticated) {
			t.Fatal(err)
		}
		g.down = false
		check(t, j.logout(m)) // repeated, as its documentation says
		r := httptest.NewRequest("GET", "https://app.example.com/", nil)
		r.AddCookie(stolen)
		if id, err := m.Authenticate(r); err == nil {
			t.Errorf("%d cookies: after a repeated logout that returned nil, %s is logged in", n, id.Subject)
		}
	}
}

// Logout ends all sessions that were sent, after Ensure in the same handler, too.
func TestLogoutAfterEnsureEndsWhatWasSent(t *testing.T) {
	was, is := cookie.New("s").Domain("app.example.com"), cookie.New("s").Domain("example.com")
	st := &store.Memory{}
	a := newManager(t, session.Config{Store: st, Cookie: was})
	m := newManager(t, session.Config{Store: st, Cookie: is, FormerCookies: []cookie.Policy{was}})
	j, k := newJarred(t, "https://app.example.com/"), newJarred(t, "https://app.example.com/")
	check(t, j.login(a, alice))
	check(t, k.login(newManager(t, session.Config{Store: st, Cookie: is}), alice))
	one, two := j.jar.Cookies(j.url)[0], k.jar.Cookies(k.url)[0]
	r := httptest.NewRequest("POST", "https://app.example.com/", nil)
	r.AddCookie(one)
	r.AddCookie(two)
	w := httptest.NewRecorder()
	_, err := m.Ensure(w, r)
	check(t, err)
	check(t, m.Logout(w, r))
	for _, c := range []*http.Cookie{one, two} {
		r := httptest.NewRequest("GET", "https://app.example.com/", nil)
		r.AddCookie(c)
		if id, err := m.Authenticate(r); err == nil {
			t.Errorf("after Logout = nil, %s is logged in", id.Subject)
		}
	}
}

// Sessions that a login with several cookies ends are reported, and their watches end.
func TestSessionsThatALoginFindsSentAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		was, is := cookie.New("s").Domain("app.example.com"), cookie.New("s").Domain("example.com")
		st := &store.Memory{}
		var revoked []auth.Event
		a := newManager(t, session.Config{Store: st, Cookie: was})
		m := newManager(t, session.Config{Store: st, Cookie: is, FormerCookies: []cookie.Policy{was}, Events: func(_ context.Context, e auth.Event) {
			if e.Kind == auth.EventRevoked {
				revoked = append(revoked, e)
			}
		}})
		j, k := newJarred(t, "https://app.example.com/"), newJarred(t, "https://app.example.com/")
		check(t, j.login(a, alice))
		check(t, k.login(m, alice))
		one, two := j.jar.Cookies(j.url)[0], k.jar.Cookies(k.url)[0]
		r := httptest.NewRequest("GET", "https://app.example.com/", nil)
		r.AddCookie(one)
		id, err := m.Authenticate(r)
		check(t, err)
		ctx, stop := m.Watch(t.Context(), id)
		defer stop()
		r = httptest.NewRequest("POST", "https://app.example.com/", nil)
		r.AddCookie(one)
		r.AddCookie(two)
		check(t, m.Login(httptest.NewRecorder(), r, alice))
		synctest.Wait()
		if len(revoked) != 2 {
			t.Errorf("%d events of 2 sessions that ended", len(revoked))
		}
		if ctx.Err() == nil {
			t.Errorf("the watch of a session that this Manager has ended goes on")
		}
	})
}

// A step-up with a second factor in the last hours of a remembered login.
func TestAPendingStepUpLateInARememberedLoginStaysRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		b := &browser{}
		check(t, b.loginWith(m, auth.Identity{Subject: "alice", Expires: time.Now().Add(20 * day)}))
		time.Sleep(20*day - 12*time.Hour)
		check(t, b.pending(m, "alice"))
		time.Sleep(time.Minute)
		s, err := m.Get(b.request("GET"))
		check(t, err)
		id, _ := s.PendingIdentity()
		check(t, b.loginWith(m, id))
		if b.set.MaxAge == 0 {
			t.Errorf("the cookie ends with the browser: the login is no longer remembered")
		}
		time.Sleep(2 * time.Hour)
		b.wants(t, m, valid)
	})
}

// A cookie jar that does not distinguish host-only cookies keeps the new one.
func TestAFormerCookieIsDeletedBeforeTheNewOneIsSet(t *testing.T) {
	for rule, d := range map[string][2]cookie.Policy{
		"path":      {cookie.New("s").Path("/a").Domain("example.com"), cookie.New("s").Path("/a")},
		"no prefix": {cookie.New("s").InsecureAnywhere().Domain("example.com"), cookie.New("s").InsecureAnywhere()},
	} {
		m := newManager(t, session.Config{Cookie: d[1], FormerCookies: []cookie.Policy{d[0]}})
		j := newJarred(t, "https://example.com/a")
		check(t, j.login(m, alice))
		if j.sent() != 1 {
			t.Errorf("%s: the login is lost: %d cookies", rule, j.sent())
		}
	}
}

// The header is of the client: it must not control a terminal that shows the event.
func TestThePlainHTTPEventIsPrintable(t *testing.T) {
	var got string
	m := newManager(t, session.Config{Events: func(_ context.Context, e auth.Event) {
		if e.Reason == "plain http" {
			got = e.Err.Error()
		}
	}, CrossOrigin: http.NewCrossOriginProtection()})
	r := httptest.NewRequest("POST", "http://app.example/", nil)
	r.Header.Set("Referer", "http://x\u009b2J\u202eevil\x9b/")
	check(t, m.Login(httptest.NewRecorder(), r, alice))
	if strings.ContainsAny(got, "\u009b\u202e") || strings.Contains(got, "\x9b") {
		t.Errorf("%q", got)
	}
}

// The record of a session grows while it is used. One of the maximum size must not pause
// the recording of use for all.
func TestTheLargestSessionPausesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults []auth.Event
		m := newManager(t, session.Config{Events: func(_ context.Context, e auth.Event) {
			if e.Kind == auth.EventFault {
				faults = append(faults, e)
			}
		}})
		big, bob := &browser{}, loggedIn(t, m, "bob")
		n := 65000
		for ; n < 66000; n++ {
			if err := (&browser{}).loginWith(m, auth.Identity{Subject: "mallory", Claims: auth.Claims(`{"a":"` + strings.Repeat("x", n) + `"}`)}); err != nil {
				break
			}
		}
		check(t, big.loginWith(m, auth.Identity{Subject: "mallory", Claims: auth.Claims(`{"a":"` + strings.Repeat("x", n-1) + `"}`)}))
		faults = nil
		for range 12 { // bob uses his session every 6 minutes, mallory just before
			time.Sleep(6 * time.Minute)
			big.outcome(m)
			bob.outcome(m)
		}
		if len(faults) > 0 {
			t.Errorf("%d faults, first %v", len(faults), faults[0].Err)
		}
		bob.wants(t, m, valid)
	})
}

// A login with an actor that Refreshing refuses leaves the list of the actor as well.
func TestALoginWithAnActorThatIsRefusedLeavesBothLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &mapStore{values: map[string][]byte{}, ends: map[string]time.Time{}}
		m := newManager(t, session.Config{Store: st, Limits: auth.Limits{MaxLogins: 2}, Refreshing: func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			if id.Subject == "alice" {
				return id, auth.ErrUnauthenticated
			}
			return id, nil
		}})
		one := &browser{}
		check(t, one.loginWith(m, auth.Identity{Subject: "bob", Actor: "support-7"}))
		time.Sleep(time.Second)
		two := &browser{}
		check(t, two.loginWith(m, auth.Identity{Subject: "alice", Actor: "support-7"}))
		time.Sleep(20 * time.Minute)
		two.wants(t, m, noCredential) // refused; one of the two has ended
		time.Sleep(time.Second)
		three := &browser{}
		check(t, three.loginWith(m, auth.Identity{Subject: "carol", Actor: "support-7"}))
		one.wants(t, m, valid)
	})
}
