package token

import (
	"net/http"

	"github.com/authlatch/auth"
)

// Authenticate returns the identity of the access token that the request
// carries, with a *[Token] as its Credential.
func (v *Verifier) Authenticate(r *http.Request) (auth.Identity, error) {
	return auth.Identity{}, auth.ErrNoCredential
}

// Challenge adds WWW-Authenticate to the answer to a refused request.
func (v *Verifier) Challenge(h http.Header, r *http.Request, err error) {}
