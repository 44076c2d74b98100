package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
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

// config is what a site is made of.
type config struct {
	Accounts accounts
	Messages messages
	Store    store.Store // of logins, links and counts of attempts
	Key      []byte      // of cookies that are not sessions
	Mail     mailer
	Staff    string // address of an account that has this role
	Limits   auth.Limits
	Proxies  []netip.Prefix
	Insecure bool
	Notice   string // on each page
	Log      *slog.Logger
}

// site has the handlers.
type site struct {
	accounts  accounts
	messages  messages
	passwords *password.Hasher
	sessions  *session.Manager
	origin    auth.CrossOrigin  // refuses forms of other sites
	logins    *throttle.Limiter // guesses at a password
	mails     *throttle.Limiter // mails with a link
	links     *onetime.Tokens   // in these mails
	notices   *cookie.Sealed[string]
	mail      mailer
	staff     string
	proxies   []netip.Prefix
	notice    string
	log       *slog.Logger
}

// newSite connects the parts of the library, which share one store.
func newSite(c config) (*site, error) {
	// RequireOrigin also refuses browsers that do not say where a form comes from.
	s := &site{
		accounts: c.Accounts, messages: c.Messages, mail: c.Mail, staff: c.Staff, origin: auth.RequireOrigin(nil),
		proxies: c.Proxies, notice: c.Notice, log: c.Log,
	}
	lax := func(name string) cookie.Policy {
		if c.Insecure {
			return cookie.New(name).SameSiteLax().Insecure()
		}
		return cookie.New(name).SameSiteLax()
	}
	sealer, err := cookie.NewSealer(c.Key)
	if err != nil {
		return nil, err
	}
	if s.passwords, err = password.New(password.Config{ContextWords: []string{siteName, strings.ReplaceAll(siteName, " ", "")}}); err != nil {
		return nil, err
	}
	s.sessions, err = session.New(session.Config{
		Store: c.Store, Cookie: lax("session"), Limits: c.Limits, CrossOrigin: s.origin, Device: s.device, Events: s.event,
	})
	if err != nil {
		return nil, err
	}
	s.logins, err = throttle.New(throttle.Config{
		Store: c.Store, Sealer: sealer, Cookie: lax("device"), TrustedProxies: c.Proxies, CrossOrigin: s.origin, Events: s.event,
	})
	if err != nil {
		return nil, err
	}
	// It also counts mails that were sent. With NeverLock an attacker cannot lock an address
	// permanently. Each mail is reported as a failure, so it has no hook.
	s.mails, err = throttle.New(throttle.Config{
		Store: c.Store, Namespace: "mails", MaxFailures: throttle.NeverLock, AddressFailures: 10,
		TrustedProxies: c.Proxies, CrossOrigin: s.origin,
	})
	if err != nil {
		return nil, err
	}
	if s.links, err = onetime.New(onetime.Config{Store: c.Store}); err != nil {
		return nil, err
	}
	s.notices, err = cookie.NewSealed[string](lax("notice"), sealer, time.Minute)
	return s, err
}

// staffRole is the role that the page of the staff requires.
const staffRole = "staff"

func (s *site) routes() http.Handler {
	guard := &middleware.Guard{Authenticator: current{s.sessions, s}, LoginPage: "/login", Deny: s.deny, Events: s.event}
	keeping := &middleware.Guard{Authenticator: guard.Authenticator, LoginPage: "/login", Deny: s.keepText, Events: s.event}
	mux := http.NewServeMux()

	// These take no notice of a session, so a browser with a broken cookie can log in.
	mux.HandleFunc("GET /login", s.form("login"))
	mux.HandleFunc("POST /login", s.posted("login", s.login))
	mux.HandleFunc("GET /welcome", s.welcome)
	mux.HandleFunc("GET /signup", s.form("signup"))
	mux.HandleFunc("POST /signup", s.posted("signup", s.signup))
	mux.HandleFunc("GET /forgotten", s.form("forgotten"))
	mux.HandleFunc("POST /forgotten", s.posted("forgotten", s.forgotten))
	mux.HandleFunc("GET /set", s.form("set"))
	mux.HandleFunc("POST /set", s.posted("set", s.set))
	mux.HandleFunc("GET /static/{file}", static)
	mux.HandleFunc("/", s.notFound)

	mux.Handle("GET /{$}", guard.Optional(s.form("home")))
	mux.Handle("POST /cart", guard.Optional(s.posted("home", s.addToCart)))
	mux.Handle("POST /cart/empty", guard.Optional(s.posted("home", s.emptyCart)))

	mux.Handle("GET /account", guard.Require(s.form("account")))
	mux.Handle("POST /password", guard.Require(s.posted("account", s.change)))
	mux.Handle("POST /logout", guard.Require(s.posted("account", s.logout)))
	mux.Handle("POST /logout-one", guard.Require(s.posted("account", s.logoutOne)))
	mux.Handle("POST /logout-everywhere", guard.Require(s.posted("account", s.logoutEverywhere)))

	mux.Handle("GET /contact", keeping.Require(s.form("contact")))
	mux.Handle("POST /contact", keeping.Require(s.posted("contact", s.contact)))
	mux.Handle("GET /staff", guard.RequireScope(staffRole)(s.form("staff")))
	return middleware.SecurityHeaders(mux)
}

// event logs what the library reports. An event contains no secret.
func (s *site) event(ctx context.Context, e auth.Event) {
	level := slog.LevelInfo
	if e.Kind == auth.EventFault {
		level = slog.LevelError
	}
	s.log.Log(ctx, level, string(e.Kind), "subject", e.Subject, "login", e.LoginID, "reason", e.Reason, "error", e.Err)
}
