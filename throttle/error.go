package throttle

import (
	"fmt"
	"time"

	"github.com/authlatch/auth"
)

// Error reports that there were too many attempts. It is an [auth.ErrForbidden];
// middleware.Deny answers it with 429 (RFC 6585, 4).
type Error struct {
	wait time.Duration
}

// RetryAfter returns how long to wait before another attempt has a chance; the response
// header of that name has it in seconds, rounded up. Zero means that waiting does not
// help: the account is locked.
func (e *Error) RetryAfter() time.Duration { return e.wait }

// Error names the wait, and neither account nor address.
func (e *Error) Error() string {
	if e.wait == 0 {
		return "throttle: too many attempts: locked"
	}
	return fmt.Sprintf("throttle: too many attempts: wait for %v", e.wait)
}

// Is reports which of the outcomes the error is.
func (e *Error) Is(target error) bool { return target == auth.ErrForbidden }
