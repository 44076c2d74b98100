// Spa is a page with an API, as for a financial service: an access token of an hour,
// which is never in storage or accessible to other scripts, and a single-use refresh
// token of three hours in a Strict, HttpOnly, Secure cookie. A call that fails
// because its token has expired is repeated after a refresh. The login form returns
// when the refresh token has expired. The account is alice, the password "correct
// horse".
//
//	go run ./examples/spa
//	go run ./examples/spa -access 5s -refresh 30s
//
// Open http://localhost:8080 in one tab or several. With the second command an access
// token expires before the next call, and the login after half a minute without use.
// The page shows each exchange of tokens, and the log each event.
//
// The cookie is Secure. Safari does not keep such cookies from http://localhost: use
// -insecure there. The page and the log say so.
package main

import (
	"context"
	"crypto/subtle"
	"embed"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
	"github.com/authlatch/auth/token/browser"
)

//go:embed page.html page.js style.css
var files embed.FS

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on")
	access := flag.Duration("access", time.Hour, "how long an access token is valid")
	refresh := flag.Duration("refresh", 3*time.Hour, "how long a login lasts without a refresh")
	insecure := flag.Bool("insecure", false, "set a cookie without Secure, for Safari on http://localhost")
	flag.Parse()

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	origin := "http://" + listener.Addr().String()
	kept := cookie.Refresh()
	if *insecure {
		kept = kept.Insecure()
	}
	handler, err := newHandler(origin, kept, *access, *refresh)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on " + origin)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.Serve(listener))
}

func newHandler(origin string, kept cookie.Policy, access, refresh time.Duration) (http.Handler, error) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys,
		// Logins are kept here. To use another store, change only this line.
		Store:  &store.Memory{},
		Issuer: origin, Audience: origin, ClientID: "spa", Cookie: kept,
		AccessLifetime: access, Limits: auth.Limits{IdleTimeout: refresh, Lifetime: max(12*time.Hour, refresh)},
		Events: func(_ context.Context, e auth.Event) { slog.Info("auth", "event", e) },
	})
	if err != nil {
		return nil, err
	}
	// Usually the issuer is the Authenticator. Here both have one clock, and a token of a
	// few seconds is to end on time.
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: origin, Audience: origin, Leeway: token.NoLeeway})
	if err != nil {
		return nil, err
	}
	mux := routes(issuer, &middleware.Guard{Authenticator: verifier})
	mux.HandleFunc("GET /kept", func(w http.ResponseWriter, r *http.Request) {
		if _, ok, _ := kept.Read(r); !ok {
			http.Error(w, "the browser has not kept the refresh cookie", http.StatusNotFound)
		}
	})
	return mux, nil
}

func routes(issuer *token.Issuer, guard *middleware.Guard) *http.ServeMux {
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
	mux.Handle("GET /authlatch.js", browser.Handler())
	mux.HandleFunc("GET /{$}", serveFile("page.html"))
	mux.HandleFunc("GET /page.js", serveFile("page.js"))
	mux.HandleFunc("GET /style.css", serveFile("style.css"))
	return mux
}

// serveFile serves a part of the page. The policy allows no other scripts.
func serveFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		http.ServeFileFS(w, r, files, name)
	}
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

// isPassword is a STUB with one account. Replace it by a lookup of users and hashes.
func isPassword(user, password string) bool {
	return user == "alice" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}
