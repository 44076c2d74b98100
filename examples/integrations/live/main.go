// Live keeps two connections open for a logged-in user, a stream of server-sent events and a
// WebSocket, and closes both when the login ends: by a logout in another tab or process, or
// by expiry.
//
//	go -C examples/integrations run ./live
//	go -C examples/integrations run ./live -redis redis://localhost:6379
//
// Open http://localhost:8080 in two tabs, log in as alice with "correct horse", and log out
// in one of them.
package main

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/redisstore"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	redis := flag.String("redis", "", "`URL` of a Redis server; sessions are in memory if it is empty")
	lifetime := flag.Duration("lifetime", 24*time.Hour, "maximum `duration` of a login")
	flag.Parse()
	s, err := open(*redis)
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := session.New(session.Config{Store: s, Limits: auth.Limits{Lifetime: *lifetime}})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	// There is no WriteTimeout: it would end the streams.
	server := &http.Server{Handler: routes(sessions), ReadHeaderTimeout: 5 * time.Second}
	log.Printf("listening on http://%s", listener.Addr())
	log.Fatal(server.Serve(listener))
}

// open opens the store. The near cache of Redis reports a logout of another process at once.
func open(redis string) (store.Store, error) {
	if redis == "" {
		return &store.Memory{}, nil
	}
	return redisstore.OpenNear(context.Background(), redis)
}

//go:embed page.html
var page string

func routes(sessions *session.Manager) http.Handler {
	guard := &middleware.Guard{Authenticator: sessions}
	live := &live{sessions}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) })
	mux.Handle("GET /events", guard.Require(http.HandlerFunc(live.events)))
	mux.Handle("GET /socket", guard.Require(http.HandlerFunc(live.socket)))
	mux.HandleFunc("POST /login", home(func(w http.ResponseWriter, r *http.Request) error {
		if !account(r.PostFormValue("user"), r.PostFormValue("password")) {
			return errWrong
		}
		return sessions.Login(w, r, auth.Identity{Subject: r.PostFormValue("user"), Methods: "pwd"})
	}))
	mux.HandleFunc("POST /logout", home(sessions.Logout))
	mux.Handle("POST /logout-everywhere", guard.Require(home(func(_ http.ResponseWriter, r *http.Request) error {
		id, _ := auth.FromContext(r.Context())
		return sessions.LogoutAll(r.Context(), id.Subject)
	})))
	return mux
}

// home leads back to the page after a form.
func home(do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			middleware.Deny(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

var errWrong = errors.Join(auth.ErrUnauthenticated, errors.New("wrong user or password"))

// account is a STUB with one password. Replace it by a lookup of users and hashes.
func account(user, password string) bool {
	return user != "" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}
