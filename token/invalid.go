package token

import (
	"context"
	"errors"
	"time"

	"github.com/authlatch/auth"
)

// invalid is the error of an access token that is refused. What it says is for
// logs; a client is told a constant.
type invalid struct{ cause error }

func (e *invalid) Error() string { return "token: refused: " + e.cause.Error() }

func (e *invalid) Unwrap() []error { return []error{auth.ErrUnauthenticated, e.cause} }

// unauthenticated makes a refusal of an error that is none yet.
func unauthenticated(err error) error {
	if errors.Is(err, auth.ErrUnauthenticated) {
		return err
	}
	return &invalid{err}
}

func (v *Verifier) report(context.Context, *Token, error) {}
func (v *Verifier) cached(string, time.Time) *Token       { return nil }

type cache struct{}

func newCache(int) *cache { return nil }
