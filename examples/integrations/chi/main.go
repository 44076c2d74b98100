// Chi is a go-chi/chi service whose routes are protected by a guard, with sessions. A guard
// creates chi middleware, so no adapter is needed.
//
//	go -C examples/integrations run ./chi
//	curl -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -b jar http://localhost:8080/me
//	curl -b jar http://localhost:8080/reports
//	curl -b jar -c jar -X POST http://localhost:8080/logout
//
// Alice may read reports, bob may not. Both have the same password.
package main

import (
	"crypto/subtle"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	flag.Parse()
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: routes(sessions), ReadHeaderTimeout: 5 * time.Second}
	log.Printf("listening on http://%s", listener.Addr())
	log.Fatal(server.Serve(listener))
}

func routes(sessions *session.Manager) http.Handler {
	guard := &middleware.Guard{Authenticator: sessions}
	r := chi.NewRouter()
	r.Post("/login", func(w http.ResponseWriter, r *http.Request) {
		id, ok := account(r.PostFormValue("user"), r.PostFormValue("password"))
		if !ok {
			http.Error(w, "wrong user or password", http.StatusUnauthorized)
		} else if err := sessions.Login(w, r, id); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	r.Post("/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(w, r); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	r.Group(func(r chi.Router) { // these routes require a login
		r.Use(guard.Require)
		r.Get("/me", me)
		r.With(guard.RequireScope("reports:read")).Get("/reports", reports)
	})
	return r
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

func reports(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "all is well") }

// account is a STUB with two accounts and one password. Replace it by a lookup of users
// and hashes.
func account(user, password string) (auth.Identity, bool) {
	scopes, ok := map[string]auth.Words{"alice": "reports:read", "bob": ""}[user]
	ok = ok && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
	return auth.Identity{Subject: user, Scopes: scopes, Methods: "pwd"}, ok
}
