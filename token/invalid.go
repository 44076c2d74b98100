package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/stored"
)

// invalid is the error of a refused access token, or of a refused request with one.
// Its text is for logs. The response to the client has a constant instead.
type invalid struct {
	cause   error
	request bool // the request is malformed, not the token
}

func (e *invalid) Error() string { return "token: refused: " + e.cause.Error() }

func (e *invalid) Unwrap() []error { return []error{auth.ErrUnauthenticated, e.cause} }

// asInvalid wraps an error that makes a token invalid. It returns nil for nil.
func asInvalid(err error) error {
	if err == nil {
		return nil
	}
	return &invalid{cause: err}
}

// reason returns the Reason of an event.
func (e *invalid) reason() string {
	for _, kind := range [...]struct {
		is   error
		word string
	}{
		{jose.ErrTooLong, "token too long"},
		{jose.ErrMalformed, "malformed token"},
		{jose.ErrType, "wrong type"},
		{jose.ErrAlgorithm, "wrong algorithm"},
		{jose.ErrSignature, "wrong signature"},
		{errEnded, "login has ended"},
		{claims.ErrIssuer, "wrong issuer"},
		{errUnknownIssuer, "unknown issuer"},
		{claims.ErrAudience, "wrong audience"},
		{claims.ErrActor, "unreadable actor"},
	} {
		if errors.Is(e.cause, kind.is) {
			return kind.word
		}
	}
	var unknown *jose.UnknownKeyError
	switch {
	case e.request:
		return "malformed request"
	case errors.As(e.cause, &unknown):
		return "unknown key"
	}
	return "wrong claims"
}

// report reports a token that is not accepted. t is nil if the token could not be
// read.
func (v *Verifier) report(ctx context.Context, t *Token, err error) {
	event := auth.Event{Kind: auth.EventFault, Time: time.Now().UTC(), Source: "token", Err: err}
	if t != nil {
		// A foreign issuer may have put any bytes into them.
		event.Actor = stored.Printable(t.identity.Actor, claims.MaxSubject)
		event.Subject, event.LoginID = stored.Printable(t.identity.Subject, claims.MaxSubject), stored.Printable(t.identity.LoginID, claims.MaxID)
	}
	var bad *invalid
	switch {
	case errors.Is(err, ErrExpired):
		event.Kind = auth.EventExpired
	case errors.As(err, &bad):
		event.Kind, event.Reason = auth.EventRejected, bad.reason()
	case errors.Is(err, errNewKey): // such a token needs no valid signature
		event.Kind, event.Reason = auth.EventRejected, "unknown key"
	case errors.Is(err, auth.ErrForbidden):
		event.Kind, event.Reason = auth.EventRejected, "cross-origin request"
	case errors.Is(err, context.Canceled):
		return // the caller no longer waits
	}
	if v.joined {
		event.Err = fmt.Errorf("issuer %q: %w", v.rules.Issuer, err)
	}
	v.events(ctx, event)
}
