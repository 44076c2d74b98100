package middleware

import "net/http"

// ClearSiteData makes the browser delete what pages of this origin have stored: it
// sets Clear-Site-Data: "cache", "storage" in h, the header of a response (ASVS 5.0,
// 14.3.1). Call it in the logout handler, after the logout has succeeded and before
// writing the body:
//
//	if err := sessions.Logout(w, r); err != nil { ... }
//	middleware.ClearSiteData(w.Header())
//
// Do not call it earlier, because any other site could then make the browser delete
// the data of this origin.
//
// The browser deletes localStorage, sessionStorage, IndexedDB, service workers and
// their storage, and the HTTP cache of this scheme, host and port. Other applications
// of the same origin lose their data as well.
//
// Cookies stay, so the logout deletes its own. The directive "cookies" would delete
// those of all hosts of the site, and in Chromium also those that the same response
// sets.
//
// Pages that are open, in this tab or in others, keep what their scripts hold. So do
// pages that are reached by the Back button; a browser does not show these again if
// they have Cache-Control: no-store, as set by a [Guard], and the logout has deleted
// a cookie. Browsers obey the header only over TLS and on localhost. Deleting the
// cache may take a moment, and the browser delays the response until then.
func ClearSiteData(h http.Header) {
	h.Set("Clear-Site-Data", `"cache", "storage"`)
}
