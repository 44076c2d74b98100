package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// rights is a Refreshing that a test can exchange, and that counts its calls. By default it
// changes nothing.
type rights struct {
	calls atomic.Int64
	f     func(ctx context.Context, id auth.Identity) (auth.Identity, error)
}

func (r *rights) refreshing(ctx context.Context, id auth.Identity) (auth.Identity, error) {
	r.calls.Add(1)
	if r.f == nil {
		return id, nil
	}
	return r.f(ctx, id)
}

// only returns a Refreshing that leaves these scopes.
func only(scopes auth.Words) func(context.Context, auth.Identity) (auth.Identity, error) {
	return func(_ context.Context, id auth.Identity) (auth.Identity, error) {
		id.Scopes = scopes
		return id, nil
	}
}

// scopes returns the scopes that a guard sees.
func (b *browser) scopes(t testing.TB, m *session.Manager) string {
	t.Helper()
	id, err := b.authenticate(m)
	if err != nil {
		return outcome(err)
	}
	return string(id.Scopes)
}

// lastUsed returns the last use that the list of the only login of alice shows.
func lastUsed(t testing.TB, m *session.Manager) time.Time {
	t.Helper()
	list, err := m.Logins(t.Context(), "alice")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0].LastUsed
}

// withRights returns a manager that asks hook.
func withRights(t testing.TB, hook *rights, s store.Store, j *journal) *session.Manager {
	return newManager(t, session.Config{Store: s, Refreshing: hook.refreshing, Events: j.record})
}

var admin = auth.Identity{Subject: "alice", Scopes: "read admin", Methods: "pwd", Claims: `{"role":"admin"}`}

// ASVS 5.0, 8.3.2. virtool#1039: a role changes while the user is logged in. The request
// that records the use has the new rights, and so have later ones.
func TestRefreshingChangesTheRightsOfALiveSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, hook := &counted{Store: &store.Memory{}}, &rights{}
		m := withRights(t, hook, s, &journal{})
		b := &browser{}
		check(t, b.loginWith(m, admin))
		before, err := b.authenticate(m)
		check(t, err)
		check(t, b.add(m))
		var given auth.Identity
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			given = id
			id.Scopes, id.Methods, id.Claims = "read", "pwd otp", `{"role":"user"}`
			return id, nil
		}
		time.Sleep(6*time.Minute - time.Second)
		if got := b.scopes(t, m); got != "read admin" || hook.calls.Load() != 0 {
			t.Errorf("within a tenth of the idle timeout: %s, %d calls", got, hook.calls.Load())
		}
		time.Sleep(time.Second)
		s.took()
		after, err := b.authenticate(m)
		check(t, err)
		if reads, writes := s.took(); reads != 2 || writes != 1 {
			t.Errorf("%d reads, %d writes, want those of a touch", reads, writes)
		}
		before.Credential = nil
		if given != before {
			t.Errorf("it was given %+v, and the login is %+v", given, before)
		}
		hook.f = nil
		for _, id := range []auth.Identity{after, must(b.authenticate(m)), must(b.authenticate(withRights(t, &rights{}, s, &journal{})))} {
			if id.Scopes != "read" || id.Methods != "pwd otp" || id.Claims != `{"role":"user"}` {
				t.Errorf("the request has %+v", id)
			}
			id.Scopes, id.Methods, id.Claims, id.Credential = before.Scopes, before.Methods, before.Claims, nil
			if id != before {
				t.Errorf("the login became %+v", id)
			}
		}
		if hook.calls.Load() != 1 || b.count(t, m) != 1 || !lastUsed(t, m).Equal(time.Now()) {
			t.Errorf("%d calls, %d values, used %v", hook.calls.Load(), b.count(t, m), lastUsed(t, m))
		}
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// ASVS 5.0, 7.4.2.
func TestRefreshingEndsASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook, j := &rights{}, &journal{}
		m := withRights(t, hook, &store.Memory{}, j)
		b := loggedIn(t, m, "alice")
		disabled := fmt.Errorf("the account is disabled: %w", auth.ErrUnauthenticated)
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, disabled }
		time.Sleep(6 * time.Minute)
		j.take()
		if w := b.guarded(m); w.Code != 401 || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") || strings.Contains(w.Body.String(), "disabled") {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		if e := j.events[0]; len(j.events) != 1 || e.Kind != auth.EventRevoked || e.Subject != "alice" || e.LoginID == "" ||
			e.Reason != "refresh refused" || !errors.Is(e.Err, disabled) {
			t.Errorf("events %+v", j.events)
		}
		hook.f = nil
		b.wants(t, m, noCredential)
		if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != 0 || hook.calls.Load() != 1 {
			t.Errorf("the list has %v, %v; %d calls", list, err, hook.calls.Load())
		}
	})
}

