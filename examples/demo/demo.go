package main

import (
	"cmp"
	"context"
	"errors"
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

// addresses are the origins of the three servers: the login server, which also serves the
// page, and the APIs A and B.
type addresses struct{ login, a, b string }

// demo is the login server. Each mode has a store of its own, so that the two sides of the
// page do not disturb each other.
type demo struct {
	limits    limits
	at        addresses
	passwords *password.Hasher
	accounts  map[string]string // hashes by user name
	keys      *token.KeySet
	sessions  *session.Manager
	tokens    *token.Issuer
	bearer    *token.Verifier // of its access tokens
	apis      [2]*api         // A and B
	visitors  visitors
}

func newDemo(l limits, at addresses) (*demo, error) {
	d := &demo{limits: l, at: at}
	var err error
	if d.passwords, err = password.New(password.Config{}); err != nil {
		return nil, err
	}
	hash, err := d.passwords.Hash(context.Background(), "correct horse")
	if err != nil {
		return nil, err
	}
	d.accounts = map[string]string{"alice": hash}
	if d.keys, err = token.NewKeySet(token.Ed25519); err != nil {
		return nil, err
	}
	// Logins are kept here. To use other stores, change only this line.
	forSessions, forTokens := counted{&store.Memory{}, sessionMode}, counted{&store.Memory{}, tokenMode}
	both := auth.Limits{IdleTimeout: l.idle, Lifetime: l.lifetime}
	sessions := session.Config{Store: forSessions, Cookie: sessionCookie, Limits: both, Events: noteEvent}
	if d.sessions, err = session.New(sessions); err != nil {
		return nil, err
	}
	d.tokens, err = token.NewIssuer(token.IssuerConfig{
		Keys: d.keys, Store: forTokens, Cookie: refreshCookie,
		Issuer: at.login, Audience: at.login, ClientID: "demo",
		AccessLifetime: l.access, GracePeriod: l.grace, Limits: both, Events: noteEvent,
	})
	if err != nil {
		return nil, err
	}
	// The demo shows when a token expires, so there is no leeway.
	verify := token.VerifierConfig{Keys: d.keys, Issuer: at.login, Audience: at.login, Leeway: token.NoLeeway, Events: noteEvent}
	if d.bearer, err = token.NewVerifier(verify); err != nil {
		return nil, err
	}
	// A verifies access tokens alone. B also checks in the store that the login is not revoked.
	a, errA := newAPI(sessions, verify)
	verify.RevocationCheck = &token.RevocationCheck{Store: forTokens}
	b, errB := newAPI(sessions, verify)
	d.apis = [2]*api{a, b}
	if err := cmp.Or(errA, errB); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close ends the fetching of keys by the APIs.
func (d *demo) Close() error {
	var errs []error
	for _, api := range d.apis {
		if api != nil {
			errs = append(errs, api.keys.Close())
		}
	}
	return errors.Join(errs...)
}

// loginServer returns the handlers of the login server: login, refresh and logout.
func (d *demo) loginServer() http.Handler {
	bySession := &middleware.Guard{Authenticator: d.sessions}
	byToken := &middleware.Guard{Authenticator: d.bearer}
	mux := http.NewServeMux()
	mux.Handle("POST /session/login", d.login(d.sessions))
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
	mux.Handle("POST /token/logout-everywhere", byToken.Require(logoutEverywhere(d.tokens)))
	mux.Handle("POST /token/refresh", d.tokens.RefreshHandler())
	mux.Handle("POST /token/logout", d.tokens.LogoutHandler())
	return mux
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

// logoutEverywhere revokes all logins of the user in a store.
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
