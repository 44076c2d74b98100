package middleware

import (
	"errors"
	"net/http"
	"strings"

	"github.com/authlatch/auth"
)

// AnyOf returns an Authenticator that asks several others in turn, so that one guard
// accepts both sessions and tokens. It asks the next one only after
// [auth.ErrNoCredential]: a credential that is present but not valid is refused,
// regardless of other credentials in the request. AnyOf panics without arguments and
// if one of them is nil.
//
// A handler that needs a check for one mode only, such as that of a form's CSRF
// token, applies it to identities whose Credential is of that mode.
//
// The challenge to a refused client comes from the Authenticator that refused its
// credential, if that is a [Challenger]. If none of them found a credential, or if a
// guard requires more than a valid login, every Challenger adds its challenge. Each
// one gets the error that it returned itself, or otherwise the error of the guard.
func AnyOf(authenticators ...Authenticator) Authenticator {
	if len(authenticators) == 0 {
		panic("middleware: AnyOf: no Authenticator")
	}
	for _, a := range authenticators {
		if isNil(a) {
			panic("middleware: AnyOf: an Authenticator is nil")
		}
	}
	return anyOf(append([]Authenticator(nil), authenticators...))
}

type anyOf []Authenticator

// anyOfError is the error of several authenticators. It keeps the error of each one,
// because an error concerns only the credential of its authenticator: an invalid
// cookie does not make a token invalid.
type anyOfError struct{ results []result }

type result struct {
	by  Authenticator
	err error
}

func (r *anyOfError) Error() string {
	texts := make([]string, len(r.results))
	for i, each := range r.results {
		texts[i] = each.err.Error()
	}
	return strings.Join(texts, "; ")
}

func (r *anyOfError) Unwrap() []error {
	errs := make([]error, len(r.results))
	for i, each := range r.results {
		errs[i] = each.err
	}
	return errs
}

func (list anyOf) Authenticate(r *http.Request) (auth.Identity, error) {
	var results []result
	for _, a := range list {
		id, err := a.Authenticate(r)
		switch {
		case err == nil:
			return id, nil
		case !errors.Is(err, auth.ErrNoCredential):
			return auth.Identity{}, &anyOfError{[]result{{a, err}}}
		}
		results = append(results, result{a, err})
	}
	return auth.Identity{}, &anyOfError{results}
}

func (list anyOf) Challenge(h http.Header, r *http.Request, err error) {
	var refused *anyOfError
	if !errors.As(err, &refused) {
		refused = new(anyOfError)
		for _, a := range list {
			refused.results = append(refused.results, result{a, err})
		}
	}
	for _, each := range refused.results {
		if c, ok := each.by.(Challenger); ok {
			c.Challenge(h, r, each.err)
		}
	}
}
