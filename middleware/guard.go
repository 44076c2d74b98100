// Package middleware stands before handlers and lets through only who may
// pass. A [Guard] asks an [Authenticator], a session manager or a token
// verifier, who sent a request, puts the answer into the request's context and
// refuses the rest:
//
//	guard := &middleware.Guard{Authenticator: sessions, LoginPage: "/login"}
//	http.Handle("GET /me", guard.Require(http.HandlerFunc(me)))
//	http.Handle("GET /reports", guard.RequireScope("reports:read")(reports))
//
// Each guard checks for itself: there is none that only looks and leaves it to
// another to refuse. [Isolate] and [SecurityHeaders] stand before a whole site, and
// package throttle limits what can be guessed. Nothing wraps the ResponseWriter, so
// streaming, file serving, WebSockets and [http.ResponseController] work as without
// it.
package middleware

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/stored"
)

// Authenticator finds out who sent a request. session.Manager and
// token.Verifier are Authenticators. It is called by many goroutines at once.
type Authenticator interface {
	// Authenticate returns who sent r, with a Subject that is not empty. It
	// does not change r.
	//
	// The error is one of the three outcomes of package auth: it wraps
	// [auth.ErrUnauthenticated] if there is no valid credential, and
	// [auth.ErrNoCredential] only if there is none at all or its session is
	// over; it wraps [auth.ErrForbidden] if the request must not be served;
	// any other error says that the question could not be answered.
	Authenticate(r *http.Request) (auth.Identity, error)
}

// Challenger is an Authenticator that tells a refused client what to do. One
// that hides it behind a wrapper costs headers, never safety.
type Challenger interface {
	// Challenge is called before a guard denies r because of err, and adds to
	// the header of the response, such as a WWW-Authenticate field (RFC 9110,
	// 11.6.1). It deletes no cookie: the browser may have a newer one by now.
	// err is that of Authenticate or of the guard, such as an
	// [auth.InsufficientError].
	Challenge(h http.Header, r *http.Request, err error)
}

// Guard makes middleware that admits requests by who sent them. Its fields are
// set before its first use and not changed after; then it may be used by many
// goroutines at once. Its methods panic if Authenticator is nil or LoginPage
// leads nowhere, since a program must not start with an open door.
//
// The response to an authenticated request says Cache-Control: no-store, unless
// the handler says otherwise (ASVS 5.0, 14.3.2). A page that is stored may come
// back by the Back button after log-out. Whatever a guard lets through
// says Vary: Cookie, Authorization beside what was there, so that no cache gives
// to one what was meant for another (ASVS 5.0, 14.2.2): add to it, and replace
// it only by more. An Authenticator of your own that reads other fields of the
// request has to have them added.
//
// A guard inside of another takes over the identity if that is the same *Guard
// and the request still has the method, host, path and header map that it
// checked; it does not notice a header that was changed in the map. It never
// takes over the identity of another guard, or of [auth.NewContext].
//
// The handler gets a copy of the request, whose context has the identity. When it
// returns or panics, the guard removes the temporary files of a multipart form
// that was parsed in the copy. Middleware outside of the guard sees the Pattern of
// a mux inside, and not the Form.
type Guard struct {
	// Authenticator says who sent a request. It is required.
	Authenticator Authenticator

	// LoginPage is the page to which [Deny] sends a browser that navigates
	// without a valid credential: a path such as "/login", or an http or https
	// URL. Empty means none: everybody gets a plain 401.
	LoginPage string

	// Deny writes the response to a request that the guard does not let
	// through. err is one of the three outcomes of package auth. Nil means
	// [Deny], which knows LoginPage by the context of r. The response says Cache-Control: no-store, unless
	// Deny says otherwise. Handlers that refuse by themselves call [Deny], not
	// this.
	Deny func(w http.ResponseWriter, r *http.Request, err error)

	// Events hears of each request whose sender is known and lacks what the
	// guard requires, as [auth.EventDenied] (ASVS 5.0, 16.3.2). The default is
	// nobody. Of bad credentials the mode tells, by its own hook.
	Events func(context.Context, auth.Event)
}

