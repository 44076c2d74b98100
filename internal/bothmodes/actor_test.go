package bothmodes

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
	"github.com/authlatch/auth/middleware"
)

// A login in which an administrator or an agent acts for a subject: what holds in both
// modes. What users of other programs reported is named owner/repository#number.

// actingMode is one mode of an application, for a client that keeps one credential.
type actingMode struct {
	mode   string
	app    *bothModes
	cookie string
	access string // the access token
	fresh  string // the refresh token
}

// eachMode runs a test in both modes, each in a bubble of its own.
func eachMode(t *testing.T, maxLogins int, test func(*testing.T, *actingMode)) {
	for _, mode := range []string{"session", "token"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test(t, &actingMode{mode: mode, app: openBothModes(t, maxLogins)})
			})
		})
	}
}

// another returns another client of the same application.
func (a *actingMode) another() *actingMode { return &actingMode{mode: a.mode, app: a.app} }

func (a *actingMode) login(ctx context.Context, id auth.Identity) error {
	if a.mode == "token" {
		tokens, err := a.app.tokens.Issue(ctx, id)
		a.access, a.fresh = tokens.AccessToken, tokens.RefreshToken
		return err
	}
	w, r := httptest.NewRecorder(), a.request("POST")
	err := a.app.sessions.Login(w, r, id)
	if err == nil {
		a.cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		if strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age") {
			a.cookie += "; remembered=1"
		}
	}
	return err
}

// acts logs support-7 in, who acts for alice.
func (a *actingMode) acts(t *testing.T, actorLoginID string) {
	t.Helper()
	if err := a.login(t.Context(), auth.Identity{Subject: "alice", Actor: "support-7", ActorLoginID: actorLoginID}); err != nil {
		t.Fatal(err)
	}
}

func (a *actingMode) request(method string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example/", nil)
	if a.cookie != "" {
		r.Header.Set("Cookie", a.cookie)
	}
	if a.access != "" {
		r.Header.Set("Authorization", "Bearer "+a.access)
	}
	return r
}

func (a *actingMode) authenticator() middleware.Authenticator {
	if a.mode == "token" {
		return a.app.tokens
	}
	return a.app.sessions
}

// identity returns the identity of a request, after a refresh in the mode of tokens.
func (a *actingMode) identity() (auth.Identity, error) {
	if a.mode == "token" {
		tokens, err := a.app.tokens.Refresh(context.Background(), a.fresh, strings.Repeat("a", 22))
		if err != nil {
			return auth.Identity{}, err
		}
		a.access, a.fresh = tokens.AccessToken, tokens.RefreshToken
	}
	return a.authenticator().Authenticate(a.request("GET"))
}

