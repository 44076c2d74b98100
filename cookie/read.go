package cookie

import (
	"errors"
	"net/http"
	"strings"
)

// ErrMalformed says that a request carries the cookie in a way that no browser
// sends after [Policy.Set], or carries it twice. It is a bad credential, never
// an absent one.
var ErrMalformed = errors.New("cookie: malformed or doubled cookie")

// Read returns the value of the cookie in r. ok is false if it is not there,
// and also beside every error.
//
// The error is [ErrMalformed] if the name, in exactly this spelling, is there
// more than once in all Cookie fields together (RFC 6265bis, 4.2.2; ASVS 5.0,
// 15.3.7), or if its value is empty, in quotes, too long for [Policy.Set], or
// has spaces or other bytes that are not cookie-octets. Where net/http would
// skip such a cookie, and with more than 3000 cookies all of them, somebody
// would pass for anonymous. It is the policy's own error if that has one.
//
// Read allocates nothing and takes time in proportion to the header. It does
// not check the host, and cookies of other names do not matter, however bad.
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

// names reports whether a pair is about this cookie, in good form or not. The
// name alone and a space before the "=" count too: there are servers that
// would read them so.
func (p Policy) names(pair string) bool {
	rest, found := strings.CutPrefix(pair, p.wire)
	if !found {
		return false
	}
	rest = trim(rest)
	return rest == "" || rest[0] == '='
}

// value returns what follows the name, if [Policy.Set] could have set it.
func (p Policy) value(pair string) (string, bool) {
	value, found := strings.CutPrefix(pair[len(p.wire):], "=")
	if !found || value == "" || len(pair)-1 > maxPair || !all(value, isValueByte) {
		return "", false
	}
	return value, true
}

// trim removes the optional white space of RFC 9110, 5.6.3.
func trim(s string) string { return strings.Trim(s, " \t") }
