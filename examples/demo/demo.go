package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// limits are the lifetimes in this demo.
type limits struct{ access, grace, idle, lifetime time.Duration }

// The cookies of the two modes, in production settings.
var (
	sessionCookie = cookie.Session()
	refreshCookie = cookie.Refresh()
)

// demo has the two modes over one store and one namespace, so that each of them sees the
// other's logins.
type demo struct {
	limits    limits
	passwords *password.Hasher
	accounts  map[string]string // hashes by user name
	sessions  *session.Manager
	tokens    *token.Issuer
	bearer    *token.Verifier // of its access tokens
	live      *token.Verifier // of the same, for an API that must see a logout at once
	visitors  visitors
}

func newDemo(l limits) (*demo, error) {
	d := &demo{limits: l}
	var err error
	if d.passwords, err = password.New(password.Config{}); err != nil {
		return nil, err
	}
	hash, err := d.passwords.Hash(context.Background(), "correct horse")
	if err != nil {
		return nil, err
	}
	d.accounts = map[string]string{"alice": hash}

	// Sessions are kept here. To use another store, change only this line.
	logins := counted{&store.Memory{}}
	both := auth.Limits{IdleTimeout: l.idle, Lifetime: l.lifetime}
	d.sessions, err = session.New(session.Config{
		Store: logins, Cookie: sessionCookie,
		Limits: both, Events: noteEvent,
	})
	if err != nil {
		return nil, err
	}
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	const origin = "http://localhost"
	d.tokens, err = token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: logins, Cookie: refreshCookie,
		Issuer: origin, Audience: origin, ClientID: "demo",
		AccessLifetime: l.access, GracePeriod: l.grace, Limits: both, Events: noteEvent,
	})
	if err != nil {
		return nil, err
	}
	// The demo shows when a token expires, so there is no leeway.
	verify := token.VerifierConfig{Keys: keys, Issuer: origin, Audience: origin, Leeway: token.NoLeeway, Events: noteEvent}
	if d.bearer, err = token.NewVerifier(verify); err != nil {
		return nil, err
	}
	verify.RevocationCheck = &token.RevocationCheck{Store: logins}
	d.live, err = token.NewVerifier(verify)
	return d, err
}

// api returns the API of the demo. Each handler below serves both modes.
func (d *demo) api() http.Handler {
	bySession := &middleware.Guard{Authenticator: d.sessions}
	byToken := &middleware.Guard{Authenticator: d.bearer}
	byLiveToken := &middleware.Guard{Authenticator: d.live}
	mux := http.NewServeMux()

	mux.Handle("POST /session/login", d.login(d.sessions))
	mux.Handle("GET /session/me", bySession.Require(http.HandlerFunc(me)))
	mux.Handle("POST /session/transfer", bySession.Require(http.HandlerFunc(transfer)))
	mux.Handle("POST /session/logout-everywhere", bySession.Require(logoutEverywhere(d.sessions)))
	mux.HandleFunc("POST /session/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := d.sessions.Logout(w, r); err != nil {
			middleware.Deny(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})

	mux.Handle("POST /token/login", d.login(d.tokens))
	mux.Handle("GET /token/me", byToken.Require(http.HandlerFunc(me)))
	mux.Handle("GET /token/live/me", byLiveToken.Require(http.HandlerFunc(me)))
	mux.Handle("POST /token/logout-everywhere", byToken.Require(logoutEverywhere(d.tokens)))
	mux.Handle("POST /token/refresh", d.tokens.RefreshHandler())
	mux.Handle("POST /token/logout", d.tokens.LogoutHandler())
	return mux
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

// transfer is the request that an attacker's site makes alice's browser send.
func transfer(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, id.Subject, "sends 5 to bob")
}

// login verifies a password and logs in with a mode. A service must also limit the
// attempts with a throttle.Limiter; this demo does not.
func (d *demo) login(mode interface {
	Login(http.ResponseWriter, *http.Request, auth.Identity) error
}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		err := d.checkPassword(r.Context(), user, r.PostFormValue("password"))
		if err == nil {
			err = mode.Login(w, r, auth.Identity{Subject: user, Methods: "pwd"})
		}
		if err != nil {
			middleware.Deny(w, r, err)
		}
	}
}

// logoutEverywhere revokes all logins of the user, including those of the other mode.
func logoutEverywhere(mode interface {
	LogoutAll(ctx context.Context, subject string, keep ...string) error
}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		if err := mode.LogoutAll(r.Context(), id.Subject); err != nil {
			middleware.Deny(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
