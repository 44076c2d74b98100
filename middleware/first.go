package middleware

import (
	"errors"
	"net/http"

	"github.com/authlatch/auth"
)

// First returns an Authenticator that asks each of several in turn, so that
// one guard takes sessions and tokens. It goes on to the next only after
// [auth.ErrNoCredential]: a credential that is present and not valid is
// refused, whatever else the request carries. It panics if there is none to
// ask.
//
// If nobody finds a credential, each of them that is a [Challenger] adds its
// challenge.
func First(authenticators ...Authenticator) Authenticator {
	if len(authenticators) == 0 {
		panic("middleware: First of no Authenticator")
	}
	for _, a := range authenticators {
		if a == nil {
			panic("middleware: First of a nil Authenticator")
		}
	}
	return first(append([]Authenticator(nil), authenticators...))
}

type first []Authenticator

func (list first) Authenticate(r *http.Request) (auth.Identity, error) {
	var none error
	for _, a := range list {
		id, err := a.Authenticate(r)
		if err == nil || !errors.Is(err, auth.ErrNoCredential) {
			return id, err
		}
		none = errors.Join(none, err)
	}
	return auth.Identity{}, none
}

func (list first) Challenge(h http.Header, r *http.Request, err error) {
	for _, a := range list {
		if c, ok := a.(Challenger); ok {
			c.Challenge(h, r, err)
		}
	}
}
