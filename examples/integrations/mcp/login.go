package main

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// newAuthorizationServer returns the least that a client needs of an authorization server:
// its metadata (RFC 8414), its keys, and tokens for one client with a secret. Replace it
// by yours, such as Keycloak or Zitadel.
func newAuthorizationServer(login, resource string) (http.Handler, error) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{}, Issuer: login, Audience: resource, ClientID: "agent",
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /jwks", keys.JWKSHandler())
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]any{
			"issuer": login, "token_endpoint": login + "/token", "jwks_uri": login + "/jwks",
			"grant_types_supported": []string{"client_credentials"}, "response_types_supported": []string{},
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
		})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		client, secret, _ := r.BasicAuth()
		switch {
		case client != "agent" || subtle.ConstantTimeCompare([]byte(secret), []byte("secret")) != 1:
			write(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
			return
		case r.PostFormValue("grant_type") != "client_credentials":
			write(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
			return
		case r.PostFormValue("resource") != resource: // RFC 8707
			write(w, http.StatusBadRequest, map[string]any{"error": "invalid_target"})
			return
		}
		tokens, err := issuer.Issue(r.Context(), auth.Identity{Subject: client, Scopes: "tools"})
		if err != nil {
			write(w, http.StatusServiceUnavailable, map[string]any{"error": "temporarily_unavailable"})
			return
		}
		tokens.RefreshToken = "" // this client gets a new token by its secret
		write(w, http.StatusOK, tokens)
	})
	return mux, nil
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
