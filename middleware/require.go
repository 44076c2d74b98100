package middleware

import (
	"fmt"
	"net/http"
	"time"

	"github.com/authlatch/auth"
)

// RequireScope admits requests that were granted scope, or each of several
// space-separated scopes (RFC 6749, 3.3). Others get 403 insufficient_scope (RFC
// 6750, 3.1; ASVS 5.0, 8.2.1). It panics if scope is empty or has a character that is
// not allowed in a scope.
func (g *Guard) RequireScope(scope string) func(http.Handler) http.Handler {
	required := auth.Words(scope)
	probe := auth.Identity{Subject: "probe", Scopes: required}
	if scope == "" || probe.Validate() != nil {
		panic("middleware: RequireScope: scope is empty or malformed")
	}
	missing := &auth.InsufficientError{Scope: required}
	return g.RequireThat(func(id auth.Identity) error {
		if !hasAll(id.Scopes, required) {
			return missing
		}
		return nil
	})
}

// RequireMethods admits users who authenticated by the given method, or by each of
// several space-separated methods, such as "otp" or "pwd hwk" (amr; RFC 8176). Others
// are asked to log in again: 401 insufficient_user_authentication (RFC 9470, 3; ASVS
// 5.0, 6.8.4), or a redirect to the login page. A login that states no methods has
// none. RequireMethods panics if methods is empty or has a character that is not
// allowed in a method.
func (g *Guard) RequireMethods(methods string) func(http.Handler) http.Handler {
	required := auth.Words(methods)
	probe := auth.Identity{Subject: "probe", Methods: required}
	if methods == "" || probe.Validate() != nil {
		panic("middleware: RequireMethods: methods is empty or malformed")
	}
	missing := &auth.InsufficientError{Methods: required}
	return g.RequireThat(func(id auth.Identity) error {
		if !hasAll(id.Methods, required) {
			return missing
		}
		return nil
	})
}

// RequireRecent admits users who authenticated within the last maxAge, by AuthTime.
// Others are asked to log in again: 401 insufficient_user_authentication (RFC 9470,
// 3; ASVS 5.0, 7.5.1), or a redirect to the login page. It panics if maxAge is not
// positive.
//
// Guard the page with the form as well, with a shorter maxAge, because a refused form
// submission is lost and the redirect has no "next".
func (g *Guard) RequireRecent(maxAge time.Duration) func(http.Handler) http.Handler {
	if maxAge <= 0 {
		panic("middleware: RequireRecent: maxAge is not positive")
	}
	tooOld := &auth.InsufficientError{MaxAge: maxAge}
	return g.RequireThat(func(id auth.Identity) error {
		if time.Since(id.AuthTime) > maxAge {
			return tooOld
		}
		return nil
	})
}

// RequireSelf refuses requests that an actor makes for the subject, such as an
// administrator or a delegated agent, with 403 (see Actor of [auth.Identity]). Use it for
// what only the subject itself may do: change a password or an email address, pay, delete
// the account. It refuses all requests that [Guard.Require] refuses. To require more,
// nest it in another method of the same guard:
//
//	guard.RequireRecent(10 * time.Minute)(guard.RequireSelf(handler))
func (g *Guard) RequireSelf(next http.Handler) http.Handler {
	return g.admit(next, func(id auth.Identity) error {
		if id.Actor != "" {
			return errActor
		}
		return nil
	})
}

// errActor is the error of RequireSelf.
var errActor = fmt.Errorf("middleware: the request is made by an actor: %w", auth.ErrForbidden)

// RequireThat admits authenticated requests for which check returns nil. The error of
// check is one of the three outcomes of package auth: one that wraps neither
// [auth.ErrForbidden] nor [auth.ErrUnauthenticated] is served as 503. RequireThat
// panics if check is nil.
func (g *Guard) RequireThat(check func(auth.Identity) error) func(http.Handler) http.Handler {
	if check == nil {
		panic("middleware: RequireThat: check is nil")
	}
	return func(next http.Handler) http.Handler { return g.admit(next, check) }
}

func hasAll(granted, required auth.Words) bool {
	for word := range required.All() {
		if !granted.Has(word) {
			return false
		}
	}
	return true
}
