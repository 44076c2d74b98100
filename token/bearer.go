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

// Authenticate returns the identity of the access token of a request, with a
// *[Token] as its Credential. It reads the token from the Authorization header, after
// "Bearer" and one or more spaces (RFC 6750, 2.1), or from the cookie, if there is an
// AccessCookie. It never reads the token from the query or the body (ASVS 5.0,
// 14.2.1).
//
// The error wraps
//
//   - [auth.ErrNoCredential] if there is no token,
//   - [auth.ErrUnauthenticated] if the request carries a token in a malformed way, or
//     two credentials,
//   - [auth.ErrForbidden] if the token is in the cookie and another site made the
//     browser send it.
//
// Other errors are those of [Verifier.Verify].
func (v *Verifier) Authenticate(r *http.Request) (auth.Identity, error) {
	token, inCookie, err := credential(r, v.cookie)
	if err == errNoToken {
		return auth.Identity{}, err
	}
	if err == nil && inCookie {
		err = v.admitCookie(r)
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
	errNoToken = fmt.Errorf("token: no access token: %w", auth.ErrNoCredential)

	errHeader = &invalid{errors.New("token: the Authorization header is malformed"), true}
	errTwice  = &invalid{errors.New("token: the request carries two credentials"), true}

	errOtherCookie = &invalid{errors.New("token: tokens of this issuer are not accepted in a cookie"), true}
)

// credential returns the token of a request, and whether it is in the cookie.
func credential(r *http.Request, policy cookie.Policy) (token string, inCookie bool, err error) {
	token, err = bearer(r.Header["Authorization"])
	if policy == (cookie.Policy{}) || err != nil && err != errNoToken {
		return token, false, err
	}
	value, ok, cookieErr := policy.Read(r)
	switch {
	case cookieErr != nil:
		return "", false, &invalid{cookieErr, true}
	case !ok:
		return token, false, err
	case err == nil:
		return "", false, errTwice
	}
	return value, true, nil
}

// admitCookie checks whether the token of a request may come in the cookie.
func (v *Verifier) admitCookie(r *http.Request) error {
	if v.cookie == (cookie.Policy{}) {
		return errOtherCookie
	}
	if err := crossorigin.Check(v.origin, r); err != nil {
		return fmt.Errorf("token: cross-origin request: %w: %w", auth.ErrForbidden, err)
	}
	return nil
}

// bearer returns the token in the values of the Authorization header. It ignores
// other schemes.
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
	case !spaced || !isScheme(scheme):
		return "", errHeader
	case !strings.EqualFold(scheme, "Bearer"):
		return "", errNoToken
	case token == "":
		return "", errHeader
	}
	return token, nil
}

// isScheme reports whether text can be the name of a scheme. All registered names
// consist of letters, digits and hyphens.
func isScheme(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return text != ""
}

// Challenge adds WWW-Authenticate to the header h of the response to a request that
// was refused because of err. The challenge is a bare "Bearer" if the request carried
// no credential. Otherwise it says what is wrong with the token, or insufficient (RFC
// 6750, 3; RFC 9470, 3). Each challenge has the [VerifierConfig.ResourceMetadata], if it
// is set (RFC 9728, 5.1). Challenge does not delete an access token in a cookie,
// because a response with its successor may be on its way.
func (v *Verifier) Challenge(h http.Header, _ *http.Request, err error) {
	var lacks *auth.InsufficientError
	var bad *invalid
	var parameters []string
	switch {
	case errors.As(err, &lacks) && lacks.Scope != "":
		parameters = append(parameters, `error="insufficient_scope"`)
		if isQuotable(lacks.Scope) {
			parameters = append(parameters, `scope="`+string(lacks.Scope)+`"`)
		}
	case errors.As(err, &lacks):
		parameters = append(parameters, `error="insufficient_user_authentication"`)
		if lacks.MaxAge > 0 {
			parameters = append(parameters, `max_age="`+strconv.FormatInt(int64(lacks.MaxAge/time.Second), 10)+`"`)
		}
	case errors.Is(err, auth.ErrNoCredential):
	case errors.As(err, &bad) && bad.request:
		parameters = append(parameters, `error="invalid_request"`)
	case errors.Is(err, ErrExpired):
		parameters = append(parameters, `error="invalid_token"`, `error_description="the access token expired"`)
	case errors.Is(err, auth.ErrUnauthenticated):
		parameters = append(parameters, `error="invalid_token"`)
	default:
		return
	}
	if v.metadata != "" {
		parameters = append(parameters, `resource_metadata="`+v.metadata+`"`)
	}
	h.Add("WWW-Authenticate", strings.TrimSuffix("Bearer "+strings.Join(parameters, ", "), " "))
}

// isQuotable reports whether scope is well-formed: a quotation mark in it would end the
// quoted string.
func isQuotable(scope auth.Words) bool {
	return (auth.Identity{Subject: "probe", Scopes: scope}).Validate() == nil
}
