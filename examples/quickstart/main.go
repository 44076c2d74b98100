// Quickstart is a complete service with login. Run it and try it:
//
//	go run ./examples/quickstart
//	curl -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -b jar http://localhost:8080/me
//
// The second curl prints "hello, alice". Without "-b jar" it prints
// {"title":"Unauthorized","status":401}. This command logs out:
//
//	curl -b jar -c jar -X POST http://localhost:8080/logout
//
// The cookie is Secure. Browsers other than Safari, and curl since 7.79, send such
// cookies to http://localhost as well.
package main

import (
	"crypto/subtle"
	"fmt"
	"log"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func main() {
	// Sessions are kept here. To use another store, change only this line.
	logins, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on http://localhost:8080")
	log.Fatal(http.ListenAndServe("localhost:8080", routes(logins)))
}

func routes(logins *session.Manager) http.Handler {
	guard := &middleware.Guard{Authenticator: logins}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if user := r.PostFormValue("user"); !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong user or password", http.StatusUnauthorized)
		} else if err := logins.Login(w, r, auth.Identity{Subject: user}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := logins.Logout(w, r); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.Handle("GET /me", guard.Require(http.HandlerFunc(me)))
	return mux
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

// isPassword is a STUB with one account. Look users up and check hashes here.
func isPassword(user, password string) bool {
	return user == "alice" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}
