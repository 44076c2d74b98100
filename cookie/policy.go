// Package cookie writes and reads cookies that follow a [Policy], and encrypts
// values that a client may keep but must neither read nor change.
//
// A policy starts with the strictest attributes that a cookie can have. Each
// method loosens one attribute and has its standard name:
//
//	cart := cookie.New("cart").SameSiteLax().MaxAge(30 * 24 * time.Hour)
//
//	value, ok, err := cart.Read(r)
//	err = cart.Set(w.Header(), r, "42")
//
// Call [Policy.Set] and [Policy.Delete] before writing the response body. A
// Set-Cookie header that is added later is lost without an error.
//
// [Sealed] keeps an encrypted and authenticated value of any type in a cookie.
// [Sealer] is the encryption below it.
//
// Mistakes that browsers and [net/http] would drop silently, send unchecked or
// alter are errors in this package: an invalid name, value, domain or path, a
// lifetime out of range, a cookie that is too long, and a name prefix that the
// attributes do not satisfy. On reading, two cookies of the same name are
// malformed, because the server cannot tell which of them it has set.
package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Policy defines the name, scope and lifetime of one cookie. It is an
// immutable value: each method returns a new Policy, so policies may be shared
// by goroutines and compared with ==. The order of method calls does not
// matter, except that the last [Policy.MaxAge] counts.
//
// The chain keeps its first error. [Policy.Err], [Policy.Set] and every
// constructor that takes a Policy return it. The zero Policy is not usable and
// equals Policy{}; start with [New], [Session], [Refresh] or [Preference].
type Policy struct {
	name        string // without prefix
	wire        string // with prefix; empty if the policy is not usable
	domain      string // empty: this host only
	path        string // empty: "/"
	maxAge      time.Duration
	sameSite    http.SameSite
	readable    bool
	loopback    bool // Insecure
	anywhere    bool // InsecureAnywhere
	partitioned bool
	err         error // from errors or fmt, thus a pointer and comparable
}

// The limits up to which all browsers keep a lifetime, an attribute, and name
// and value together (RFC 6265bis, 5.5 and 5.6; Safari for maxPair).
const (
	maxLifetime  = 400 * 24 * time.Hour
	maxAttribute = 1024
	maxPair      = 4093
)

// The prefixes for which browsers enforce the attributes of a cookie (RFC
// 6265bis, 4.1.3). Browsers that do not know "__Host-Http-" treat it as
// "__Host-".
const (
	hostHTTPPrefix = "__Host-Http-"
	hostPrefix     = "__Host-"
	securePrefix   = "__Secure-"
)

var (
	errZero            = errors.New("cookie: Policy has no name: start with New")
	errNotSameSiteNone = errors.New("cookie: Partitioned requires SameSiteNone")
)

// New returns the strictest policy (ASVS 5.0, 3.3.1 to 3.3.4): the name
// "__Host-Http-" + name, Secure, HttpOnly, host-only, Path=/ and
// SameSite=Strict. The browser deletes the cookie when it is closed.
//
// The name must be a token (RFC 9110, 5.6.2). It must not begin with "__" or
// "Http-", in upper or lower case, because the policy adds the prefix that the
// attributes allow. Any other name is an error.
func New(name string) Policy {
	p := Policy{name: name, sameSite: http.SameSiteStrictMode}
	switch {
	case name == "":
		p.err = errZero
	case strings.HasPrefix(name, "__") || strings.HasPrefix(strings.ToLower(name), "http-"):
		p.fail("cookie: New: %.64q must not start with a cookie prefix; the policy adds it", name)
	case !all(name, isTokenByte):
		p.fail("cookie: New: %.64q is not a token", name)
	case len(hostHTTPPrefix)+len(name) >= maxPair:
		p.fail("cookie: New: a name of %d bytes leaves no room for a value", len(name))
	}
	return p.settle()
}

// Session returns the policy for session tokens: New("session") with
// SameSite=Lax, so that users who follow a link from another site stay signed
// in.
func Session() Policy { return New("session").SameSiteLax() }

// Refresh returns the policy for refresh tokens: New("refresh"). It stays
// SameSite=Strict, because only the application's own pages send the cookie.
func Refresh() Policy { return New("refresh") }

// Preference returns the policy for a choice that is not a secret, such as a
// language: SameSite=Lax, readable by scripts, and kept for one year.
func Preference(name string) Policy {
	return New(name).SameSiteLax().ReadableByScripts().MaxAge(365 * 24 * time.Hour)
}

// SameSiteLax also sends the cookie when the user follows a link from another
// site. After SameSiteNone it has no effect. Lax alone does not protect from
// cross-site request forgery (CSRF).
func (p Policy) SameSiteLax() Policy {
	if p.sameSite != http.SameSiteNoneMode {
		p.sameSite = http.SameSiteLaxMode
	}
	return p.settle()
}

// SameSiteNone sends the cookie with every request from other sites, in
// browsers that allow third-party cookies at all. It is an error with Insecure
// and InsecureAnywhere, because browsers accept such a cookie only if it is
// Secure.
func (p Policy) SameSiteNone() Policy {
	p.sameSite = http.SameSiteNoneMode
	return p.settle()
}

