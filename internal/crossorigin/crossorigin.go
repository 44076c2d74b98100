// Package crossorigin is the check before a cookie counts: whether another site
// made the browser send the request.
package crossorigin

import (
	"errors"
	"net/http"
)

// ErrNotPost is wrapped, beside auth.ErrForbidden, by the error of what wants a POST,
// since the check lets other methods pass. It is answered with 405.
var ErrNotPost = errors.New("another method than POST")

// Check is that of the protection, which lets every GET through, and beside it
// for the handshake of a WebSocket (RFC 6455, 4.1; ASVS 5.0, 4.4.2): that is a
// GET, but opens a channel to act by, and so has to pass as a POST, too. Browsers
// send Origin with it.
//
// A request with neither Sec-Fetch-Site nor Origin passes, unless an origin is
// required (ASVS 5.0, 3.7.5): it is then taken for one of another site, which
// only the protection's bypass patterns let through.
func Check(protection *http.CrossOriginProtection, required bool, r *http.Request) error {
	upgrades := len(r.Header["Upgrade"]) > 0
	if required && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		elsewhere := *r
		elsewhere.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		r = &elsewhere
	}
	err := protection.Check(r)
	if err == nil && upgrades {
		acting := *r
		acting.Method = http.MethodPost
		err = protection.Check(&acting)
	}
	return err
}