// ASVS 5.0, 16.5.2. A failure, or a change that is not allowed, is no verdict: the request is
// served with what was read, and a request after a minute asks again. A session in use does
// not end by it.
func TestRefreshingOfASessionThatFailsChangesNothing(t *testing.T) {
	changed := func(change func(*auth.Identity)) func(context.Context, auth.Identity) (auth.Identity, error) {
		return func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			change(&id)
			return id, nil
		}
	}
	for rule, f := range map[string]func(context.Context, auth.Identity) (auth.Identity, error){
		"a database that is down": func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, errors.New("down") },
		"forbidden":               func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, auth.ErrForbidden },
		"a call that lasts too long": func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
			<-ctx.Done()
			return id, ctx.Err()
		},
		"the zero identity":     func(context.Context, auth.Identity) (auth.Identity, error) { return auth.Identity{}, nil },
		"another subject":       changed(func(id *auth.Identity) { id.Subject = "bob" }),
		"an issuer":             changed(func(id *auth.Identity) { id.Issuer = "https://issuer.test" }),
		"another login":         changed(func(id *auth.Identity) { id.LoginID = "x" }),
		"a later proof":         changed(func(id *auth.Identity) { id.AuthTime = time.Now().Add(time.Hour) }),
		"a later end":           changed(func(id *auth.Identity) { id.Expires = id.Expires.Add(time.Hour) }),
		"a credential":          changed(func(id *auth.Identity) { id.Credential = []int{1} }),
		"scopes with a newline": changed(func(id *auth.Identity) { id.Scopes = "a\nb" }),
		"a registered claim":    changed(func(id *auth.Identity) { id.Claims = `{"sub":"bob"}` }),
		"claims for no record": changed(func(id *auth.Identity) {
			id.Claims = auth.Claims(`{"x":"` + strings.Repeat("x", store.MaxValue) + `"}`)
		}),
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hook, j := &rights{}, &journal{}
				m := withRights(t, hook, &store.Memory{}, j)
				b := &browser{}
				check(t, b.loginWith(m, admin))
				hook.f = f
				time.Sleep(6 * time.Minute)
				j.take()
				for minute := range int64(120) { // twice the idle timeout
					start := time.Now()
					for range 3 {
						if got := b.scopes(t, m); got != "read admin" {
							t.Fatalf("minute %d: %s", minute, got)
						}
					}
					if took := time.Since(start); took > time.Second || hook.calls.Load() != minute+1 {
						t.Fatalf("minute %d: %v, %d calls", minute, took, hook.calls.Load())
					}
					if kinds := j.take(); !slices.Equal(kinds, []auth.EventKind{auth.EventFault}) {
						t.Fatalf("events %q", kinds)
					}
					if behind := time.Since(lastUsed(t, m)); behind > 6*time.Minute {
						t.Fatalf("the last use is %v behind", behind)
					}
					time.Sleep(time.Minute)
				}
				hook.f = only("read")
				if got := b.scopes(t, m); got != "read" {
					t.Errorf("the next answer: %s", got)
				}
			})
		})
	}
}

// One user whose rights cannot be read pauses no touch of others.
func TestRefreshingThatFailsForOneSubjectPausesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &rights{}
		m := withRights(t, hook, &store.Memory{}, &journal{})
		b, broken := loggedIn(t, m, "alice"), loggedIn(t, m, "mallory")
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			if id.Subject == "mallory" {
				return id, errors.New("a broken row")
			}
			id.Scopes = "read"
			return id, nil
		}
		time.Sleep(6 * time.Minute)
		broken.wants(t, m, valid)
		if got := b.scopes(t, m); got != "read" {
			t.Errorf("%q", got)
		}
	})
}

// A client that hangs up would otherwise keep its old rights.
func TestRefreshingOfASessionIsNoMatterOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &rights{}
		m := withRights(t, hook, &store.Memory{}, &journal{})
		b := &browser{}
		check(t, b.loginWith(m, admin))
		time.Sleep(6 * time.Minute)
		ctx, hangUp := context.WithCancel(t.Context())
		hook.f = func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
			hangUp()
			id.Scopes = "read"
			return id, ctx.Err()
		}
		gone := browser{token: b.token, ctx: ctx}
		gone.authenticate(m)
		hook.f = nil
		if got := b.scopes(t, m); got != "read" {
			t.Errorf("%q", got)
		}
	})
}

