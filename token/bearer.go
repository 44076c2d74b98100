package token

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/crossorigin"
)

// Authenticate returns the identity of the access token that the request
// carries, with a *[Token] as its Credential. The token stands in the one
// Authorization field, after "Bearer" and one space or more (RFC 6750, 2.1), or in the
// cookie, if there is a policy for one. Query and body are not looked at (ASVS
// 5.0, 14.2.1).
//
// The error wraps [auth.ErrNoCredential] if there is no token;
// [auth.ErrUnauthenticated] if the request carries one in a malformed way or
// more than one; [auth.ErrForbidden] if it is in the cookie and another site
// made the browser send it. All others are those of [Verifier.Verify].
func (v *Verifier) Authenticate(r *http.Request) (auth.Identity, error) {
	token, err := v.credential(r)
	if err == errNoToken {
		return auth.Identity{}, err
	}
	if err != nil {
		v.report(r.Context(), nil, err)
		return auth.Identity{}, err
	}
	t, err := v.Verify(r.Context(), token)
	if err != nil {
		return auth.Identity{}, err
	}
	return t.identity, nil
}

var (
	errNoToken     = fmt.Errorf("token: no access token: %w", auth.ErrNoCredential)
	errCrossOrigin = fmt.Errorf("token: cross-origin request: %w", auth.ErrForbidden)

	errField = &invalid{errors.New("token: the Authorization field is malformed"), true}
	errTwice = &invalid{errors.New("token: the request carries two credentials"), true}
)

// credential finds the token of a request.
func (v *Verifier) credential(r *http.Request) (string, error) {
	token, err := bearer(r.Header["Authorization"])
	if v.cookie == (cookie.Policy{}) || err != nil && err != errNoToken {
		return token, err
	}
	inCookie, ok, cookieErr := v.cookie.Read(r)
	switch {
	case cookieErr != nil:
		return "", &invalid{cookieErr, true}
	case !ok:
		return token, err
	case err == nil:
		return "", errTwice
	case crossorigin.Check(v.origin, r) != nil:
		return "", errCrossOrigin
	}
	return inCookie, nil
}

// bearer returns the token in the values of the Authorization field. Another
// scheme is another's business.
func bearer(values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", errNoToken
	case 1:
	default:
		return "", errTwice
	}
	scheme, token, spaced := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ") // 1*SP
	switch {
	case !spaced || !letters(scheme):
		return "", errField
	case !strings.EqualFold(scheme, "Bearer"):
		return "", errNoToken
	case token == "":
		return "", errField
	}
	return token, nil
}

// letters reports whether text can be the name of a scheme. All that are
// registered are of letters, digits and hyphens.
func letters(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return text != ""
}

// Challenge adds WWW-Authenticate to the answer to a request that was refused
// because of err: a bare "Bearer" if it carried no credential, and otherwise
// what is wrong with the token, or lacking (RFC 6750, 3; RFC 9470, 3). An
// access token in a cookie is not deleted: the one that follows it may be on
// its way.
func (v *Verifier) Challenge(h http.Header, _ *http.Request, err error) {
	var lacks *auth.InsufficientError
	var bad *invalid
	challenge := "Bearer"
	switch {
	case errors.As(err, &lacks) && lacks.Scope != "":
		challenge += ` error="insufficient_scope"` + scopeParameter(lacks.Scope)
	case errors.As(err, &lacks):
		challenge += ` error="insufficient_user_authentication"`
		if lacks.MaxAge > 0 {
			challenge += `, max_age="` + strconv.FormatInt(int64(lacks.MaxAge/time.Second), 10) + `"`
		}
	case errors.Is(err, auth.ErrNoCredential):
	case errors.As(err, &bad) && bad.request:
		challenge += ` error="invalid_request"`
	case errors.Is(err, ErrExpired):
		challenge += ` error="invalid_token", error_description="the access token expired"`
	case errors.Is(err, auth.ErrUnauthenticated):
		challenge += ` error="invalid_token"`
	default:
		return
	}
	h.Add("WWW-Authenticate", challenge)
}

// scopeParameter leaves out what is no scope, and would end the quotation.
func scopeParameter(scope auth.Words) string {
	if (auth.Identity{Subject: "probe", Scopes: scope}).Validate() != nil {
		return ""
	}
	return `, scope="` + string(scope) + `"`
}
