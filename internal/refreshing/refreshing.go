// Package refreshing calls the function of an application that decides anew what a login
// may do: Refreshing in the configurations of both modes.
package refreshing

import (
	"context"
	"errors"

	"github.com/authlatch/auth"
)

// Func returns the identity that it is given with other Scopes, Methods or Claims.
type Func = func(context.Context, auth.Identity) (auth.Identity, error)

var errChanged = errors.New("the function may change only Scopes, Methods and Claims of the identity that it is given")

// Ask returns the identity that f makes of before. An error that wraps
// [auth.ErrUnauthenticated] means that the login must end. Any other error is no verdict
// about the login; it never wraps [auth.ErrForbidden], because not the request is forbidden.
func Ask(ctx context.Context, f Func, before auth.Identity) (auth.Identity, error) {
	after, err := f(ctx, before)
	if err == nil {
		err = onlyFacts(before, after)
	}
	if errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrUnauthenticated) {
		err = errors.New(err.Error())
	}
	if err != nil {
		return auth.Identity{}, err
	}
	return after, nil
}

// onlyFacts returns an error unless the identities differ at most in scopes, methods
// and claims. It compares all other fields, including later ones.
func onlyFacts(before, after auth.Identity) error {
	if after.Credential != nil { // it may not be comparable
		return errChanged
	}
	before.Scopes, before.Methods, before.Claims = after.Scopes, after.Methods, after.Claims
	if before != after {
		return errChanged
	}
	return after.Validate()
}