// Require admits whoever is authenticated.
func (g *Guard) Require(next http.Handler) http.Handler {
	return g.admit(next, nil)
}

// Optional admits whoever is authenticated, and requests without a credential
// as anonymous: [auth.FromContext] then says false. A credential that is
// present but not valid is refused all the same. What is served to anonymous
// requests may be cached, for others without a credential alone: it says Vary
// and no Cache-Control.
func (g *Guard) Optional(next http.Handler) http.Handler {
	g.mustWork(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, c, err := g.authenticate(r)
		switch {
		case err == nil:
			c.serve(next, w, r, admitted)
		case errors.Is(err, auth.ErrNoCredential):
			addVary(w.Header(), make([]string, 0, 2))
			serveCopy(next, w, r, anonymous(r))
		default:
			g.deny(w, r, err)
		}
	})
}

// admit is the body of every guard that requires something.
func (g *Guard) admit(next http.Handler, check func(auth.Identity) error) http.Handler {
	g.mustWork(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, c, err := g.authenticate(r)
		if err == nil && check != nil {
			if err = check(c.identity); err != nil {
				g.denied(r, c.identity, err)
			}
		}
		if err != nil {
			g.deny(w, r, err)
			return
		}
		c.serve(next, w, r, admitted)
	})
}

// mustWork panics for what would be an open or a broken door.
func (g *Guard) mustWork(next http.Handler) {
	switch {
	case g == nil || isNil(g.Authenticator):
		panic("middleware: Guard without an Authenticator")
	case isNil(next):
		panic("middleware: Guard before no handler")
	case g.LoginPage != "" && parseLoginPage(g.LoginPage) == nil:
		panic("middleware: Guard: LoginPage is neither a path nor an http URL")
	}
}

// isNil also sees the nil pointer or function inside of an interface, which is
// what a constructor whose error was ignored leaves behind.
func isNil(v any) bool {
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Pointer, reflect.Func:
		return value.IsNil()
	}
	return !value.IsValid()
}

// authenticate returns the request with the identity in its context, and what
// is known of it.
func (g *Guard) authenticate(r *http.Request) (*http.Request, *guarded, error) {
	if c, _ := r.Context().Value(guardKey{}).(*guarded); c != nil && c.guard == g && c.speaksFor(r) {
		return r, c, nil
	}
	id, err := g.Authenticator.Authenticate(r)
	if err != nil {
		return nil, nil, err
	}
	if id.Subject == "" {
		return nil, nil, errors.New("middleware: the authenticator returned an identity without a subject")
	}
	c := newGuarded(g, r, id)
	return withContext(r, c), c, nil
}

// denied tells of an identity that is not let through.
func (g *Guard) denied(r *http.Request, id auth.Identity, err error) {
	if g.Events == nil {
		return
	}
	e := auth.Event{Kind: auth.EventDenied, Time: time.Now().UTC(), Source: "guard"}
	// An issuer elsewhere may have put anything into them.
	e.Subject, e.LoginID = stored.Printable(id.Subject, 255), stored.Printable(id.LoginID, 128)
	var lacks *auth.InsufficientError
	switch {
	case errors.As(err, &lacks) && lacks.Scope != "":
		e.Reason = "insufficient scope"
	case errors.As(err, &lacks):
		e.Reason = "insufficient user authentication"
	case !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrUnauthenticated):
		e.Kind, e.Err = auth.EventFault, err
	}
	g.Events(r.Context(), e)
}

func (g *Guard) deny(w http.ResponseWriter, r *http.Request, err error) {
	if c, ok := g.Authenticator.(Challenger); ok {
		c.Challenge(w.Header(), r, err)
	}
	refused := r
	if g.LoginPage != "" {
		refused = withContext(r, context.WithValue(r.Context(), loginPageKey{}, g.LoginPage))
		defer endCopy(r, refused)
	}
	if g.Deny != nil {
		w.Header().Set("Cache-Control", "no-store")
		g.Deny(w, refused, err)
		return
	}
	Deny(w, refused, err)
}
