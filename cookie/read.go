package cookie

import (
	"errors"
	"net/http"
	"strings"
)

// ErrMalformed reports that a request has the cookie twice, or in a form that
// no browser sends after [Policy.Set]. Treat it as an invalid credential, never
// as a missing one.
var ErrMalformed = errors.New("cookie: malformed or duplicate cookie")

// Read returns the value of the cookie in r. ok is false if r does not have the
// cookie, and with every error.
//
// Read returns [ErrMalformed] if the name, in exactly this spelling, occurs
// more than once in all Cookie headers together (RFC 6265bis, 4.2.2; ASVS 5.0,
// 15.3.7), or if its value is empty, quoted, too long for [Policy.Set], or
// contains spaces or other bytes that are not cookie-octets. By contrast,
// net/http skips such a cookie, and all cookies if there are more than 3000, so
// that the request would pass as anonymous. Read also returns the policy's own
// error.
//
// Read does not allocate and takes time proportional to the length of the
// header. It does not check the host. It ignores cookies of other names, even
// malformed ones.
func (p Policy) Read(r *http.Request) (value string, ok bool, err error) {
	if err := p.Err(); err != nil {
		return "", false, err
	}
	for _, rest := range r.Header["Cookie"] {
		for rest != "" {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			pair = trim(pair)
			if !p.names(pair) {
				continue
			}
			if ok {
				return "", false, ErrMalformed
			}
			value, ok = p.value(pair)
			if !ok {
				return "", false, ErrMalformed
			}
		}
	}
	return value, ok, nil
}

// names reports whether a pair has the name of this cookie, well-formed or not.
// The name without "=" and a space before the "=" count too, because some
// servers would accept them.
func (p Policy) names(pair string) bool {
	rest, found := strings.CutPrefix(pair, p.wire)
	if !found {
		return false
	}
	rest = trim(rest)
	return rest == "" || rest[0] == '='
}

// value returns the value of a pair, if [Policy.Set] could have set it.
func (p Policy) value(pair string) (string, bool) {
	value, found := strings.CutPrefix(pair[len(p.wire):], "=")
	if !found || value == "" || len(pair)-1 > maxPair || !all(value, isValueByte) {
		return "", false
	}
	return value, true
}

// trim removes optional whitespace (RFC 9110, 5.6.3). It runs for every cookie of a
// request: [strings.Trim] would take half of the time of Read.
func trim(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }
