package token

import (
	"context"
	"errors"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/stored"
)

// invalid is the error of an access token, or of a request with one, that is
// refused. What it says is for logs; a client is told a constant.
type invalid struct {
	cause   error
	request bool // the way in which the token was sent is wrong
}

func (e *invalid) Error() string { return "token: refused: " + e.cause.Error() }

func (e *invalid) Unwrap() []error { return []error{auth.ErrUnauthenticated, e.cause} }

// asInvalid says of an error that it makes a token invalid, and nothing of nil.
func asInvalid(err error) error {
	if err == nil {
		return nil
	}
	return &invalid{cause: err}
}

// reason returns a word or two for an event.
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
		{errOver, "login has ended"},
		{claims.ErrIssuer, "wrong issuer"},
		{claims.ErrAudience, "wrong audience"},
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

// report tells of a token that is not accepted. t is nil if nothing is known of
// it.
func (v *Verifier) report(ctx context.Context, t *Token, err error) {
	event := auth.Event{Kind: auth.EventFault, Time: time.Now().UTC(), Source: "token", Err: err}
	if t != nil {
		// An issuer elsewhere may have put anything into them.
		event.Subject, event.LoginID = stored.Printable(t.identity.Subject, claims.MaxSubject), stored.Printable(t.identity.LoginID, claims.MaxID)
	}
	var bad *invalid
	switch {
	case errors.Is(err, ErrExpired):
		event.Kind = auth.EventExpired
	case errors.As(err, &bad):
		event.Kind, event.Reason = auth.EventRejected, bad.reason()
	case errors.Is(err, errNewKey): // anybody can write such a token
		event.Kind, event.Reason = auth.EventRejected, "unknown key"
	case errors.Is(err, auth.ErrForbidden):
		event.Kind, event.Reason = auth.EventRejected, "cross-origin request"
	case errors.Is(err, context.Canceled):
		return // whoever asked does not wait for the answer
	}
	v.events(ctx, event)
}