func (a *actingMode) logout(t *testing.T) {
	t.Helper()
	err := a.app.sessions.Logout(httptest.NewRecorder(), a.request("POST"))
	if a.mode == "token" {
		err = a.app.tokens.Revoke(t.Context(), a.fresh)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (a *actingMode) logoutAll(t *testing.T, subject string) {
	t.Helper()
	err := a.app.sessions.LogoutAll(t.Context(), subject)
	if a.mode == "token" {
		err = a.app.tokens.LogoutAll(t.Context(), subject)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (a *actingMode) wants(t *testing.T, rule string, alive bool) {
	t.Helper()
	if _, err := a.identity(); (err == nil) != alive || err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("%s: %v", rule, err)
	}
}

// toolhive#5194, authorizer#658, keycloak#50690.
// An agent that acts for a user was served as that user, and nothing showed it.
func TestAnActorIsVisibleEverywhere(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		a.acts(t, "")
		for range 3 { // refreshes keep it
			id, err := a.identity()
			if err != nil || id.Subject != "alice" || id.Actor != "support-7" || id.ActorLoginID != "" {
				t.Errorf("%+v, %v", id, err)
			}
			time.Sleep(9 * time.Minute)
		}
		for mode, viewer := range a.app.viewers() {
			list, err := viewer.Logins(t.Context(), "alice")
			if err != nil || len(list) != 1 || list[0].Actor != "support-7" || list[0].Subject != "alice" {
				t.Errorf("%s shows %+v, %v", mode, list, err)
			}
			if list, err = viewer.Logins(t.Context(), "support-7"); err != nil || len(list) != 0 {
				t.Errorf("%s shows %+v, %v as logins of the actor itself", mode, list, err)
			}
		}
		a.logout(t)
		a.wants(t, "after a logout", false)
		about := 0
		for _, e := range a.app.received {
			if e.Subject != "" {
				about++
				if e.Subject != "alice" || e.Actor != "support-7" {
					t.Errorf("event %+v", e)
				}
			}
		}
		if about < 2 {
			t.Errorf("events %+v", a.app.received)
		}
	})
}

// authorizer#658.
func TestALoginWithAnActorIsShort(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		start := time.Now()
		err := a.login(t.Context(), auth.Identity{Subject: "alice", Actor: "support-7", Expires: start.Add(300 * 24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(a.cookie, "remembered") {
			t.Error("it is remembered")
		}
		for range 6 {
			time.Sleep(10*time.Minute - time.Second)
			a.wants(t, "within an hour", true)
		}
		list, err := a.app.sessions.Logins(t.Context(), "alice")
		if err != nil || len(list) != 1 || !list[0].Expires.Equal(start.Add(time.Hour)) {
			t.Errorf("%+v, %v", list, err)
		}
		time.Sleep(6 * time.Second)
		a.wants(t, "after an hour", false)
	})
}

// An earlier expiry is kept, as in any login.
func TestALoginWithAnActorEndsWhenItIsAsked(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		err := a.login(t.Context(), auth.Identity{Subject: "alice", Actor: "support-7", Expires: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		a.wants(t, "after the requested minute", false)
	})
}

func TestLogoutAllOfEitherEndsALoginWithAnActor(t *testing.T) {
	for _, of := range []string{"alice", "support-7"} {
		eachMode(t, 0, func(t *testing.T, a *actingMode) {
			own, other := a.another(), a.another()
			for client, id := range map[*actingMode]auth.Identity{
				own: {Subject: "alice"}, other: {Subject: "alice", Actor: "support-8"},
			} {
				if err := client.login(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			a.acts(t, "")
			a.app.received = nil
			a.logoutAll(t, of)
			a.wants(t, "after a logout everywhere of "+of, false)
			own.wants(t, "the subject's own", of != "alice")
			other.wants(t, "that of another actor", of != "alice")
			found := false
			for _, e := range a.app.received {
				found = found || e.Kind == auth.EventRevoked && e.Subject == "alice" && e.Actor == "support-7"
			}
			if !found {
				t.Errorf("events %+v", a.app.received)
			}
		})
	}
}

func TestEitherEndsOneLoginWithAnActor(t *testing.T) {
	for _, by := range []string{"alice", "support-7", "mallory"} {
		eachMode(t, 0, func(t *testing.T, a *actingMode) {
			a.acts(t, "")
			id, err := a.identity()
			if err != nil {
				t.Fatal(err)
			}
			if err := a.app.viewers()[a.mode].LogoutOne(t.Context(), by, id.LoginID); err != nil {
				t.Fatal(err)
			}
			a.wants(t, "ended by "+by, by == "mallory")
		})
	}
}

func TestALoginWithAnActorEndsWithTheActorsOwn(t *testing.T) {
	for _, ownMode := range []string{"session", "token"} {
		for rule, end := range map[string]func(*testing.T, *actingMode){
			"its logout":            func(t *testing.T, own *actingMode) { own.logout(t) },
			"its logout everywhere": func(t *testing.T, own *actingMode) { own.logoutAll(t, "support-7") },
			"its expiry":            func(t *testing.T, own *actingMode) { time.Sleep(9 * time.Minute) },
		} {
			eachMode(t, 0, func(t *testing.T, a *actingMode) {
				own := a.another()
				own.mode = ownMode
				if err := own.login(t.Context(), auth.Identity{Subject: "support-7", Expires: time.Now().Add(9 * time.Minute)}); err != nil {
					t.Fatal(err)
				}
				id, err := own.identity()
				if err != nil {
					t.Fatal(err)
				}
				a.acts(t, id.LoginID)
				if got, err := a.identity(); err != nil || got.ActorLoginID != id.LoginID {
					t.Fatalf("%q, %v", got.ActorLoginID, err)
				}
				a.app.received = nil
				end(t, own)
				a.wants(t, "after "+rule, false)
				a.wants(t, "once more after "+rule, false)
				if list, err := a.app.sessions.Logins(t.Context(), "alice"); err != nil || len(list) != 0 {
					t.Errorf("%s: %+v, %v", rule, list, err)
				}
				revoked := 0
				for _, e := range a.app.received {
					if e.Kind == auth.EventRevoked && e.Subject == "alice" && e.Actor == "support-7" {
						revoked++
					}
				}
				if revoked != 1 {
					t.Errorf("%s: %d events of its end: %+v", rule, revoked, a.app.received)
				}
			})
		}
	}
}

// A store that is down ends nothing.
func TestAnActorsLoginThatCannotBeReadIsUnavailable(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		own := a.another()
		if err := own.login(t.Context(), auth.Identity{Subject: "support-7"}); err != nil {
			t.Fatal(err)
		}
		id, err := own.identity()
		if err != nil {
			t.Fatal(err)
		}
		a.acts(t, id.LoginID)
		reads := 0
		a.app.store.change = func(raw []byte) []byte {
			if reads++; reads == 2 { // the first is that of the login itself
				raw[0] |= 0x0f // of a newer version
			}
			return raw
		}
		if _, err := a.identity(); err == nil || errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%v", err)
		}
		a.app.store.change = nil
		a.wants(t, "when it can be read again", true)
	})
}

// A login that is not a live one of the actor itself, where it is looked for, keeps the
// login from being made: it would be alive for as long as it can.
func TestActorLoginIDMustBeALiveLoginOfTheActor(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		var ids []string
		for _, id := range []auth.Identity{{Subject: "bob"}, {Subject: "support-7", Actor: "root"}, {Subject: "bob", Actor: "support-7"}, {Subject: "support-7"}} {
			client := a.another()
			if err := client.login(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			got, err := client.identity()
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, got.LoginID)
			if id == (auth.Identity{Subject: "support-7"}) {
				client.logout(t)
			}
		}
		for _, id := range append(ids, "unknown", strings.Repeat("A", 22)) {
			err := a.login(t.Context(), auth.Identity{Subject: "alice", Actor: "support-7", ActorLoginID: id})
			if err == nil || !strings.Contains(err.Error(), "ActorLoginID") {
				t.Errorf("%q: %v", id, err)
			}
		}
		if list, err := a.app.sessions.Logins(t.Context(), "alice"); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestActorsThatMakeNoSenseAreRefusedAtLogin(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		for rule, id := range map[string]auth.Identity{
			"too long":          {Subject: "alice", Actor: strings.Repeat("a", 256)},
			"not UTF-8":         {Subject: "alice", Actor: "a\xff"},
			"the subject":       {Subject: "alice", Actor: "alice"},
			"a login of nobody": {Subject: "alice", ActorLoginID: "x"},
		} {
			if err := a.login(t.Context(), id); err == nil {
				t.Errorf("%s: logged in", rule)
			}
		}
		a.app.received = nil
		hostile := "support\r\n\x00\u202e7" // as a subject may be, too
		if err := a.login(t.Context(), auth.Identity{Subject: "alice", Actor: hostile}); err != nil {
			t.Fatal(err)
		}
		if id, err := a.identity(); err != nil || id.Actor != hostile {
			t.Errorf("%q, %v", id.Actor, err)
		}
	})
}

