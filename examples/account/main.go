// Account is a site with all that stands around a log-in: a password that is
// chosen, guessed, changed and forgotten. Open it in a browser,
//
//	go run ./examples/account
//
// and make an account. The link that a mail would bring stands in the log.
//
// Guesses are counted by account, address and browser; who forgets a password
// gets a link that works once; who changes one is logged out everywhere else, even
// if the store fails at it for a while; forms prove that they are the site's own;
// messages are shown once; and visitors have no session before they log in. The
// cookies are Secure, which Safari does not take from http://localhost.
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
	mails     *throttle.Limiter // mails to who has forgotten one
	newcomers *throttle.Limiter // accounts that are made
	links     *onetime.Tokens   // in these mails
	messages  *cookie.Sealed[string]
	mail      func(to, link string)
}

// newSite puts the parts together. One store serves them all. mail only hands over,
// to a queue say: to wait for a mail server would tell by time who has an account.
func newSite(db store.Store, mail func(to, link string)) (*site, error) {
	s := &site{mail: mail, origin: auth.RequireOrigin(nil)}
	key := make([]byte, 32) // keep it where other secrets are, and use the same on all hosts
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
	// These count what succeeds as well. With NeverLock no attacker can lock them for
	// good. Events would tell each as a failure: not to the hook that log-ins have.
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
