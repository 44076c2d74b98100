// Package middleware authenticates and authorizes HTTP requests before they reach a
// handler.
//
// A [Guard] asks an [Authenticator], such as a session manager or a token verifier,
// for the identity of each request. It stores the identity in the context of the
// request and refuses requests that do not meet its requirement:
//
//	guard := &middleware.Guard{Authenticator: sessions, LoginPage: "/login"}
//	http.Handle("GET /me", guard.Require(http.HandlerFunc(me)))
//	http.Handle("GET /reports", guard.RequireScope("reports:read")(reports))
//
// The handler reads the identity with [auth.FromContext]. Every guard refuses
// requests itself; none of them only authenticates and leaves the refusal to another
// handler.
//
// [Isolate] and [SecurityHeaders] wrap a whole site. Package throttle limits guessing
// attempts.
//
// The middleware does not wrap the ResponseWriter, so streaming, file serving,
// WebSockets and [http.ResponseController] work as without it.
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

// Authenticator authenticates requests. session.Manager and token.Verifier implement
// it. An Authenticator must be safe for concurrent use.
type Authenticator interface {
	// Authenticate returns the identity of the sender of r. The identity has a
	// non-empty Subject. Authenticate does not modify r.
	//
	// The error is one of the three outcomes of package auth. It wraps
	// [auth.ErrUnauthenticated] if there is no valid credential, and
	// [auth.ErrNoCredential] only if there is no credential at all or its session has
	// ended. It wraps [auth.ErrForbidden] if the request must not be served. Any
	// other error means that the request could not be checked.
	Authenticate(r *http.Request) (auth.Identity, error)
}

// Challenger is an Authenticator that adds challenges to the responses to refused
// requests. A wrapper that hides the Challenge method omits the challenge headers;
// access control is unaffected.
type Challenger interface {
	// Challenge adds headers such as WWW-Authenticate (RFC 9110, 11.6.1) to h, the
	// header of the response. A guard calls it before it denies r because of err,
	// which is the error of Authenticate or of the guard itself, such as an
	// [auth.InsufficientError]. Challenge may delete the cookie of a credential that
	// has ended, but only where the browser cannot have a newer cookie yet.
	Challenge(h http.Header, r *http.Request, err error)
}

// Guard creates middleware that admits requests by the identity of their sender. Set
// its fields before the first use and do not change them afterwards; it is then safe
// for concurrent use. Its methods panic if Authenticator is nil or LoginPage is not
// valid, because a misconfigured program must not start and serve unprotected
// handlers.
//
// Responses to authenticated requests have Cache-Control: no-store unless the handler
// sets another value (ASVS 5.0, 14.3.2). A browser may show a stored page after
// logout when the user presses Back.
//
// Responses to all requests that a guard admits have Vary: Cookie, Authorization in
// addition to existing values, so that no cache serves one user's response to another
// (ASVS 5.0, 14.2.2). A handler should add to Vary; it may replace the value only by
// one that includes both. An Authenticator that reads other request headers needs
// these added to Vary as well.
//
// A guard nested in another guard reuses the identity if both are the same *Guard and
// the request still has the method, host, path and header map that were checked. It
// does not notice a header that was changed in that map. It never reuses the identity
// of another guard, or one set by [auth.NewContext].
//
// The handler gets a copy of the request whose context has the identity. When the
// handler returns or panics, the guard removes the temporary files of a multipart
// form that was parsed in the copy. Middleware outside of the guard sees the Pattern
// of an inner mux, but not the Form.
type Guard struct {
	// Authenticator authenticates requests. It is required.
	Authenticator Authenticator

	// LoginPage is the page to which [Deny] redirects a browser that navigates
	// without a valid credential. It is a path such as "/login", or an http or https
	// URL. If it is empty, all such requests get a plain 401.
	LoginPage string

	// Deny writes the response to a request that the guard refuses. err is one of the
	// three outcomes of package auth. The response has Cache-Control: no-store unless
	// Deny sets another value. The default is the function [Deny], which gets
	// LoginPage from the context of r; [Explain] is for development. Handlers that refuse requests themselves call
	// the function [Deny], not this field.
	Deny func(w http.ResponseWriter, r *http.Request, err error)

	// Events receives an [auth.EventDenied] for each authenticated request that does
	// not meet the requirement of the guard (ASVS 5.0, 16.3.2), or an
	// [auth.EventFault] if the check of [Guard.RequireThat] failed. Nil discards
	// them. Invalid credentials are reported by the hook of the session manager or
	// the token verifier.
	Events func(context.Context, auth.Event)
}

// Require admits authenticated requests.
func (g *Guard) Require(next http.Handler) http.Handler {
	return g.admit(next, nil)
}

// Optional admits authenticated requests, and requests without a credential as
// anonymous; for these [auth.FromContext] returns false. A credential that is present
// but not valid is refused.
//
// Responses to anonymous requests have Vary but no Cache-Control, so they may be
// cached, but only for other requests without a credential.
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

// admit implements all guards that require authentication. check may be nil.
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

// mustWork panics if the guard or its handler is misconfigured.
func (g *Guard) mustWork(next http.Handler) {
	switch {
	case g == nil || isNil(g.Authenticator):
		panic("middleware: Guard.Authenticator is required")
	case isNil(next):
		panic("middleware: Guard: the handler is nil")
	case g.LoginPage != "" && parseLoginPage(g.LoginPage) == nil:
		panic("middleware: Guard.LoginPage is neither a path nor an http or https URL")
	}
}

// isNil also detects a nil pointer or function in an interface, as left behind by a
// constructor whose error was ignored.
func isNil(v any) bool {
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Pointer, reflect.Func:
		return value.IsNil()
	}
	return !value.IsValid()
}

// authenticate returns a request whose context has the identity, and the record of
// what was authenticated.
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

// denied reports that an authenticated request is refused.
func (g *Guard) denied(r *http.Request, id auth.Identity, err error) {
	if g.Events == nil {
		return
	}
	e := auth.Event{Kind: auth.EventDenied, Time: time.Now().UTC(), Source: "guard"}
	// An external issuer controls these values.
	e.Subject, e.LoginID = stored.Printable(id.Subject, 255), stored.Printable(id.LoginID, 128)
	e.Actor = stored.Printable(id.Actor, 255)
	var lacks *auth.InsufficientError
	switch {
	case errors.Is(err, errActor):
		e.Reason = "made by an actor"
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
