package middleware

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/authlatch/auth"
)

// Isolate serves requests of the site's own pages, and those that somebody
// makes by the address bar, a bookmark or a link. What a page of another origin
// makes the browser send is refused, by [Deny] with 403: pictures, scripts,
// frames, forms, fetches and WebSockets, so that it can neither embed what is
// served nor measure it (ASVS 5.0, 3.2.1 and 3.5.8). Another host of the same
// site, and another port, is another origin. It panics if next is nil.
//
// It goes by the fields of Fetch Metadata, which no page can forge. Let through
// is Sec-Fetch-Site "same-origin" or "none"; of all else a GET or HEAD with
// Sec-Fetch-Mode "navigate" and Sec-Fetch-Dest "document", which fills a whole
// tab. Where Sec-Fetch-Site is missing, an Origin must be that of the Host, as
// in a WebSocket's handshake. The response says Vary for these four.
//
// A request with neither Sec-Fetch-Site nor Origin passes. Programs send neither, nor
// do browsers from before 2023, nor any browser over plain HTTP except to localhost;
// they could not use the site at all otherwise. Isolate thus stands before the
// guards' own check of what changes something, and is no replacement.
//
// What others may load stands outside of it: public pictures, an API that
// answers to CORS, a log-in that comes back by a form of the identity provider.
func Isolate(next http.Handler) http.Handler {
	if isNil(next) {
		panic("middleware: Isolate before no handler")
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

// isolated reports whether no other origin has had a hand in r beyond a link.
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

// field joins what came several times to what no browser sends.
func field(r *http.Request, name string) string { return strings.Join(r.Header[name], ",") }
