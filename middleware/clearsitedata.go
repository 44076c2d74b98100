package middleware

import "net/http"

// ClearSiteData lets the browser forget what pages of this origin have kept, by
// the field Clear-Site-Data: "cache", "storage" in h, the header of a response
// (ASVS 5.0, 14.3.1). Call it in the handler that logs out, once the log-out has
// worked and before the body:
//
//	if err := sessions.Logout(w, r); err != nil { ... }
//	middleware.ClearSiteData(w.Header())
//
// Set before the log-out is known to be allowed, the field would let every other
// site empty yours.
//
// The browser empties localStorage, sessionStorage, IndexedDB, the storage of
// service workers and these themselves, and the pages and pictures that it has
// kept by HTTP, of this scheme, host and port, whoever put them there: other
// applications of the origin lose theirs as well.
//
// Cookies stay, so the log-out deletes its own. The directive "cookies" would
// take those of all hosts of the site, and in Chromium those that the same
// response sets.
//
// It does not reach pages that are open, in this tab or in others, with what
// their scripts hold, nor those to which Back leads: a browser does not show
// these again if they say no-store, as a guard's do, and the log-out has deleted
// a cookie. Browsers obey over TLS and on localhost alone. Emptying the cache
// may take a moment, and the response waits for it.
func ClearSiteData(h http.Header) {
	h.Set("Clear-Site-Data", `"cache", "storage"`)
}
