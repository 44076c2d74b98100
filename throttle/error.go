package throttle

import (
	"fmt"
	"time"

	"github.com/authlatch/auth"
)

// Error reports that there were too many attempts. It wraps [auth.ErrForbidden];
// middleware.Deny responds with 429 (RFC 6585, 4).
type Error struct {
	wait time.Duration
}

// RetryAfter returns the wait before another attempt can succeed. middleware.Deny
// sends it in the Retry-After header, in seconds, rounded up. Zero means that waiting
// does not help because the account is locked.
func (e *Error) RetryAfter() time.Duration { return e.wait }

// Error returns a text with the wait, but neither account nor address.
func (e *Error) Error() string {
	if e.wait == 0 {
		return "throttle: too many attempts: locked"
	}
	return fmt.Sprintf("throttle: too many attempts: wait for %v", e.wait)
}

// Is reports whether target is [auth.ErrForbidden].
func (e *Error) Is(target error) bool { return target == auth.ErrForbidden }
