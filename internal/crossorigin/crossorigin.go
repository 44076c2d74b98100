// Package crossorigin refuses requests that another site made the browser send.
// Callers run [Check] before they accept a cookie.
package crossorigin

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// ErrNotPost is wrapped, in addition to auth.ErrForbidden, by the error of functions
// that require POST, because the check admits other methods. The response is 405.
var ErrNotPost = errors.New("another method than POST")

// Checker is auth.CrossOrigin.
type Checker interface {
	Check(r *http.Request) error
}

// OrDefault returns c. If c is nil, or a nil pointer to an
// http.CrossOriginProtection, it returns a protection that trusts no other origin.
func OrDefault(c Checker) Checker {
	if p, ok := c.(*http.CrossOriginProtection); c == nil || ok && p == nil {
		return http.NewCrossOriginProtection()
	}
	return c
}

// Check applies c to the request. c admits every GET, so Check applies it to the
// handshake of a WebSocket as if that were a POST (RFC 6455, 4.1; ASVS 5.0, 4.4.2):
// the handshake is a GET, but opens a channel for state-changing messages. Browsers
// send Origin with it.
//
// The error says what was compared, since a proxy may have changed Host. It wraps nothing:
// the caller says which of the three outcomes it is.
func Check(c Checker, r *http.Request) error {
	err := c.Check(r)
	if err == nil && len(r.Header["Upgrade"]) > 0 {
		acting := *r
		acting.Method = http.MethodPost
		err = c.Check(&acting)
	}
	if err != nil {
		return fmt.Errorf("%v: Origin %.200q, Sec-Fetch-Site %.32q, Host %.200q",
			err, r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site"), r.Host)
	}
	return nil
}

// Required is the type that auth.RequireOrigin returns. It is exported so that a
// configuration with which no client could pass can be refused.
type Required struct{ Checker }

// Check applies the Checker, and treats a request with neither Sec-Fetch-Site nor
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
