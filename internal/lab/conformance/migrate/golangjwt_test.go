package migrate

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func withGolangJWT(secret []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		now := time.Now()
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
			Subject:   user,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(24 * time.Hour)),
		}).SignedString(secret)
		if err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, text)
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		claims, _, err := parse(r, secret)
		if err != nil {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, claims.Subject)
	})
	return mux
}

func parse(r *http.Request, secret []byte) (c jwt.RegisteredClaims, text string, err error) {
	text = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	_, err = jwt.ParseWithClaims(text, &c,
		func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	return c, text, err
}

func withTokens(issuer *token.Issuer) *http.ServeMux {
	guard := &middleware.Guard{Authenticator: issuer}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		if err := issuer.Login(w, r, auth.Identity{Subject: user}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.Handle("POST /refresh", issuer.RefreshHandler())
	mux.Handle("POST /logout", issuer.LogoutHandler())
	mux.Handle("GET /me", guard.Require(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			id, _ := auth.FromContext(r.Context())
			fmt.Fprintln(w, id.Subject)
		})))
	return mux
}

// moveTokens returns the new program, which exchanges old tokens at /takeover.
func moveTokens(secret []byte, issuer *token.Issuer, s store.Store, until time.Time) http.Handler {
	over := &takeOver{logins: issuer, store: s, until: until, read: readGolangJWT(secret)}
	mux := withTokens(issuer)
	mux.Handle("POST /takeover", over)
	return mux
}

func readGolangJWT(secret []byte) func(*http.Request) (oldLogin, error) {
	return func(r *http.Request) (oldLogin, error) {
		claims, text, err := parse(r, secret)
		if err != nil || claims.IssuedAt == nil {
			return oldLogin{}, nil
		}
		signed := text[:strings.LastIndex(text, ".")] // a signature has several encodings
		return oldLogin{
			Identity: auth.Identity{
				Subject: claims.Subject, AuthTime: claims.IssuedAt.Time,
				Expires: claims.ExpiresAt.Time, // the move extends no login
			},
			once: []byte(signed),
		}, nil
	}
}

// acceptBoth accepts the tokens of the issuer and, until they have expired, the tokens of
// the old program.
func acceptBoth(issuer *token.Issuer, old *token.RemoteKeySet) (*token.Verifiers, error) {
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys: old, Issuer: "https://old.example", Audience: "api",
		Foreign: &token.Foreign{Types: []string{"JWT"}},
	})
	if err != nil {
		return nil, err
	}
	return token.ByIssuer(issuer.Verifier, verifier)
}
