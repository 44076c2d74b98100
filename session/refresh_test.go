package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 8.3.2. virtool#1039: an administrator takes a right away, and all sessions of
// the user lose it at once, with their values kept and no use recorded.
func TestRefreshChangesAllSessionsOfASubjectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		var sessions []*browser
		for range 3 {
			b := &browser{}
			check(t, b.loginWith(m, admin))
			check(t, b.add(m))
			sessions = append(sessions, b)
		}
		ended, bob, pending := loggedIn(t, m, "alice"), &browser{}, &browser{}
		check(t, bob.loginWith(m, auth.Identity{Subject: "bob", Scopes: "read admin"}))
		check(t, pending.pending(m, "alice"))
		gone := *ended
		check(t, ended.logout(m))
		time.Sleep(time.Minute)
		check(t, m.Refresh(t.Context(), "alice", func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			if id.Subject != "alice" || id.LoginID == "" || id.Credential != nil {
				t.Errorf("it was given %+v", id)
			}
			id.Scopes, id.Methods, id.Claims = "read", "otp", `{"role":"user"}`
			return id, nil
		}))
		for _, b := range sessions {
			id, err := b.authenticate(m)
			check(t, err)
			if id.Scopes != "read" || id.Methods != "otp" || id.Claims != `{"role":"user"}` || b.count(t, m) != 1 {
				t.Errorf("%+v, %d values", id, b.count(t, m))
			}
		}
		s, err := m.Get(pending.request("GET"))
		check(t, err)
		if id, ok := s.PendingIdentity(); !ok || id.Scopes != "read" {
			t.Errorf("pending: %+v", id)
		}
		gone.wants(t, m, noCredential)
		if got := bob.scopes(t, m); got != "read admin" {
			t.Errorf("bob: %q", got)
		}
		list, err := m.Logins(t.Context(), "alice")
		if err != nil || len(list) != 4 || time.Since(list[0].LastUsed) != time.Minute {
			t.Errorf("%v, %v", list, err)
		}
		check(t, m.Refresh(t.Context(), "nobody", nil))
	})
}

// A login by token has its own hook, at its next refresh.
func TestRefreshLeavesLoginsByTokenAlone(t *testing.T) {
	s := &store.Memory{}
	m := newManager(t, session.Config{Store: s})
	keys, err := token.NewKeySet(token.HS256)
	check(t, err)
	issuer, err := token.NewIssuer(token.IssuerConfig{Keys: keys, Store: s, Issuer: "https://issuer.test", Audience: "https://api.test", ClientID: "app"})
	check(t, err)
	tokens, err := issuer.Issue(t.Context(), admin)
	check(t, err)
	check(t, m.Refresh(t.Context(), "alice", func(context.Context, auth.Identity) (auth.Identity, error) {
		return auth.Identity{}, errors.New("it was asked for a login by token")
	}))
	_, err = issuer.Refresh(t.Context(), tokens.RefreshToken, "AAAAAAAAAAAAAAAAAAAAAA")
	check(t, err)
}

// Refresh goes on past errors, and can be repeated. A refusal ends the session.
func TestRefreshGoesOnPastErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		m := newManager(t, session.Config{Events: j.record})
		sessions := make(map[string]*browser)
		for _, method := range []string{"allowed", "failing", "forged", "refused", "allowed2"} {
			b := &browser{}
			check(t, b.loginWith(m, auth.Identity{Subject: "alice", Scopes: "admin", Methods: auth.Words(method)}))
			sessions[method] = b
		}
		j.take()
		down := errors.New("down")
		change := func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			switch id.Methods {
			case "failing":
				return id, down
			case "forged":
				id.Subject = "root"
			case "refused":
				return id, auth.ErrUnauthenticated
			}
			id.Scopes = "read"
			return id, nil
		}
		err := m.Refresh(t.Context(), "alice", change)
		if !errors.Is(err, down) || outcome(err) != unavailable {
			t.Errorf("%v", err)
		}
		for method, want := range map[string]string{"allowed": "read", "failing": "admin", "forged": "admin", "refused": noCredential, "allowed2": "read"} {
			if got := sessions[method].scopes(t, m); got != want {
				t.Errorf("%s: %q, want %q", method, got, want)
			}
		}
		if list, err := m.Logins(t.Context(), "alice"); err != nil || len(list) != 4 {
			t.Errorf("the list has %v, %v", list, err)
		}
		revoked := 0
		for _, e := range j.events {
			if e.Kind == auth.EventRevoked && e.Reason == "refresh refused" && errors.Is(e.Err, auth.ErrUnauthenticated) {
				revoked++
			}
		}
		if revoked != 1 {
			t.Errorf("events %+v", j.events)
		}
		check(t, m.Refresh(t.Context(), "alice", only("read")))
		if got := sessions["failing"].scopes(t, m); got != "read" {
			t.Errorf("repeated: %q", got)
		}
	})
}

// A thousand sessions on a store of 5 ms per call change within one call.
func TestRefreshReachesAThousandSessionsOnASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &store.Memory{}
		limits := auth.Limits{MaxLogins: 1000}
		fast := newManager(t, session.Config{Store: inner, Limits: limits})
		var sessions []*browser
		for range 1000 {
			sessions = append(sessions, loggedIn(t, fast, "alice"))
		}
		slow := newManager(t, session.Config{Limits: limits, Store: &hooked{inner, func(context.Context, bool, string) error {
			time.Sleep(5 * time.Millisecond)
			return nil
		}}})
		var running, most atomic.Int64
		start := time.Now()
		check(t, slow.Refresh(t.Context(), "alice", func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Millisecond)
			return only("read")(ctx, id)
		}))
		t.Logf("took %v, at most %d at once", time.Since(start), most.Load())
		if most.Load() > 16 {
			t.Errorf("%d calls at once", most.Load())
		}
		for _, b := range sessions {
			if got := b.scopes(t, fast); got != "read" {
				t.Fatalf("%q", got)
			}
		}
	})
}

// ASVS 5.0, 15.4.2.
func TestRefreshLosesNoUpdateAndRevivesNoSession(t *testing.T) {
	m := newManager(t, session.Config{})
	kept, leaves := loggedIn(t, m, "alice"), loggedIn(t, m, "alice")
	gone := *leaves
	var wg sync.WaitGroup
	const each = 50
	for range 2 {
		wg.Go(func() {
			for range each {
				check(t, kept.add(m))
			}
		})
		wg.Go(func() {
			for i := range each {
				check(t, m.Refresh(context.Background(), "alice", only(auth.Words(fmt.Sprint("n", i)))))
			}
		})
	}
	wg.Go(func() { check(t, leaves.logout(m)) })
	wg.Wait()
	gone.wants(t, m, noCredential)
	if n, got := kept.count(t, m), kept.scopes(t, m); n != 2*each || got != fmt.Sprint("n", each-1) {
		t.Errorf("%d values, scopes %q", n, got)
	}
}
