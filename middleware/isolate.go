package middleware

import (
	"net/http"
	"strings"

	"github.com/authlatch/auth"
)

// Isolate serves requests of the site's own pages, and those that somebody
// makes by the address bar, a bookmark or a link. What a page of another origin
// makes the browser send is refused, by [Deny] with 403: pictures, scripts,
// frames, forms and fetches, so that it can neither embed what is served nor
// measure it (ASVS 5.0, 3.2.1 and 3.5.8). Another host of the same site, and
// another port, is another origin. It panics if next is nil.
//
// It goes by the fields of Fetch Metadata, which no page can forge. Let through
// is Sec-Fetch-Site "same-origin" or "none"; of all else a GET or HEAD with
// Sec-Fetch-Mode "navigate" and Sec-Fetch-Dest "document", which fills a whole
// tab. The response says Vary for these three.
//
// A request without Sec-Fetch-Site passes. Programs send none, nor do browsers
// over plain HTTP, but for localhost, and those from before 2023; refusing them
// would be a lock without a door. So it is no replacement for the guards'
// own check, which goes by Origin then, but stands before it.
//
// What others may load stands outside of it: public pictures, an API that
// answers to CORS, a log-in that comes back by a form of the identity provider.
func Isolate(next http.Handler) http.Handler {
	if isNil(next) {
		panic("middleware: Isolate before no handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest")
		if !isolated(r) {
			Deny(w, r, auth.ErrForbidden, "")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isolated reports whether no other origin has had a hand in r beyond a link.
func isolated(r *http.Request) bool {
	switch field(r, "Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		field(r, "Sec-Fetch-Mode") == "navigate" && field(r, "Sec-Fetch-Dest") == "document"
}

// field joins what came several times to what no browser sends.
func field(r *http.Request, name string) string { return strings.Join(r.Header[name], ",") }
