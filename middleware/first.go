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
// A refused client is told what to do by whoever refused its credential, if
// that is a [Challenger]. If nobody found one, or a guard asks for more than a
// valid log-in has, each of them that is a Challenger adds its challenge.
func First(authenticators ...Authenticator) Authenticator {
	if len(authenticators) == 0 {
		panic("middleware: First of no Authenticator")
	}
	for _, a := range authenticators {
		if isNil(a) {
			panic("middleware: First of a nil Authenticator")
		}
	}
	return first(append([]Authenticator(nil), authenticators...))
}

type first []Authenticator

// refusal is the error of one of several authenticators. The others have
// nothing to say about it: a bad cookie makes no bearer token invalid.
type refusal struct {
	error
	by Authenticator
}

func (r *refusal) Unwrap() error { return r.error }

func (list first) Authenticate(r *http.Request) (auth.Identity, error) {
	var none error
	for _, a := range list {
		id, err := a.Authenticate(r)
		switch {
		case err == nil:
			return id, nil
		case !errors.Is(err, auth.ErrNoCredential):
			return auth.Identity{}, &refusal{err, a}
		}
		none = errors.Join(none, err)
	}
	return auth.Identity{}, none
}

func (list first) Challenge(h http.Header, r *http.Request, err error) {
	asked := list
	if one := (*refusal)(nil); errors.As(err, &one) {
		asked, err = first{one.by}, one.error
	}
	for _, a := range asked {
		if c, ok := a.(Challenger); ok {
			c.Challenge(h, r, err)
		}
	}
}
