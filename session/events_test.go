package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func TestEachSituationHasItsEvent(t *testing.T) {
	type kinds = []auth.EventKind
	for _, c := range []struct {
		rule string
		do   func(t *testing.T, m *session.Manager, b *browser)
		want kinds
	}{
		{"login", func(t *testing.T, m *session.Manager, b *browser) { check(t, (&browser{}).login(m, "alice")) },
			kinds{auth.EventLogin}},
		{"login again", func(t *testing.T, m *session.Manager, b *browser) { check(t, b.login(m, "alice")) },
			kinds{auth.EventRevoked, auth.EventLogin}},
		{"logout", func(t *testing.T, m *session.Manager, b *browser) { check(t, b.logout(m)) },
			kinds{auth.EventLogout}},
		{"logout of one", func(t *testing.T, m *session.Manager, b *browser) {
			id, err := b.authenticate(m)
			check(t, err)
			check(t, m.LogoutOne(t.Context(), "alice", id.LoginID))
		}, kinds{auth.EventRevoked}},
		{"logout of an unknown login", func(t *testing.T, m *session.Manager, b *browser) {
			check(t, m.LogoutOne(t.Context(), "alice", ""))
		}, nil},
		{"logout everywhere", func(t *testing.T, m *session.Manager, b *browser) {
			check(t, (&browser{}).login(m, "alice"))
			check(t, m.LogoutAll(t.Context(), "alice"))
		}, kinds{auth.EventLogin, auth.EventRevoked, auth.EventRevoked}},
		{"expired", func(t *testing.T, m *session.Manager, b *browser) {
			time.Sleep(time.Hour)
			b.wants(t, m, noCredential)
		}, kinds{auth.EventExpired}},
		{"unknown", func(t *testing.T, m *session.Manager, b *browser) {
			(&browser{token: strings.Repeat("A", 43)}).wants(t, m, noCredential)
		}, kinds{auth.EventRejected}},
		{"malformed token", func(t *testing.T, m *session.Manager, b *browser) {
			(&browser{token: "A"}).wants(t, m, invalid)
		}, kinds{auth.EventRejected}},
		{"malformed cookie", func(t *testing.T, m *session.Manager, b *browser) {
			(&browser{token: `"`}).wants(t, m, invalid)
		}, kinds{auth.EventRejected}},
		{"revoked, and used again", func(t *testing.T, m *session.Manager, b *browser) {
			check(t, m.LogoutAll(t.Context(), "alice"))
			b.wants(t, m, noCredential)
		}, kinds{auth.EventRevoked, auth.EventRejected}},
		{"revoked, and logged in again", func(t *testing.T, m *session.Manager, b *browser) {
			check(t, m.LogoutAll(t.Context(), "alice"))
			check(t, b.login(m, "alice"))
		}, kinds{auth.EventRevoked, auth.EventLogin}},
		{"revoked, and logged out", func(t *testing.T, m *session.Manager, b *browser) {
			check(t, m.LogoutAll(t.Context(), "alice"))
			check(t, b.logout(m))
		}, kinds{auth.EventRevoked}},
		{"logged out or replaced, and used by a slow tab", func(t *testing.T, m *session.Manager, b *browser) {
			slow, slower := &browser{token: b.token}, &browser{}
			check(t, b.login(m, "alice"))
			slow.wants(t, m, noCredential)
			slower.token = b.token
			check(t, b.logout(m))
			slower.wants(t, m, noCredential)
		}, kinds{auth.EventRevoked, auth.EventLogin, auth.EventLogout}},
		{"use, visit and values", func(t *testing.T, m *session.Manager, b *browser) {
			time.Sleep(time.Hour / 2)
			b.wants(t, m, valid)
			check(t, b.add(m))
			_, err := (&browser{}).ensure(m)
			check(t, err)
			(&browser{}).wants(t, m, noCredential)
		}, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				m := newManager(t, session.Config{Events: j.record})
				b := loggedIn(t, m, "alice")
				j.take()
				c.do(t, m, b)
				for _, e := range j.events {
					if e.Source != "session" || !e.Time.Equal(time.Now()) || e.Time.Location() != time.UTC {
						t.Errorf("%+v", e)
					}
					about := e.Kind != auth.EventRejected
					if about && (e.Subject != "alice" || len(e.LoginID) != 22) {
						t.Errorf("%+v", e)
					}
				}
				if got := j.take(); !slices.Equal(got, c.want) {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestAVisitorsSessionIsReportedWithoutASubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		m := newManager(t, session.Config{Events: j.record})
		out, late := &browser{}, &browser{}
		for _, b := range []*browser{out, late} {
			_, err := b.ensure(m)
			check(t, err)
		}
		check(t, out.logout(m))
		time.Sleep(time.Hour)
		late.wants(t, m, noCredential)
		for _, e := range j.events {
			if e.Subject != "" || len(e.LoginID) != 22 || e.Reason != "" || e.Err != nil {
				t.Errorf("%+v", e)
			}
		}
		if got := j.take(); !slices.Equal(got, []auth.EventKind{auth.EventLogout, auth.EventExpired}) {
			t.Errorf("%q", got)
		}
	})
}

type maker func(*session.Manager, http.ResponseWriter, *http.Request, auth.Identity) error

var makers = map[string]maker{
	"Login":        (*session.Manager).Login,
	"LoginPending": (*session.Manager).LoginPending,
	"Ensure": func(m *session.Manager, w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
		_, err := m.Ensure(w, r)
		return err
	},
}

// isFault checks that a session which cannot be made is a 503 that is reported,
// with the operation.
func (make maker) isFault(t *testing.T, policy cookie.Policy, id auth.Identity, doing string) {
	t.Helper()
	var j journal
	m := newManager(t, session.Config{Cookie: policy, Events: j.record})
	err := make(m, httptest.NewRecorder(), (&browser{}).request("POST"), id)
	if outcome(err) != unavailable || !strings.HasPrefix(err.Error(), "session: "+doing+": ") {
		t.Error(err)
	}
	if len(j.events) != 1 {
		t.Fatalf("%d events", len(j.events))
	}
	if e := j.events[0]; e.Kind != auth.EventFault || e.Err != err || e.Subject != id.Subject[:min(len(id.Subject), 255)] {
		t.Errorf("%+v", e)
	}
}

func TestALoginThatIsNotValidIsAFault(t *testing.T) {
	for rule, id := range map[string]auth.Identity{
		"no subject":         {},
		"a subject too long": {Subject: strings.Repeat("a", 300)},
		"an issuer":          {Subject: "alice", Issuer: "https://issuer.example"},
		"expired":            {Subject: "alice", Expires: time.Now().Add(-time.Second)},
		"claims too large":   {Subject: "alice", Claims: auth.Claims(`{"a":"` + strings.Repeat("a", store.MaxValue) + `"}`)},
	} {
		for _, name := range []string{"Login", "LoginPending"} {
			t.Run(rule+"/"+name, func(t *testing.T) { makers[name].isFault(t, cookie.Policy{}, id, "log in") })
		}
	}
}

func TestACookieThatCannotBeSetIsAFault(t *testing.T) {
	local := cookie.Session().Insecure() // and the host of the request is not
	for name, doing := range map[string]string{"Login": "log in", "LoginPending": "log in", "Ensure": "ensure"} {
		t.Run(name, func(t *testing.T) {
			id := alice
			if name == "Ensure" {
				id = auth.Identity{}
			}
			makers[name].isFault(t, local, id, doing)
		})
	}
}

// ASVS 5.0, 16.2.5: no event and no error contains a secret.
func TestNoSecretIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const canary = "c4n4ry"
		var written strings.Builder
		write := func(v any) { fmt.Fprintf(&written, "%+v\n%#v\n", v, v) }
		s := &mapStore{}
		config := session.Config{Store: s, Limits: auth.Limits{MaxLogins: 2}, Events: func(_ context.Context, e auth.Event) {
			write(e)
			if e.Err != nil {
				write(e.Err.Error())
			}
		}}
		m := newManager(t, config)
		config.Store = &faulty{mapStore: s, fault: failAfter, at: 1, forGood: true}
		down := newManager(t, config)
		var secrets []string
		for range 5 {
			b := loggedIn(t, m, "alice")
			secrets = append(secrets, b.token)
			own, err := m.Get(b.request("GET"))
			check(t, err)
			check(t, m.Update(t.Context(), own, func(s *session.Session) error { return word.Set(s, canary) }))
			own, err = m.Get(b.request("GET"))
			check(t, err)
			_, err = session.Key[int]("word").Get(own)
			write(err)
			write(m.Update(t.Context(), own, func(s *session.Session) error {
				return word.Set(s, canary+strings.Repeat("a", 40_000))
			}))
			for _, m := range []*session.Manager{down, m} {
				old := *b
				time.Sleep(6 * time.Minute)
				_, err = old.authenticate(m)
				write(err)
				_, err = old.ensure(m)
				write(err)
				write(old.add(m))
				write(old.login(m, "alice"))
				secrets = append(secrets, old.token)
				write(old.logout(m))
				write(b.logout(m))
				_, err = m.Logins(t.Context(), "alice")
				write(err)
				write(m.LogoutAll(t.Context(), "alice"))
			}
		}
		for _, bad := range []string{secrets[0] + canary, `"` + canary + `"`, canary} {
			b := &browser{token: bad}
			_, err := b.authenticate(m)
			write(err)
			write(b.post(func(w http.ResponseWriter, r *http.Request) error {
				r.Header.Set("Origin", "https://elsewhere.example")
				return m.Login(w, r, alice)
			}))
		}
		for _, secret := range append(secrets, canary) {
			if secret != "" && strings.Contains(written.String(), secret) {
				t.Errorf("%q is disclosed", secret)
			}
		}
	})
}
