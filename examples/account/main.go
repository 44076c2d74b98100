// Account is a site with everything around a login: choosing, guessing, changing and
// resetting a password. Run it,
//
//	go run ./examples/account
//
// open it in a browser, and create an account. The link that an email would contain
// is in the log.
//
// Guesses are limited by account, address and browser. A user who has forgotten the
// password gets a link that works once. Changing a password signs out all other
// sessions, even if the store fails for a while. Forms prove that they come from the
// site. Messages are shown once. Visitors have no session before they log in. The
// cookies are Secure, so Safari does not accept them from http://localhost.
package main

import (
	"crypto/rand"
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on")
	flag.Parse()

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	origin := "http://" + listener.Addr().String()
	s, err := newSite(&store.Memory{}, func(to, link string) { log.Printf("to %q: %s%s", to, origin, link) })
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on " + origin)
	server := &http.Server{Handler: http.MaxBytesHandler(s.routes(), 16<<10), ReadTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}

// site has the handlers.
type site struct {
	accounts  accounts
	passwords *password.Hasher
	sessions  *session.Manager
	guard     *middleware.Guard
	origin    auth.CrossOrigin  // of forms without a session
	logins    *throttle.Limiter // guesses at a password
	mails     *throttle.Limiter // emails to reset a password
	newcomers *throttle.Limiter // new accounts
	links     *onetime.Tokens   // in these emails
	messages  *cookie.Sealed[string]
	mail      func(to, link string)
}

// newSite connects the parts, which share one store. mail must only enqueue the message:
// waiting for a mail server would reveal by time whether an account exists.
func newSite(db store.Store, mail func(to, link string)) (*site, error) {
	s := &site{mail: mail, origin: auth.RequireOrigin(nil)}
	key := make([]byte, 32) // store it with other secrets, and use the same key on all hosts
	rand.Read(key)
	sealer, err := cookie.NewSealer(key)
	if err != nil {
		return nil, err
	}
	if s.passwords, err = password.New(password.Config{ContextWords: []string{"authlatch"}}); err != nil {
		return nil, err
	}
	if s.sessions, err = session.New(session.Config{Store: db}); err != nil {
		return nil, err
	}
	if s.logins, err = throttle.New(throttle.Config{Store: db, Sealer: sealer}); err != nil {
		return nil, err
	}
	// These also count successful requests. With NeverLock an attacker cannot lock them
	// permanently. Each request is reported as a failure, so do not use the hook of logins.
	mails := throttle.Config{Store: db, Namespace: "mails", MaxFailures: throttle.NeverLock}
	if s.mails, err = throttle.New(mails); err != nil {
		return nil, err
	}
	newcomers := throttle.Config{Store: db, Namespace: "register", MaxFailures: throttle.NeverLock, AddressFailures: 10}
	if s.newcomers, err = throttle.New(newcomers); err != nil {
		return nil, err
	}
	if s.links, err = onetime.New(onetime.Config{Store: db}); err != nil {
		return nil, err
	}
	s.messages, err = cookie.NewSealed[string](cookie.New("message").SameSiteLax(), sealer, time.Minute)
	s.guard = &middleware.Guard{Authenticator: current{s.sessions, s}, LoginPage: "/login"}
	return s, err
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", s.form("login"))
	mux.HandleFunc("POST /login", s.posted("login", s.login))
	mux.HandleFunc("GET /register", s.form("register"))
	mux.HandleFunc("POST /register", s.posted("register", s.register))
	mux.HandleFunc("GET /forgotten", s.form("forgotten"))
	mux.HandleFunc("POST /forgotten", s.posted("forgotten", s.forgotten))
	mux.HandleFunc("GET /reset", s.form("reset"))
	mux.HandleFunc("POST /reset", s.posted("reset", s.reset))
	mux.HandleFunc("GET /style.css", style)
	mux.Handle("GET /{$}", s.guard.Require(s.form("account")))
	mux.Handle("POST /logout", s.guard.Require(s.posted("account", s.logout)))
	mux.Handle("POST /password", s.guard.Require(s.posted("account", s.change)))
	return middleware.SecurityHeaders(mux)
}
