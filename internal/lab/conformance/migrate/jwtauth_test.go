package migrate

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/jwtauth/v5"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

func withJWTAuth(tokens *jwtauth.JWTAuth) http.Handler {
	r := chi.NewRouter()
	r.Post("/login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		now := time.Now()
		_, text, err := tokens.Encode(map[string]any{
			"sub": user, "iat": now, "exp": now.Add(24 * time.Hour),
		})
		if err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		http.SetCookie(w, &http.Cookie{
			Name: "jwt", Value: text, Path: "/", HttpOnly: true, Secure: true,
		})
	})
	r.Group(func(r chi.Router) {
		r.Use(jwtauth.Verifier(tokens), jwtauth.Authenticator(tokens))
		r.Get("/me", func(w http.ResponseWriter, r *http.Request) {
			_, claims, _ := jwtauth.FromContext(r.Context())
			fmt.Fprintln(w, claims["sub"])
		})
	})
	return r
}

func withChi(issuer *token.Issuer) *chi.Mux {
	guard := &middleware.Guard{Authenticator: issuer}
	r := chi.NewRouter()
	r.Post("/login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		if err := issuer.Login(w, r, auth.Identity{Subject: user}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	r.Handle("/refresh", issuer.RefreshHandler())
	r.Handle("/logout", issuer.LogoutHandler())
	r.Group(func(r chi.Router) {
		r.Use(guard.Require)
		r.Get("/me", func(w http.ResponseWriter, r *http.Request) {
			id, _ := auth.FromContext(r.Context())
			fmt.Fprintln(w, id.Subject)
		})
	})
	return r
}

func readJWTAuth(old *jwtauth.JWTAuth) func(*http.Request) (oldLogin, error) {
	return func(r *http.Request) (oldLogin, error) {
		text := jwtauth.TokenFromCookie(r)
		t, err := jwtauth.VerifyToken(old, text)
		if err != nil {
			return oldLogin{}, nil
		}
		signed := text[:strings.LastIndex(text, ".")] // a signature has several encodings
		return oldLogin{
			Identity: auth.Identity{Subject: t.Subject(), AuthTime: t.IssuedAt(), Expires: t.Expiration()},
			once:     []byte(signed),
		}, nil
	}
}
