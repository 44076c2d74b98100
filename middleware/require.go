package middleware

import (
	"net/http"
	"time"

	"github.com/authlatch/auth"
)

// RequireScope admits whoever was granted scope, or each of several scopes with
// spaces between them (RFC 6749, 3.3). Others get 403 insufficient_scope
// (RFC 6750, 3.1; ASVS 5.0, 8.2.1). It panics if scope is empty or has a
// character that no scope may have.
func (g *Guard) RequireScope(scope string) func(http.Handler) http.Handler {
	required := auth.Words(scope)
	probe := auth.Identity{Subject: "probe", Scopes: required}
	if scope == "" || probe.Validate() != nil {
		panic("middleware: RequireScope of no scope")
	}
	missing := &auth.InsufficientError{Scope: required}
	return g.RequireThat(func(id auth.Identity) error {
		if !hasAll(id.Scopes, required) {
			return missing
		}
		return nil
	})
}

// RequireMethods admits whoever has proved itself in the given way, or in each
// of several with spaces between them: "otp" say, or "pwd hwk" (amr; RFC 8176).
// Others are asked to log in again: 401 insufficient_user_authentication
// (RFC 9470, 3; ASVS 5.0, 6.8.4), or the log-in page. A log-in that tells no
// methods has none. It panics if methods is empty or has a character that no
// method may have.
func (g *Guard) RequireMethods(methods string) func(http.Handler) http.Handler {
	required := auth.Words(methods)
	probe := auth.Identity{Subject: "probe", Methods: required}
	if methods == "" || probe.Validate() != nil {
		panic("middleware: RequireMethods of no method")
	}
	missing := &auth.InsufficientError{Methods: required}
	return g.RequireThat(func(id auth.Identity) error {
		if !hasAll(id.Methods, required) {
			return missing
		}
		return nil
	})
}

// RequireRecent admits whoever has proved itself within the last maxAge, by
// AuthTime. Others are asked to log in again: 401
// insufficient_user_authentication (RFC 9470, 3; ASVS 5.0, 7.5.1), or the
// log-in page. A form that is refused is lost, and the log-in page is not told
// where to go back to: guard the page with the form as well, with a shorter maxAge.
// It panics if maxAge is not positive.
func (g *Guard) RequireRecent(maxAge time.Duration) func(http.Handler) http.Handler {
	if maxAge <= 0 {
		panic("middleware: RequireRecent of no time")
	}
	tooOld := &auth.InsufficientError{MaxAge: maxAge}
	return g.RequireThat(func(id auth.Identity) error {
		if time.Since(id.AuthTime) > maxAge {
			return tooOld
		}
		return nil
	})
}

// RequireThat admits whoever is authenticated and for whom check returns nil.
// Its error is one of the three outcomes: [auth.ErrForbidden] refuses, and any
// error of another kind is served as 503. It panics if check is nil.
func (g *Guard) RequireThat(check func(auth.Identity) error) func(http.Handler) http.Handler {
	if check == nil {
		panic("middleware: RequireThat of nothing")
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
