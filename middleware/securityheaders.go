package middleware

import (
	"net"
	"net/http"
	"strings"
)

// SecurityHeaders sets what makes browsers careful with the responses of next:
//
//	Strict-Transport-Security: max-age=31536000; includeSubDomains
//	X-Content-Type-Options: nosniff
//	Referrer-Policy: same-origin
//	Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'
//	Cross-Origin-Opener-Policy: same-origin
//	Cross-Origin-Resource-Policy: same-origin
//
// (ASVS 5.0, 3.4.1, 3.4.3 to 3.4.6 and 3.4.8). It stands outside of everything
// else, before the mux say. A handler replaces a field by w.Header().Set, and
// takes it away by Del. It panics if next is nil.
//
// Browsers then come by TLS alone for a year, to every host under this one too.
// They ignore the field over plain HTTP (RFC 6797, 8.1), so it is there
// whatever r.TLS says: only a proxy that ends TLS knows better. It is not there
// over TLS on localhost, since a browser that obeys it there, as Chromium does
// not, no longer comes to programs on other ports that have no TLS.
//
// A page loads what it needs from its own origin, and inline scripts and styles
// not at all; it stands in no frame; and its forms lead nowhere else, not even
// by a redirect, which is how a log-in by another site may begin. A page that
// needs more sets a policy of its own. Pop-ups of another origin, such as for a
// payment, lose sight of the page: it says Cross-Origin-Opener-Policy:
// same-origin-allow-popups. What other sites may embed, public pictures say,
// says Cross-Origin-Resource-Policy: cross-origin.
//
// Other sites learn no address of a page. A page whose address holds a
// single-use token says Referrer-Policy: no-referrer, so that its own scripts
// and pictures do not get it either. That is no default, since browsers then
// send Origin: null with the forms of the page itself, by which those that send
// no Sec-Fetch-Site are told from another site's.
func SecurityHeaders(next http.Handler) http.Handler {
	if isNil(next) {
		panic("middleware: SecurityHeaders before no handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.TLS == nil || !isLocalhost(r.Host) {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// isLocalhost reports whether the Host of a request is a name of this machine.
// IP addresses need no regard: browsers keep no such promise of them.
func isLocalhost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
