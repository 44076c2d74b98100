package main

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/token"
)

const cart session.Key[[]string] = "cart"

// routes has one guard for both modes: handlers need not distinguish them.
func routes(sessions *session.Manager, issuer *token.Issuer) http.Handler {
	guard := &middleware.Guard{Authenticator: middleware.AnyOf(sessions, issuer)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", login(sessions))
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) { respond(w, r, sessions.Logout(w, r)) })
	mux.HandleFunc("POST /token/login", login(issuer))
	mux.Handle("POST /token/refresh", issuer.RefreshHandler())
	mux.Handle("POST /token/logout", issuer.LogoutHandler())
	mux.Handle("GET /me", guard.Require(http.HandlerFunc(me)))
	mux.Handle("POST /logout-everywhere", guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		respond(w, r, sessions.LogoutAll(r.Context(), id.Subject)) // including tokens
	})))
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) { respond(w, r, add(sessions, w, r)) })
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) { respond(w, r, show(sessions, w, r)) })
	return mux
}

// mode is one of the two modes: both log in the same identity.
type mode interface {
	Login(http.ResponseWriter, *http.Request, auth.Identity) error
}

func login(m mode) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A STUB in which all users have one password. Replace it by a lookup of
		// users and hashes.
		user, password := r.PostFormValue("user"), r.PostFormValue("password")
		if user == "" || subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) != 1 {
			http.Error(w, "wrong user or password", http.StatusUnauthorized)
			return
		}
		respond(w, r, m.Login(w, r, auth.Identity{Subject: user, Methods: "pwd"}))
	}
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

// add puts an item into the cart of a visitor, logged in or not.
func add(sessions *session.Manager, w http.ResponseWriter, r *http.Request) error {
	s, err := sessions.Ensure(w, r)
	if err != nil {
		return err
	}
	return sessions.Update(r.Context(), s, func(s *session.Session) error {
		items, err := cart.Get(s)
		if err != nil {
			return err
		}
		return cart.Set(s, append(items, r.PostFormValue("item")))
	})
}

func show(sessions *session.Manager, w http.ResponseWriter, r *http.Request) error {
	s, err := sessions.Get(r)
	if err != nil {
		return err
	}
	items, err := cart.Get(s)
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, strings.Join(items, ", "))
	}
	return err
}

func respond(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		middleware.Deny(w, r, err)
	}
}
