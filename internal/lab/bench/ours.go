package main

import (
	"context"
	"crypto"
	"net/http"
	"strings"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

const (
	issuer   = "https://login.example"
	audience = "https://api.example"
)

// identity is the typical one with another subject.
func identity(subject string) auth.Identity {
	id := typical
	id.Subject = subject
	return id
}

// guarded is a handler behind a guard of ours.
func guarded(a middleware.Authenticator) http.Handler {
	guard := &middleware.Guard{Authenticator: a}
	return guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		respond(w, id.Subject)
	}))
}

// ourSessions is a site with sessions of ours.
func ourSessions(name string, s store.Store) (site, error) {
	m, err := session.New(session.Config{Store: s})
	if err != nil {
		return site{}, err
	}
	login := func(w http.ResponseWriter, r *http.Request) error {
		return m.Login(w, r, identity(r.Header.Get("Subject")))
	}
	return webSite(name, answering(login), guarded(m), answering(m.Logout)), nil
}

// answering responds with 500 to a request that fails.
func answering(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// A tokenSite is a site with tokens of ours.
type tokenSite struct {
	site
	issuer *token.Issuer
}

// ourTokens is such a site. With revocation, each request checks in the store
// that the login has not ended. The verifier remembers up to cache tokens; zero
// is the default.
func ourTokens(name string, s store.Store, key crypto.Signer, revocation bool, cache int) (tokenSite, error) {
	keys, err := keySet(key)
	if err != nil {
		return tokenSite{}, err
	}
	i, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: s, Issuer: issuer, Audience: audience, ClientID: "web", AccessLifetime: time.Hour, NativeClients: true,
	})
	if err != nil {
		return tokenSite{}, err
	}
	c := token.VerifierConfig{Keys: keys, Issuer: issuer, Audience: audience, CacheSize: cache}
	if revocation {
		c.RevocationCheck = &token.RevocationCheck{Store: s}
	}
	v, err := token.NewVerifier(c)
	if err != nil {
		return tokenSite{}, err
	}
	read := guarded(v)
	return tokenSite{site{
		name: name, header: "Authorization", handler: read,
		login: func(subject string) (string, error) {
			t, err := i.Issue(context.Background(), identity(subject))
			return "Bearer " + t.AccessToken, err
		},
		reading: func(credential, subject string) func() error {
			return requests(read, "Authorization", credential, subject)
		},
		logout: func(credential string) error {
			t, err := v.Verify(context.Background(), strings.TrimPrefix(credential, "Bearer "))
			if err != nil {
				return err
			}
			return i.LogoutOne(context.Background(), t.Identity().Subject, t.Identity().LoginID)
		},
	}, i}, nil
}

// keySet has a key that signs.
func keySet(key crypto.Signer) (*token.KeySet, error) {
	keys, err := token.NewKeySet("")
	if err != nil {
		return nil, err
	}
	return keys, keys.SetSigner(key)
}
