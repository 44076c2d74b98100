package session_test

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

const day = 24 * time.Hour

func TestSessionLastsFromLoginToLogout(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	b.wants(t, m, noCredential)
	check(t, b.loginWith(m, auth.Identity{Subject: "alice", Scopes: "read write", Methods: "pwd", Claims: `{"name":"Alice"}`}))
	id, err := b.authenticate(m)
	check(t, err)
	if id.Subject != "alice" || id.Scopes != "read write" || id.Methods != "pwd" || id.Claims != `{"name":"Alice"}` {
		t.Errorf("got %+v", id)
	}
	if _, ok := id.Credential.(*session.Session); !ok || id.Issuer != "" || len(id.LoginID) != 22 {
		t.Errorf("got %+v", id)
	}
	old := *b
	check(t, b.logout(m))
	if b.token != "" {
		t.Error("logout leaves the cookie")
	}
	b.wants(t, m, noCredential)
	old.wants(t, m, noCredential)
}

// ASVS 5.0, 7.3.1, 7.3.2 and 7.4.1.
func TestSessionEndsExactly(t *testing.T) {
	for _, c := range []struct {
		rule      string
		config    session.Config
		requested time.Duration
		use       time.Duration // every so long
		end       time.Duration
	}{
		{rule: "an hour after its last use by default", use: 2 * time.Hour, end: time.Hour},
		{rule: "after 24 hours of use by default", use: 10 * time.Minute, end: day},
		{rule: "after its idle timeout", config: session.Config{Limits: auth.Limits{IdleTimeout: time.Minute}}, use: day, end: time.Minute},
		{rule: "after its lifetime", config: session.Config{Limits: auth.Limits{Lifetime: 90 * time.Minute}}, use: time.Minute, end: 90 * time.Minute},
		{rule: "by its lifetime if never used", config: session.Config{Limits: auth.Limits{Lifetime: time.Hour, IdleTimeout: time.Hour}}, use: day, end: time.Hour},
		{rule: "at the requested expiry", requested: 5 * time.Minute, use: time.Minute, end: 5 * time.Minute},
		{rule: "at the requested expiry, remembered and not used", requested: 20 * day, use: 365 * day, end: 20 * day},
		{rule: "after its remembered idle timeout", config: session.Config{Limits: auth.Limits{RememberedIdleTimeout: 7 * day}}, requested: 20 * day, use: 365 * day, end: 7 * day},
		{rule: "at the requested expiry, remembered", requested: 20 * day, use: 12 * time.Hour, end: 20 * day},
		{rule: "after 30 days at most, remembered", requested: 365 * day, use: 12 * time.Hour, end: 30 * day},
		{rule: "after MaxLifetime at most", config: session.Config{Limits: auth.Limits{MaxLifetime: 3 * day}}, requested: 365 * day, use: time.Hour, end: 3 * day},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(t, c.config)
				id, b, start := auth.Identity{Subject: "alice"}, &browser{}, time.Now()
				if c.requested != 0 {
					id.Expires = start.Add(c.requested)
				}
				check(t, b.loginWith(m, id))
				for time.Since(start)+c.use < c.end {
					time.Sleep(c.use)
					b.wants(t, m, valid)
				}
				other := *b
				time.Sleep(c.end - time.Since(start) - time.Millisecond)
				if c.use < c.end { // or looking would be a use
					b.wants(t, m, valid)
					time.Sleep(time.Millisecond)
				} else if s, err := m.Logins(t.Context(), "alice"); err != nil || len(s) != 1 {
					t.Errorf("a moment before: %v, %v", s, err)
				} else {
					time.Sleep(time.Millisecond)
				}
				other.wants(t, m, noCredential)
			})
		})
	}
}

func TestARequestedExpiryInThePastIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		for _, requested := range []time.Duration{0, -1, -day, -1 << 63} {
			b := &browser{}
			if err := b.loginWith(m, auth.Identity{Subject: "alice", Expires: time.Now().Add(requested)}); outcome(err) != unavailable || b.token != "" {
				t.Errorf("%v: %v, cookie %t", requested, err, b.token != "")
			}
		}
		b := &browser{}
		check(t, b.loginWith(m, auth.Identity{Subject: "alice", Expires: time.Now().Add(1)}))
		b.wants(t, m, noCredential)
	})
}

