package token

import (
	"context"
	"fmt"

	"github.com/authlatch/auth"
)

// AttemptHeader is the header in which a browser sends the idempotency key of a
// refresh (see [Issuer.Refresh]) or a logout. A form of another site cannot send
// this header, so it also protects against CSRF.
const AttemptHeader = "Refresh-Attempt"

// checkAttempt refuses a malformed idempotency key, or a missing one if it is required.
func (i *Issuer) checkAttempt(ctx context.Context, attempt string) error {
	if i.attemptAllowed(attempt) {
		return nil
	}
	i.event(ctx, auth.Event{Kind: auth.EventRejected, Reason: "no refresh attempt"})
	return errAttempt
}

// attemptAllowed reports whether a client may send this idempotency key.
func (i *Issuer) attemptAllowed(attempt string) bool {
	if attempt == "" {
		return i.config.AttemptOptional
	}
	if len(attempt) < 22 || len(attempt) > 128 {
		return false
	}
	for _, c := range []byte(attempt) {
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

var errAttempt = fmt.Errorf("token: the Refresh-Attempt header is not 22 to 128 base64url characters: %w", auth.ErrForbidden)
