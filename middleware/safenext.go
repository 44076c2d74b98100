package middleware

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SafeNext returns next if it is a path on this site, with or without a query
// and fragment, and "/" otherwise. Use it on whatever says where to go after a
// log-in, so that no link leads from your log-in page to somebody else's (ASVS
// 5.0, 1.2.2 and 3.7.2).
//
//	http.Redirect(w, r, middleware.SafeNext(r.FormValue("next")), http.StatusSeeOther)
//
// What browsers, proxies or net/http might read in another way is refused as
// well: backslashes, control characters, dot segments, segments of spaces alone,
// a path with two slashes in a row, and path parameters without a name before
// them, as in "/;/x" and "/..;/x", which some proxies strip. All of these are
// refused also where they are percent-encoded, and so are a path that is encoded
// twice, bytes that are not UTF-8 (ASVS 5.0, 1.1.1), and more than 2048 bytes.
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
	u, err := url.ParseRequestURI(next) // its path keeps a fragment, as http.Redirect reads it
	if err != nil || !plainPath(u.Path) {
		return "/"
	}
	if _, err := url.Parse(next); err != nil {
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
		name, _, _ := strings.Cut(segment, ";")   // path parameters follow (RFC 3986, 3.3)
		name = strings.TrimSpace(name)
		if name == "." || name == ".." || name == "" && segment != "" {
			return false
		}
	}
	return utf8.ValidString(path) && !strings.ContainsFunc(path, unicode.IsControl)
}
