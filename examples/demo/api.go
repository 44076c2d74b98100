package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/token"
)

// api is one of the two API servers. It reads the store of the sessions. Of the tokens it
// has only the public keys, which it fetches from the login server.
type api struct {
	keys      *token.RemoteKeySet
	bySession *middleware.Guard
	byToken   *middleware.Guard
}

func newAPI(s session.Config, t token.VerifierConfig) (*api, error) {
	keys, err := token.NewRemoteKeySet(t.Issuer+"/jwks.json", token.RemoteConfig{})
	if err != nil {
		return nil, err
	}
	t.Keys = keys
	sessions, errSessions := session.New(s)
	tokens, errTokens := token.NewVerifier(t)
	if err := errors.Join(errSessions, errTokens); err != nil {
		keys.Close()
		return nil, err
	}
	return &api{
		keys:      keys,
		bySession: &middleware.Guard{Authenticator: sessions},
		byToken:   &middleware.Guard{Authenticator: tokens},
	}, nil
}

// me is the handler of both APIs, for both modes.
func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

// api returns the handler of API A (0) or B (1).
func (d *demo) api(i int) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /session/me", d.apis[i].bySession.Require(http.HandlerFunc(me)))
	mux.Handle("GET /token/me", d.apis[i].byToken.Require(http.HandlerFunc(me)))
	served := middleware.SecurityHeaders(d.withCORS(d.record([]string{"a", "b"}[i], mux)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, _ := hostname(r); name != "localhost" {
			http.Error(w, "open http://localhost", http.StatusMisdirectedRequest)
			return
		}
		served.ServeHTTP(w, r)
	})
}

// withCORS lets the page of the login server, which is another origin, read responses. It
// stands outside of the guards, because a preflight request has no credential.
func (d *demo) withCORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if r.Header.Get("Origin") == d.at.login {
			h.Set("Access-Control-Allow-Origin", d.at.login)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
			h.Set("Access-Control-Allow-Headers", "Authorization")
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