// A visitor, and a login that waits for its second factor, have no rights yet; what records
// no use asks nothing.
func TestRefreshingIsAskedForCompleteLoginsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := &rights{}
		m := withRights(t, hook, &store.Memory{}, &journal{})
		visits, pending, complete := &browser{}, &browser{}, loggedIn(t, m, "bob")
		_, err := visits.ensure(m)
		check(t, err)
		check(t, pending.pending(m, "alice"))
		time.Sleep(7 * time.Minute)
		visits.has(t, m, valid)
		pending.has(t, m, valid)
		complete.wants(t, m.WithoutTouch(), valid)
		if n := hook.calls.Load(); n != 0 {
			t.Errorf("%d calls", n)
		}
		_, err = complete.ensure(m)
		check(t, err)
		if n := hook.calls.Load(); n != 1 {
			t.Errorf("Ensure: %d calls", n)
		}
	})
}

// ASVS 5.0, 15.4.2. What happens to a session while its rights are asked for.
func TestWhatHappensWhileASessionIsRefreshed(t *testing.T) {
	answers := only("read")
	refuses := func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, auth.ErrUnauthenticated }
	for _, c := range []struct {
		rule   string
		answer func(context.Context, auth.Identity) (auth.Identity, error)
		during func(*testing.T, *session.Manager, store.Store, *browser)
		scopes string // that the request sees
		calls  int64
		after  string // the session
	}{
		{"an update", answers, func(t *testing.T, m *session.Manager, _ store.Store, b *browser) { check(t, b.add(m)) }, "read", 2, valid},
		{"a logout", answers, func(t *testing.T, m *session.Manager, _ store.Store, b *browser) { check(t, b.logout(m)) }, noCredential, 1, noCredential},
		{"a logout, and a refusal", refuses, func(t *testing.T, m *session.Manager, _ store.Store, b *browser) { check(t, b.logout(m)) }, noCredential, 1, noCredential},
		{"another login, and a refusal", refuses, func(t *testing.T, m *session.Manager, _ store.Store, b *browser) { check(t, b.login(m, "alice")) }, noCredential, 1, noCredential},
		{"an update, and a refusal", refuses, func(t *testing.T, m *session.Manager, _ store.Store, b *browser) { check(t, b.add(m)) }, noCredential, 1, noCredential},
		{"another answer", answers, func(t *testing.T, _ *session.Manager, s store.Store, b *browser) {
			other := newManager(t, session.Config{Store: s, Refreshing: only("other")})
			b.wants(t, other, valid)
		}, "other", 1, valid},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hook, inner := &rights{}, &store.Memory{}
				m := withRights(t, hook, inner, &journal{})
				during := newManager(t, session.Config{Store: inner}).WithoutTouch()
				b := &browser{}
				check(t, b.loginWith(m, admin))
				time.Sleep(6 * time.Minute)
				hook.f = func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
					if hook.calls.Load() == 1 {
						tab := *b
						c.during(t, during, inner, &tab)
					}
					return c.answer(ctx, id)
				}
				w := httptest.NewRecorder()
				id, err := b.authenticate(m)
				if got := string(id.Scopes); err == nil && got != c.scopes || err != nil && outcome(err) != c.scopes {
					t.Errorf("the request: %q, %v, want %q", got, err, c.scopes)
				}
				if m.Challenge(w.Header(), b.request("GET"), err); err != nil && strings.Contains(c.rule, "log") && w.Header()["Set-Cookie"] != nil {
					t.Error("a late request deletes the cookie")
				}
				if hook.calls.Load() != c.calls {
					t.Errorf("%d calls, want %d", hook.calls.Load(), c.calls)
				}
				b.wants(t, m, c.after)
				if c.after == valid && c.rule == "an update" && b.count(t, m) != 1 {
					t.Error("the update was lost")
				}
			})
		})
	}
}

// The answer counts for the request even if the store cannot be written, so fewer rights
// are fewer at once; and while it cannot, no request asks for a while.
func TestAnswerCountsOverAStoreThatIsReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook, inner := &rights{}, &store.Memory{}
		b := &browser{}
		check(t, b.loginWith(newManager(t, session.Config{Store: inner}), admin))
		readOnly := &hooked{inner, func(_ context.Context, write bool, _ string) error {
			if write {
				return errors.New("read-only")
			}
			return nil
		}}
		m := withRights(t, hook, readOnly, &journal{})
		hook.f = only("read")
		time.Sleep(6 * time.Minute)
		for i, want := range []string{"read", "read admin", "read admin"} {
			if got := b.scopes(t, m); got != want || hook.calls.Load() != 1 {
				t.Errorf("request %d: %q, %d calls", i, got, hook.calls.Load())
			}
		}
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, auth.ErrUnauthenticated }
		time.Sleep(5 * time.Second)
		b.wants(t, m, noCredential)
	})
}
