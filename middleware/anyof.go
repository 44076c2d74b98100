package middleware

import (
	"errors"
	"net/http"
	"strings"

	"github.com/authlatch/auth"
)

// AnyOf returns an Authenticator that asks each of several in turn, so that
// one guard takes sessions and tokens. It goes on to the next only after
// [auth.ErrNoCredential]: a credential that is present and not valid is
// refused, whatever else the request carries. It panics if there is none to
// ask. What is for one mode alone, such as the check of a form's token, a handler
// asks of those identities whose Credential is of that mode.
//
// A refused client is told what to do by whoever refused its credential, if
// that is a [Challenger]. If nobody found one, or a guard asks for more than a
// valid log-in has, each of them that is a Challenger adds its challenge. It
// gets the error that it has returned itself, or else that of the guard.
func AnyOf(authenticators ...Authenticator) Authenticator {
	if len(authenticators) == 0 {
		panic("middleware: AnyOf of no Authenticator")
	}
	for _, a := range authenticators {
		if isNil(a) {
			panic("middleware: AnyOf of a nil Authenticator")
		}
	}
	return anyOf(append([]Authenticator(nil), authenticators...))
}

type anyOf []Authenticator

// refusal is the error of several authenticators. It keeps what each has said,
// since the others have nothing to add: a bad cookie makes no token invalid.
type refusal struct{ answers []answer }

type answer struct {
	by  Authenticator
	err error
}

func (r *refusal) Error() string {
	texts := make([]string, len(r.answers))
	for i, each := range r.answers {
		texts[i] = each.err.Error()
	}
	return strings.Join(texts, "; ")
}

func (r *refusal) Unwrap() []error {
	errs := make([]error, len(r.answers))
	for i, each := range r.answers {
		errs[i] = each.err
	}
	return errs
}

func (list anyOf) Authenticate(r *http.Request) (auth.Identity, error) {
	var answers []answer
	for _, a := range list {
		id, err := a.Authenticate(r)
		switch {
		case err == nil:
			return id, nil
		case !errors.Is(err, auth.ErrNoCredential):
			return auth.Identity{}, &refusal{[]answer{{a, err}}}
		}
		answers = append(answers, answer{a, err})
	}
	return auth.Identity{}, &refusal{answers}
}

func (list anyOf) Challenge(h http.Header, r *http.Request, err error) {
	var refused *refusal
	if !errors.As(err, &refused) {
		refused = new(refusal)
		for _, a := range list {
			refused.answers = append(refused.answers, answer{a, err})
		}
	}
	for _, each := range refused.answers {
		if c, ok := each.by.(Challenger); ok {
			c.Challenge(h, r, each.err)
		}
	}
}