// Partitioned keeps a separate SameSiteNone cookie for each top-level site that
// embeds a frame of this host (CHIPS). A cookie that is set or deleted under
// one site is sent or deleted under that site only. Partitioned narrows what
// SameSiteNone permits, and is the only way to have a cookie in such a frame if
// the browser blocks third-party cookies.
//
// It is an error without SameSiteNone, and with Insecure, InsecureAnywhere,
// Domain or a Path other than "/": a partitioned cookie is Secure and keeps its
// "__Host-" name. Choose a name that was not used without Partitioned.
// Otherwise a browser may send both cookies, which is malformed.
func (p Policy) Partitioned() Policy {
	p.partitioned = true
	return p.settle()
}

// Domain sends the cookie to d and every host under d. These hosts can also
// overwrite it, and its name begins with "__Secure-" instead of "__Host-" (ASVS
// 5.0, 3.3.3). Without Domain the cookie is sent only to the host that set it.
//
// It is an error if d is not a lower-case host name of two or more labels, is
// an IP address or begins with a dot, or if a different domain was set before.
// Domain does not check two cases in which browsers drop the cookie: the host
// that sets it is not under d, and d is a public suffix such as co.uk.
func (p Policy) Domain(d string) Policy {
	if !isHostName(d) {
		p.fail("cookie: Domain: %.64q is not a lower-case host name that contains a dot", d)
	}
	if p.domain != "" && p.domain != d {
		p.fail("cookie: Domain: set twice: %q and %.64q", p.domain, d)
	}
	p.domain = d
	return p.settle()
}

// Path sends the cookie only with requests under path. Unless path is "/", its
// name begins with "__Secure-" instead of "__Host-". Path saves bytes and is
// not a protection: a page under another path of the same host can get at the
// cookie.
//
// It is an error if path does not begin with "/", is longer than 1024 bytes, or
// contains ";", "?", "#", a space, a control character or a non-ASCII
// character, which the path of a request never has. It is also an error if a
// different path was set before.
func (p Policy) Path(path string) Policy {
	switch {
	case !strings.HasPrefix(path, "/"), !all(path, isPathByte):
		p.fail("cookie: Path: %.64q is not the path of a request", path)
	case len(path) > maxAttribute:
		p.fail("cookie: Path: longer than %d bytes", maxAttribute)
	case p.path != "" && p.path != path:
		p.fail("cookie: Path: set twice: %.64q and %.64q", p.path, path)
	}
	p.path = path
	return p.settle()
}

// ReadableByScripts drops HttpOnly: scripts of the page can read and write the
// cookie. The name begins with "__Host-" instead of "__Host-Http-". Do not use
// it for credentials, because an injected script (XSS) can steal the cookie
// (ASVS 5.0, 3.3.4).
func (p Policy) ReadableByScripts() Policy {
	p.readable = true
	return p.settle()
}

// HTTPOnly reports whether the cookie is hidden from scripts: whether it has the
// attribute HttpOnly. It has, unless [Policy.ReadableByScripts] was called.
func (p Policy) HTTPOnly() bool { return !p.readable }

// MaxAge keeps the cookie for d from the time it is set, even after the browser is
// closed. It replaces an earlier MaxAge. It is an error if d is less than one second,
// more than 400 days (browsers shorten a longer one to that), or not in whole seconds.
// The server must enforce an expiry that it relies on.
func (p Policy) MaxAge(d time.Duration) Policy {
	if d < time.Second || d > maxLifetime || d%time.Second != 0 {
		p.fail("cookie: MaxAge: %v is not a whole number of seconds up to 400 days", d)
	}
	p.maxAge = d
	return p.settle()
}

// Insecure drops Secure, and with it the prefix of the name. Use it only to
// develop on http://localhost with Safari, which rejects Secure cookies there
// (WebKit bug 281149); Chromium and Firefox accept them.
//
// With Insecure, [Policy.Set] and [Policy.Delete] return an error unless the
// request is for a loopback host: localhost, *.localhost, 127.0.0.0/8 or [::1]
// (ASVS 5.0, 13.4.2). A proxy that rewrites the Host header to localhost
// defeats this check.
//
// It is an error with SameSiteNone, with InsecureAnywhere, and with a Domain
// that does not end in .localhost.
func (p Policy) Insecure() Policy {
	p.loopback = true
	return p.settle()
}

// InsecureAnywhere is Insecure for every host. Use it in closed networks only:
// an attacker on the network can steal and replace the cookie. It is an error
// with SameSiteNone and with Insecure.
func (p Policy) InsecureAnywhere() Policy {
	p.anywhere = true
	return p.settle()
}

// Err returns the first error of the chain that made the policy, or nil if the
// policy is usable.
func (p Policy) Err() error {
	switch {
	case p.err != nil:
		return p.err
	case p.name == "":
		return errZero
	case !p.complete():
		return errNotSameSiteNone
	}
	return nil
}

// Name returns the name of the cookie as it is sent, including its prefix, or
// "" if the policy is not usable.
func (p Policy) Name() string { return p.wire }

// fail records an error unless an earlier error is recorded.
func (p *Policy) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}
