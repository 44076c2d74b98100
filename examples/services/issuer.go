package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// issuer is the only service with a store and with private keys.
type issuer struct {
	*token.Issuer
	keys     *token.KeySet
	lifetime time.Duration // of a login
}

func newIssuer(url string, access time.Duration) (*issuer, error) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	lifetime := 15 * access // short, because the keys rotate so often here
	i, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{},
		Issuer: url, Audience: audience, ClientID: "services",
		AccessLifetime: access, Limits: auth.Limits{IdleTimeout: lifetime, Lifetime: lifetime},
		NativeClients: true,
	})
	return &issuer{i, keys, lifetime}, err
}

func (i *issuer) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", i.login)
	mux.HandleFunc("POST /service-login", i.serviceLogin)
	mux.Handle("POST /refresh", i.RefreshHandler())
	mux.Handle("POST /logout", i.LogoutHandler())
	mux.Handle("GET /jwks.json", i.keys.JWKSHandler())
	return mux
}

// login is for users in browsers: the refresh token is set as a cookie.
func (i *issuer) login(w http.ResponseWriter, r *http.Request) {
	user := r.PostFormValue("user")
	if user != "alice" || !equal(r.PostFormValue("password"), "correct horse") { // a STUB with one account
		http.Error(w, "wrong user or password", http.StatusUnauthorized)
		return
	}
	if err := i.Login(w, r, auth.Identity{Subject: user, Scopes: "shop"}); err != nil {
		middleware.Deny(w, r, err)
	}
}

// serviceLogin is for other services, which store both tokens themselves.
func (i *issuer) serviceLogin(w http.ResponseWriter, r *http.Request) {
	if !equal(r.PostFormValue("secret"), shopSecret) { // a STUB with one service
		http.Error(w, "wrong secret", http.StatusUnauthorized)
		return
	}
	tokens, err := i.Issue(r.Context(), auth.Identity{Subject: "service:shop", Scopes: "stock"})
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(tokens)
}

// rotate rotates the keys periodically. A next key is published for a whole period before
// it signs. Former keys are removed when the logins that they signed have expired.
func (i *issuer) rotate(ctx context.Context, times <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-times:
		}
		err := i.keys.Rotate()
		if err == nil {
			_, err = i.keys.DropFormer(i.lifetime)
		}
		if err != nil {
			log.Print("rotate: ", err)
		}
	}
}

// shopSecret authenticates the shop. A real secret is not a constant.
const shopSecret = "open sesame, says the shop"

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