// keycloak#50690: a login by an administrator ended the user's own.
func TestLoginsWithAnActorAreCountedApart(t *testing.T) {
	eachMode(t, 2, func(t *testing.T, a *actingMode) {
		var own, acting []*actingMode
		for range 2 {
			own = append(own, a.another())
			if err := own[len(own)-1].login(t.Context(), auth.Identity{Subject: "alice"}); err != nil {
				t.Fatal(err)
			}
		}
		admin := a.another()
		if err := admin.login(t.Context(), auth.Identity{Subject: "support-7"}); err != nil {
			t.Fatal(err)
		}
		a.app.received = nil
		for range 3 {
			time.Sleep(time.Minute)
			acting = append(acting, a.another())
			acting[len(acting)-1].acts(t, "")
		}
		for _, client := range append(own, admin) {
			client.wants(t, "an own login", true)
		}
		for i, client := range acting {
			client.wants(t, "a login with an actor", i != 0)
		}
		evicted := 0
		for _, e := range a.app.received {
			if e.Kind == auth.EventRevoked && e.Reason == "evicted" {
				if evicted++; e.Subject != "alice" || e.Actor != "support-7" {
					t.Errorf("%+v", e)
				}
			}
		}
		if evicted != 1 {
			t.Errorf("events %+v", a.app.received)
		}
		if err := own[0].another().login(t.Context(), auth.Identity{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		acting[2].wants(t, "an own login ends none with an actor", true)
	})
}

// toolhive#5194: what only the subject itself may do is refused to an actor, and reported.
func TestRequireSelfRefusesTheRequestOfAnActor(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		var heard []auth.Event
		guard := &middleware.Guard{Authenticator: a.authenticator(), Events: func(_ context.Context, e auth.Event) { heard = append(heard, e) }}
		served := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if id, ok := auth.FromContext(r.Context()); !ok || id.Subject != "alice" {
				t.Errorf("%+v", id)
			}
		})
		status := func(h http.Handler, client *actingMode) int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, client.request("GET"))
			return w.Code
		}
		own := a.another()
		if err := own.login(t.Context(), auth.Identity{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		a.acts(t, "")
		self, recent := guard.RequireSelf(served), guard.RequireSelf(guard.RequireRecent(time.Minute)(served))
		for rule, c := range map[string]struct {
			handler http.Handler
			client  *actingMode
			want    int
		}{
			"itself":                   {self, own, 200},
			"itself, just logged in":   {recent, own, 200},
			"an actor":                 {self, a, 403},
			"an actor, just logged in": {recent, a, 403},
			"an actor elsewhere":       {guard.Require(served), a, 200},
			"no login":                 {self, a.another(), 401},
		} {
			if got := status(c.handler, c.client); got != c.want {
				t.Errorf("%s: %d, want %d", rule, got, c.want)
			}
		}
		if len(heard) != 2 || heard[0].Kind != auth.EventDenied || heard[0].Reason != "made by an actor" ||
			heard[0].Subject != "alice" || heard[0].Actor != "support-7" || heard[0].LoginID == "" {
			t.Errorf("%+v", heard)
		}
	})
}

// Most logins have no actor, and none of them pays for the others.
func TestALoginWithoutAnActorReadsNoMore(t *testing.T) {
	eachMode(t, 0, func(t *testing.T, a *actingMode) {
		own := a.another()
		if err := own.login(t.Context(), auth.Identity{Subject: "support-7"}); err != nil {
			t.Fatal(err)
		}
		id, err := own.identity()
		if err != nil {
			t.Fatal(err)
		}
		alone, tied := a.another(), a.another()
		alone.acts(t, "")
		tied.acts(t, id.LoginID)
		if a.mode == "token" {
			return // access tokens are read from no store
		}
		for client, want := range map[*actingMode]int64{own: 1, alone: 1, tied: 2} {
			a.app.store.gets.Store(0)
			if _, err := client.identity(); err != nil || a.app.store.gets.Load() != want {
				t.Errorf("%d reads, want %d: %v", a.app.store.gets.Load(), want, err)
			}
		}
	})
}
