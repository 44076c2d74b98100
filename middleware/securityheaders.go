package middleware

import (
	"net"
	"net/http"
	"strings"
)

// SecurityHeaders sets headers that restrict what browsers do with the responses of
// next:
//
//	Strict-Transport-Security: max-age=31536000; includeSubDomains
//	X-Content-Type-Options: nosniff
//	Referrer-Policy: same-origin
//	Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'
//	Cross-Origin-Opener-Policy: same-origin
//	Cross-Origin-Resource-Policy: same-origin
//
// (ASVS 5.0, 3.4.1, 3.4.3 to 3.4.6 and 3.4.8). Use it as the outermost handler, for
// example around the mux. A handler replaces a header by w.Header().Set and removes
// it by Del. SecurityHeaders panics if next is nil.
//
// Strict-Transport-Security makes browsers use only TLS for a year, for this host and
// all hosts below it. The header is set regardless of r.TLS, because a proxy may
// terminate TLS, and browsers ignore it over plain HTTP (RFC 6797, 8.1). It is not
// set over TLS on localhost: Chromium ignores it there, but a browser that obeys
// would no longer reach programs on other ports without TLS.
//
// Content-Security-Policy allows a page to load resources only from its own origin,
// and no inline scripts or styles. No page may be framed. Forms may be submitted only
// to the own origin, including by a redirect, which is how a login by another site
// may begin. A page that needs more sets its own policy.
//
// Cross-Origin-Opener-Policy cuts off pop-ups of another origin, such as for a
// payment, from the page that opened them; such a page sets same-origin-allow-popups.
// Resources that other sites may embed, such as public images, set
// Cross-Origin-Resource-Policy: cross-origin.
//
// Referrer-Policy keeps the addresses of pages from other sites. A page whose address
// contains a single-use token sets Referrer-Policy: no-referrer, so that its own
// scripts and images do not receive the token either. This is not the default because
// browsers then send Origin: null with forms of the page itself; without
// Sec-Fetch-Site these could not be distinguished from forms of another site.
func SecurityHeaders(next http.Handler) http.Handler {
	if isNil(next) {
		panic("middleware: SecurityHeaders: the handler is nil")
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

// isLocalhost reports whether the Host of a request is a loopback name. IP addresses
// are not checked, because browsers do not apply Strict-Transport-Security to them.
func isLocalhost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
