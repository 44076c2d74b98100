package auth

import (
	"errors"
	"fmt"
	"time"
)

// A check succeeds, or fails with one of three outcomes, which [errors.Is]
// distinguishes. An error that wraps neither [ErrUnauthenticated] nor
// [ErrForbidden] is the third: the check could not be completed, for example
// because a store is down. A guard serves it as 503. It never means that the login
// has ended.
var (
	// ErrUnauthenticated means that the request carries no valid credential
	// (HTTP 401).
	ErrUnauthenticated = errors.New("auth: unauthenticated")

	// ErrNoCredential wraps ErrUnauthenticated. It reports that the request
	// carries no credential at all, or a session that has ended. A guard may then
	// try another mode, and an optional guard serves the request as anonymous.
	ErrNoCredential = fmt.Errorf("%w: no credential", ErrUnauthenticated)

	// ErrForbidden means that the request must not be served, whether or not it
	// is authenticated (HTTP 403).
	ErrForbidden = errors.New("auth: forbidden")
)

// InsufficientError says what a valid login lacks. A guard returns it. A mode
// turns it into the challenge that tells the client what to request.
type InsufficientError struct {
	// Scope is the scope that was required, or empty. If it is set, the error is
	// an [ErrForbidden] (insufficient_scope; RFC 6750, 3.1).
	Scope Words

	// MaxAge is the maximum time since the subject last authenticated, or zero.
	// With an empty Scope the error is an [ErrUnauthenticated]
	// (insufficient_user_authentication; RFC 9470, 3).
	MaxAge time.Duration

	// Methods are the authentication methods that were required (amr; RFC 8176),
	// or empty. With an empty Scope the error is an [ErrUnauthenticated]
	// (insufficient_user_authentication). A challenge cannot name them.
	Methods Words
}

// Error returns a text that names what is missing.
func (e *InsufficientError) Error() string {
	switch {
	case e.Scope != "":
		return fmt.Sprintf("auth: insufficient scope: %q required", string(e.Scope))
	case e.Methods != "":
		return fmt.Sprintf("auth: insufficient user authentication: %q required", string(e.Methods))
	}
	return fmt.Sprintf("auth: insufficient user authentication: an authentication at most %v ago is required", e.MaxAge)
}

// Is reports whether target is the outcome of the error: [ErrForbidden] with a
// Scope, and [ErrUnauthenticated] otherwise.
func (e *InsufficientError) Is(target error) bool {
	if e.Scope != "" {
		return target == ErrForbidden
	}
	return target == ErrUnauthenticated
}
