package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
)

// refusal is the error of a refresh token that is not, or no longer, valid.
type refusal struct {
	code   code
	reason logins.Reason // of a revoked token
}

// code is the kind of a refusal, in errors and in responses.
type code string

const (
	codeMissing code = "missing"
	codeInvalid code = "invalid"
	codeExpired code = "expired"
	codeRevoked code = "revoked"
	codeReused  code = "reused"
)

func (e *refusal) Error() string {
	if e.reason != 0 {
		return fmt.Sprintf("token: refresh token: %s: %s", e.code, e.reason)
	}
	return fmt.Sprintf("token: refresh token: %s", e.code)
}

func (e *refusal) Unwrap() error {
	if e.code == codeReused {
		return ErrReused
	}
	return auth.ErrUnauthenticated
}

// reportEnded reports a token whose login was ended by other means than its own logout.
func (i *Issuer) reportEnded(ctx context.Context, digest logins.Digest, err error) {
	var refused *refusal
	if errors.As(err, &refused) && refused.reason != 0 && !refused.reason.Own() {
		i.event(ctx, auth.Event{Kind: auth.EventRejected, LoginID: digest.LoginID(), Reason: "login has ended"})
	}
}

// refuse reports a refusal, and returns it.
func (i *Issuer) refuse(ctx context.Context, kind auth.EventKind, subject, loginID string, c code, reason string) error {
	i.event(ctx, auth.Event{Kind: kind, Subject: subject, LoginID: loginID, Reason: reason})
	return &refusal{code: c}
}
