package middleware

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SafeNext returns next if it is a path on this site, with or without a query and
// fragment, and "/" otherwise. Use it for the page to return to after a login, so
// that no link to the login page leads to another site afterwards (ASVS 5.0, 1.2.2
// and 3.7.2).
//
//	http.Redirect(w, r, middleware.SafeNext(r.FormValue("next")), http.StatusSeeOther)
//
// It also refuses paths that browsers, proxies and net/http may interpret
// differently: backslashes, control characters, dot segments, segments of spaces
// only, a path with two slashes in a row, and path parameters without a name before
// them, as in "/;/x" and "/..;/x", which some proxies strip. All of these are refused
// also where they are percent-encoded. So are a path that is encoded twice, bytes
// that are not UTF-8 (ASVS 5.0, 1.1.1), and values of more than 2048 bytes.
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

// plainPath reports whether a decoded path has only one interpretation.
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
