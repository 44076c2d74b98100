package middleware

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/authlatch/auth"
)

// Isolate refuses requests that pages of other origins make the browser send, by
// [Deny] with 403: images, scripts, frames, forms, fetches and WebSockets. Other
// origins can then neither embed nor measure responses (ASVS 5.0, 3.2.1 and 3.5.8).
// Requests of the site's own pages are served, and so are those that a user makes by
// the address bar, a bookmark or a link. Another host of the same site is another
// origin, and so is another port. Isolate panics if next is nil.
//
// Isolate checks the Fetch Metadata headers, which a page cannot forge. It admits
// Sec-Fetch-Site "same-origin" and "none". Of all other values it admits only a GET
// or HEAD with Sec-Fetch-Mode "navigate" and Sec-Fetch-Dest "document", which is a
// navigation of a whole tab. If Sec-Fetch-Site is missing, the host of Origin must
// equal Host, as in the handshake of a WebSocket. The response has these four headers
// in Vary.
//
// A request with neither Sec-Fetch-Site nor Origin is admitted. Programs send neither
// header, nor do browsers released before 2023, nor any browser over plain HTTP
// except to localhost; refusing such requests would lock all of these out. Isolate
// therefore complements the guards' own check of state-changing requests and does not
// replace it.
//
// Do not wrap handlers that other origins may use: public images, an API that
// supports CORS, a login by a form that the identity provider posts.
func Isolate(next http.Handler) http.Handler {
	if isNil(next) {
		panic("middleware: Isolate: the handler is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin, Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest")
		if !isolated(r) {
			Deny(w, r, auth.ErrForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isolated reports whether no other origin caused r except by a link.
func isolated(r *http.Request) bool {
	switch field(r, "Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		origin := field(r, "Origin")
		u, err := url.Parse(origin)
		return origin == "" || err == nil && u.Host == r.Host
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		field(r, "Sec-Fetch-Mode") == "navigate" && field(r, "Sec-Fetch-Dest") == "document"
}

// field joins repeated headers, which no browser sends, to a value that is never
// admitted.
func field(r *http.Request, name string) string { return strings.Join(r.Header[name], ",") }
