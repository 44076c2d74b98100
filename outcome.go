package auth

import (
	"errors"
	"fmt"
	"time"
)

// A check ends in success or in one of three outcomes, told apart with
// [errors.Is]. Any error that wraps neither [ErrUnauthenticated] nor
// [ErrForbidden] is the third: the question could not be answered, because a
// store is down, say. It is served as 503 and is never a log-out.
var (
	// ErrUnauthenticated means that the request carries no valid credential
	// (HTTP 401).
	ErrUnauthenticated = errors.New("auth: unauthenticated")

	// ErrNoCredential is the kind of ErrUnauthenticated (it wraps it) in which
	// the request carries no credential at all, or a session that is over.
	// Another mode may be asked, and an optional guard serves it as anonymous.
	ErrNoCredential = fmt.Errorf("%w: no credential", ErrUnauthenticated)

	// ErrForbidden means that the request must not be served, whoever sent it
	// (HTTP 403).
	ErrForbidden = errors.New("auth: forbidden")
)

// InsufficientError says what a valid log-in lacks. A guard returns it; a mode
// turns it into the challenge that tells a client what to ask for.
type InsufficientError struct {
	// Scope is the scope that was required, or empty. The error is then an
	// [ErrForbidden] (insufficient_scope; RFC 6750, 3.1).
	Scope Words

	// MaxAge is how long ago the subject may have proved itself at most, or
	// zero. With an empty Scope the error is an [ErrUnauthenticated]
	// (insufficient_user_authentication; RFC 9470, 3).
	MaxAge time.Duration

	// Methods are ways in which the subject has to prove itself (amr; RFC
	// 8176), or empty. With an empty Scope the error is an
	// [ErrUnauthenticated] likewise. No challenge can name them.
	Methods Words
}

// Error names what is missing.
func (e *InsufficientError) Error() string {
	switch {
	case e.Scope != "":
		return fmt.Sprintf("auth: insufficient scope: %q required", string(e.Scope))
	case e.Methods != "":
		return fmt.Sprintf("auth: insufficient user authentication: %q required", string(e.Methods))
	}
	return fmt.Sprintf("auth: insufficient user authentication: at most %v old required", e.MaxAge)
}

// Is reports which of the outcomes the error is.
func (e *InsufficientError) Is(target error) bool {
	if e.Scope != "" {
		return target == ErrForbidden
	}
	return target == ErrUnauthenticated
}
