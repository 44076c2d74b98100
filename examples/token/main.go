// Token is an API whose clients authenticate with tokens: an access token in the
// response to login, which they send with each request, and a refresh token in a
// cookie that scripts cannot read. The account is alice, the password "correct
// horse".
//
//	go run ./examples/token
//	curl -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -H "Authorization: Bearer $access_token" http://localhost:8080/me
//
// The second curl prints "hello, alice" if access_token is the value from the
// response to the first one. When the access token has expired, after ten minutes,
// the cookie is exchanged for a new access token and a new refresh token:
//
//	curl -c jar -b jar -X POST -H "Refresh-Attempt: $(openssl rand -hex 16)" http://localhost:8080/refresh
//
// These commands list where alice is logged in, revoke all logins, and log out here:
//
//	curl -H "Authorization: Bearer $access_token" http://localhost:8080/devices
//	curl -H "Authorization: Bearer $access_token" -X POST http://localhost:8080/logout-everywhere
//	curl -c jar -b jar -X POST -H "Refresh-Attempt: $(openssl rand -hex 16)" http://localhost:8080/logout
//
// With "-live" each request checks whether its login was revoked, so that a logout
// takes effect at once instead of when the access token expires.
package main

import (
	"crypto/subtle"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on")
	live := flag.Bool("live", false, "look on each request whether its login goes on")
	flag.Parse()

	issuer, err := newIssuer("http://"+*addr, *live)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on http://" + *addr)
	log.Fatal(http.ListenAndServe(*addr, routes(issuer)))
}

// newIssuer generates new keys each time, so logins end with the program. A service loads
// keys with token.LoadKeySet from a file that all of its hosts have.
func newIssuer(origin string, live bool) (*token.Issuer, error) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	return token.NewIssuer(token.IssuerConfig{
		Keys: keys,
		// Logins are kept here. To use another store, change only this line.
		Store:  &store.Memory{},
		Issuer: origin, Audience: origin, ClientID: "web",
		RevocationCheck: live,
	})
}

func routes(issuer *token.Issuer) http.Handler {
	guard := &middleware.Guard{Authenticator: issuer}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if user := r.PostFormValue("user"); !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong user or password", http.StatusUnauthorized)
		} else if err := issuer.Login(w, r, auth.Identity{Subject: user, Methods: "pwd"}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.Handle("POST /refresh", issuer.RefreshHandler())
	mux.Handle("POST /logout", issuer.LogoutHandler())
	mux.Handle("GET /me", guard.Require(http.HandlerFunc(me)))
	mux.Handle("GET /devices", guard.Require(devices(issuer)))
	mux.Handle("POST /logout-everywhere", guard.Require(logoutEverywhere(issuer)))
	return mux
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

func devices(issuer *token.Issuer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		list, err := issuer.Logins(r.Context(), id.Subject)
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(list)
	}
}

func logoutEverywhere(issuer *token.Issuer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		if err := issuer.LogoutAll(r.Context(), id.Subject); err != nil {
			middleware.Deny(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// isPassword is a STUB with one account. Replace it by a lookup of users and hashes.
func isPassword(user, password string) bool {
	return user == "alice" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}