// ASVS 5.0, 7.3.1 and 7.3.2.
// A session may end up to a tenth of its idle timeout early, and never late.
func TestIdleTimeoutHoldsUnderAnyUse(t *testing.T) {
	const idle, lifetime = time.Hour, 8 * time.Hour
	ways := []func(*browser, *session.Manager) error{
		func(b *browser, m *session.Manager) error { _, err := b.authenticate(m); return err },
		func(b *browser, m *session.Manager) error { _, err := m.Get(b.request("GET")); return err },
		func(b *browser, m *session.Manager) error { return b.add(m) },
		func(b *browser, m *session.Manager) error {
			_, err := b.authenticate(m)
			if _, again := b.ensure(m); err == nil {
				err = again
			}
			return err
		},
	}
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			m := newManager(t, session.Config{Limits: auth.Limits{IdleTimeout: idle, Lifetime: lifetime}})
			b := loggedIn(t, m, "alice")
			start, used := time.Now(), time.Now()
			short := random.IntN(3) > 0 // mostly in use, until its lifetime
			for {
				gap := time.Duration(random.Int64N(int64(idle + idle/4)))
				if short {
					gap = time.Duration(random.Int64N(int64(idle / 5)))
				}
				time.Sleep(gap)
				old := *b
				got := outcome(ways[random.IntN(len(ways))](b, m))
				mustLive := gap <= idle*9/10 && time.Since(start) < lifetime-time.Millisecond
				mustEnd := gap >= idle || time.Since(start) >= lifetime
				if got != valid && got != noCredential || mustLive && got != valid || mustEnd && got != noCredential {
					t.Fatalf("%v after a use, %v after login: %s", time.Since(used), time.Since(start), got)
				}
				if got != valid {
					old.wants(t, m, noCredential)
					break
				}
				used = time.Now()
			}
		}
	})
}

// ASVS 5.0, 7.3.2.
func TestNothingMovesTheAbsoluteLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{Limits: auth.Limits{Lifetime: 10 * time.Hour}})
		b := loggedIn(t, m, "alice")
		first, err := b.authenticate(m)
		check(t, err)
		for range 599 {
			time.Sleep(time.Minute)
			check(t, b.add(m))
			if _, err := b.ensure(m); err != nil || b.set != nil {
				t.Fatal(err, b.set)
			}
			id, err := b.authenticate(m)
			check(t, err)
			if !id.Expires.Equal(first.Expires) || !id.AuthTime.Equal(first.AuthTime) || id.LoginID != first.LoginID {
				t.Fatalf("got %+v, had %+v", id, first)
			}
		}
		time.Sleep(time.Minute)
		b.wants(t, m, noCredential)
		if err := b.add(m); outcome(err) != noCredential {
			t.Error(err)
		}
	})
}

func TestAuthTimeIsNeverInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, now := newManager(t, session.Config{}), time.Now()
		for _, c := range []struct{ given, want time.Time }{
			{time.Time{}, now},
			{now.Add(time.Hour), now},
			{now.Add(-time.Hour), now.Add(-time.Hour)},
			{time.Unix(-1000, 0), time.Unix(0, 0)},
		} {
			b := &browser{}
			check(t, b.loginWith(m, auth.Identity{Subject: "alice", AuthTime: c.given}))
			id, err := b.authenticate(m)
			check(t, err)
			if !id.AuthTime.Equal(c.want) {
				t.Errorf("given %v: %v, want %v", c.given, id.AuthTime, c.want)
			}
		}
	})
}

func TestOnlyARememberedCookieOutlivesTheBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		for _, c := range []struct {
			requested time.Duration
			maxAge    time.Duration
		}{
			{0, 0},
			{time.Hour, 0},
			{day, 0},
			{day + 1, day},
			{10*day + 500*time.Millisecond, 10 * day},
			{30 * day, 30 * day},
			{999 * day, 30 * day},
		} {
			b, id := &browser{}, auth.Identity{Subject: "alice"}
			if c.requested != 0 {
				id.Expires = time.Now().Add(c.requested)
			}
			check(t, b.loginWith(m, id))
			if got := time.Duration(b.set.MaxAge) * time.Second; got != c.maxAge || !b.set.Expires.IsZero() {
				t.Errorf("requested %v: Max-Age %v, want %v", c.requested, got, c.maxAge)
			}
		}
	})
}

// ASVS 5.0, 3.3.1, 3.3.2, 3.3.3, 3.3.4 and 14.3.3: it is a random token and
// nothing else.
func TestSessionCookieIsStrict(t *testing.T) {
	b := loggedIn(t, newManager(t, session.Config{}), "alice")
	c := b.set
	if c.Name != cookieName || len(c.Value) != 43 || !c.Secure || !c.HttpOnly || c.Path != "/" ||
		c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("%v", c)
	}
}
