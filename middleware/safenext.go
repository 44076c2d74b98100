package middleware

import (
	"net/url"
	"strings"
)

// SafeNext returns next if it is a path on this site, with or without a query
// and fragment, and "/" otherwise. Use it on whatever says where to go after a
// log-in, so that no link leads from your log-in page to somebody else's (ASVS
// 5.0, 1.2.2 and 3.7.2).
//
//	http.Redirect(w, r, middleware.SafeNext(r.FormValue("next")), http.StatusSeeOther)
//
// What browsers, proxies or net/http might read in another way is refused as
// well: backslashes, control characters, dot segments, a path with two slashes
// in a row, all of these also where they are percent-encoded, and a path that
// is encoded twice (ASVS 5.0, 1.1.1). So is what is longer than 2048 bytes.
func SafeNext(next string) string {
	const maxNext = 2048
	if len(next) > maxNext || !strings.HasPrefix(next, "/") {
		return "/"
	}
	for i := range len(next) {
		if c := next[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "/"
		}
	}
	u, err := url.ParseRequestURI(next)
	if err != nil || !plainPath(u.Path) {
		return "/"
	}
	return next
}

// plainPath reports whether a decoded path means the same to whoever reads it.
func plainPath(path string) bool {
	if strings.Contains(path, "//") || strings.ContainsAny(path, `\%`) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, "#") // net/url takes a fragment for the path's
		if segment == "." || segment == ".." {
			return false
		}
	}
	for i := range len(path) {
		if path[i] < ' ' || path[i] == 0x7f {
			return false
		}
	}
	return true
}
