package main

import (
	"fmt"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// api is everything that a service needs to authenticate its callers.
type api struct {
	guard *middleware.Guard
	keys  *token.RemoteKeySet
}

func newAPI(issuerURL string) (*api, error) {
	keys, err := token.NewRemoteKeySet(issuerURL+"/jwks.json", token.RemoteConfig{})
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: issuerURL, Audience: audience})
	if err != nil {
		keys.Close()
		return nil, err
	}
	return &api{&middleware.Guard{Authenticator: verifier}, keys}, nil
}

// Close stops fetching keys.
func (a *api) Close() error { return a.keys.Close() }

// stock is the warehouse. Only services with the scope "stock" may call it.
func (a *api) stock() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /stock", a.guard.RequireScope("stock")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "7 boxes of tea")
	})))
	return mux
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}
