package middleware

import (
	"net"
	"net/http"
	"net/url"

	"github.com/authlatch/auth/internal/wire"
)

// Explain is [Deny] for development. It says why the request is refused: the problem
// detail has a member "detail" (RFC 9457, 3.1.4) with the text of err, and so has the body
// of a redirect to the login page.
//
//	guard := &middleware.Guard{Authenticator: sessions, Deny: middleware.Explain}
//
// A guard's Deny is not used by handlers. For what a handler refuses itself, such as the
// errors of CheckCSRF, CSRFToken and Login, call Explain in place of Deny there, too,
// while you develop:
//
//	middleware.Explain(w, r, err)
//
// Only a client on this machine gets the text, for a request to localhost, 127.0.0.0/8 or
// [::1], without the headers that proxies add, such as X-Forwarded-For. Explain responds to
// all others like Deny, because the text helps an attacker, too (ASVS 5.0, 13.4.2 and
// 16.5.1). A proxy on this machine that adds no such header defeats this check, if it
// rewrites the Host header to localhost, or passes on one that a client made up: do not use
// Explain in production.
func Explain(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil || !fromHere(r) {
		Deny(w, r, err)
		return
	}
	deny(w, r, err, wire.Problem{Detail: err.Error()})
}

// proxied are header fields that proxies add.
var proxied = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// fromHere reports whether a client on this machine asks for a name of this machine, and not
// through a proxy, as far as the request says so.
func fromHere(r *http.Request) bool {
	for _, field := range proxied {
		if len(r.Header[field]) > 0 {
			return false
		}
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	host := url.URL{Host: r.Host}
	return err == nil && wire.Loopback(client) && wire.Loopback(host.Hostname())
}
