// Twoorigins is an API for a page of another origin: app.example.test and
// api.example.test, or two ports of localhost. The page is in the folder page: Vite, React,
// TypeScript and axios. README.md says how to run both, and what each line of CORS is for.
//
//	go -C examples/integrations run ./twoorigins
//
// The account is alice, the password "correct horse".
package main

import (
	"crypto/subtle"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rs/cors"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	page := flag.String("page", "http://localhost:5173", "the `origin` of the page")
	access := flag.Duration("access", 10*time.Minute, "how long an access token is valid")
	flag.Parse()

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	origin := "http://" + listener.Addr().String()
	api, err := newHandler(origin, *page, *access)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on " + origin)
	server := &http.Server{Handler: api, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.Serve(listener))
}

func newHandler(origin, page string, access time.Duration) (http.Handler, error) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	// The page's origin may log in, refresh and log out. Without it, these are 403.
	origins := http.NewCrossOriginProtection()
	if err := origins.AddTrustedOrigin(page); err != nil {
		return nil, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{},
		Issuer: origin, Audience: origin, ClientID: "page",
		AccessLifetime: access, CrossOrigin: origins,
	})
	if err != nil {
		return nil, err
	}
	// The API may be a program of its own: it needs only the public keys. Here both have
	// one clock, and a token of a few seconds is to end on time.
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: origin, Audience: origin, Leeway: token.NoLeeway})
	if err != nil {
		return nil, err
	}
	return withCORS(page, routes(issuer, &middleware.Guard{Authenticator: verifier})), nil
}

// withCORS stands outside of the guards, because a preflight request has no credential
// and a refusal must be readable by the page as well.
func withCORS(page string, api http.Handler) http.Handler {
	return cors.New(cors.Options{
		AllowedOrigins:   []string{page},
		AllowCredentials: true,
		AllowedMethods:   []string{http.MethodGet, http.MethodPost},
		AllowedHeaders:   []string{"Authorization", "Content-Type", token.AttemptHeader},
		ExposedHeaders:   []string{"WWW-Authenticate", "Retry-After"},
	}).Handler(api)
}

func routes(issuer *token.Issuer, guard *middleware.Guard) http.Handler {
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
	mux.Handle("GET /payments", guard.Require(http.HandlerFunc(payments)))
	return mux
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	respond(w, map[string]string{"user": id.Subject})
}

func payments(w http.ResponseWriter, r *http.Request) {
	respond(w, []string{"rent 700.00", "coffee 2.80", "books 31.50"})
}

func respond(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body)
}

// isPassword is a STUB with one account. Replace it by a lookup of users and hashes.
func isPassword(user, password string) bool {
	return user == "alice" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}
