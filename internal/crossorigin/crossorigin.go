// Package crossorigin is the check before a cookie counts: whether another site
// made the browser send the request.
package crossorigin

import "net/http"

// Check is that of the protection, which lets every GET through, and beside it
// for the handshake of a WebSocket (RFC 6455, 4.1; ASVS 5.0, 4.4.2): that is a
// GET, but opens a channel to act by. Browsers send Origin with it.
func Check(protection *http.CrossOriginProtection, r *http.Request) error {
	if len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect {
		acting := *r
		acting.Method = http.MethodPost
		r = &acting
	}
	return protection.Check(r)
}
