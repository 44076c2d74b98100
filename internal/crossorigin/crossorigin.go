// Package crossorigin is the check before a cookie counts: whether another site
// made the browser send the request.
package crossorigin

import (
	"errors"
	"maps"
	"net/http"
)

// ErrNotPost is wrapped, beside auth.ErrForbidden, by the error of what wants a POST,
// since the check lets other methods pass. It is answered with 405.
var ErrNotPost = errors.New("another method than POST")

// Checker is auth.CrossOrigin.
type Checker interface {
	Check(r *http.Request) error
}

// OrDefault returns c, or a protection that trusts no other origin if c is nil or a
// nil pointer to one.
func OrDefault(c Checker) Checker {
	if p, ok := c.(*http.CrossOriginProtection); c == nil || ok && p == nil {
		return http.NewCrossOriginProtection()
	}
	return c
}

// Check is that of c, which lets every GET through, and beside it for the handshake
// of a WebSocket (RFC 6455, 4.1; ASVS 5.0, 4.4.2): that is a GET, but opens a channel
// to act by, and so has to pass as a POST, too. Browsers send Origin with it.
func Check(c Checker, r *http.Request) error {
	err := c.Check(r)
	if err == nil && len(r.Header["Upgrade"]) > 0 {
		acting := *r
		acting.Method = http.MethodPost
		err = c.Check(&acting)
	}
	return err
}

// Required is what auth.RequireOrigin returns. It has a name so that a configuration
// can be refused with which no client could pass.
type Required struct{ Checker }

// Check is that of the Checker, which gets a request with neither Sec-Fetch-Site nor
// Origin as one of another site (ASVS 5.0, 3.7.5).
func (c Required) Check(r *http.Request) error {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		elsewhere := *r
		elsewhere.Header = http.Header{}
		maps.Copy(elsewhere.Header, r.Header)
		elsewhere.Header.Set("Sec-Fetch-Site", "cross-site")
		r = &elsewhere
	}
	return c.Checker.Check(r)
}
