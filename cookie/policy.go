// Package cookie writes and reads cookies by a [Policy], and seals what a
// client may keep but must neither read nor change: a [Sealed] value, by a
// [Sealer].
//
// A policy starts as strict as a cookie can be. Each of its methods loosens
// one thing and says so in its name:
//
//	cookie.New("cart").SameSiteLax().MaxAge(30 * 24 * time.Hour)
//
// What browsers would drop without a word, and what [net/http] would send them
// all the same or change on the way, is an error here: a bad name, value,
// domain or path, a lifetime out of range, a cookie that is too long, a name
// that promises more than the attributes keep. Two cookies of one name are
// malformed on reading, for nobody can tell which of them is ours.
//
// Call [Policy.Set] and [Policy.Delete] before the first byte of the body: a
// Set-Cookie that comes later is lost, and nothing notices.
package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Policy says how one cookie is named, where it goes and how long it lives. It
// is an immutable value: each method returns a new one, so policies may be
// shared by goroutines and compared with ==. The order of the methods does not
// matter, except that the last [Policy.MaxAge] counts.
//
// The chain keeps its first error. [Policy.Err], [Policy.Set] and every
// constructor that takes a Policy return it. The zero Policy is not usable and
// equals Policy{}; start with [New] or a preset.
type Policy struct {
	name     string // without prefix
	wire     string // with prefix; empty if the policy is not usable
	domain   string // empty: this host only
	path     string // empty: "/"
	maxAge   time.Duration
	sameSite http.SameSite
	readable bool
	loopback bool  // Insecure
	anywhere bool  // InsecureAnywhere
	parted   bool  // Partitioned
	err      error // from errors or fmt, thus a pointer and comparable
}

// The longest lifetime and attribute, and the longest name and value together,
// that all browsers keep (RFC 6265bis, 5.5 and 5.6; Safari for the last).
const (
	maxLifetime  = 400 * 24 * time.Hour
	maxAttribute = 1024
	maxPair      = 4093
)

// The prefixes by which browsers hold a cookie to its attributes (RFC 6265bis,
// 4.1.3). Browsers that do not know the first take it for the second.
const (
	hostHTTPPrefix = "__Host-Http-"
	hostPrefix     = "__Host-"
	securePrefix   = "__Secure-"
)

var (
	errZero   = errors.New("cookie: a Policy without a name: start with New")
	errParted = errors.New("cookie: Partitioned is for SameSiteNone")
)

// New returns the strictest policy there is (ASVS 5.0, 3.3.1 to 3.3.4): the
// name "__Host-Http-" + name, Secure, HttpOnly, this host only, Path=/ and
// SameSite=Strict. The browser forgets the cookie when it is closed.
//
// The name is a token (RFC 9110, 5.6.2) that begins with neither "__" nor
// "Http-", in whatever case: the prefix follows from the attributes. Anything
// else is an error.
func New(name string) Policy {
	p := Policy{name: name, sameSite: http.SameSiteStrictMode}
	switch {
	case name == "":
		p.err = errZero
	case strings.HasPrefix(name, "__") || strings.HasPrefix(strings.ToLower(name), "http-"):
		p.fail("cookie: New: %.64q begins like a prefix: that is added by the policy", name)
	case !all(name, isTokenByte):
		p.fail("cookie: New: %.64q is not a token", name)
	case len(hostHTTPPrefix)+len(name) >= maxPair:
		p.fail("cookie: New: a name of %d bytes leaves no room for a value", len(name))
	}
	return p.settle()
}

// Session returns the policy for session tokens: New("session") with
// SameSite=Lax, so that who follows a link from another site is still logged
// in.
func Session() Policy { return New("session").SameSiteLax() }

// Refresh returns the policy for refresh tokens, New("refresh"). Only the
// application's own pages need it, so it stays Strict.
func Refresh() Policy { return New("refresh") }

// Preference returns the policy for a choice that is no secret, a language
// say: SameSite=Lax, readable by scripts, for one year.
func Preference(name string) Policy {
	return New(name).SameSiteLax().ReadableByScripts().MaxAge(365 * 24 * time.Hour)
}

// SameSiteLax lets the cookie go along when somebody follows a link from
// another site. It changes nothing after SameSiteNone. Lax is no protection
// from cross-site requests by itself.
func (p Policy) SameSiteLax() Policy {
	if p.sameSite != http.SameSiteNoneMode {
		p.sameSite = http.SameSiteLaxMode
	}
	return p.settle()
}

// SameSiteNone lets the cookie go along with every request from another site,
// where the browser allows such cookies at all. Browsers take it from secure
// pages only, so it is an error with Insecure and InsecureAnywhere.
func (p Policy) SameSiteNone() Policy {
	p.sameSite = http.SameSiteNoneMode
	return p.settle()
}

// Partitioned keeps a SameSiteNone cookie apart for each site in whose pages a
// frame of this host stands (CHIPS): what is set under one of them is sent
// under that one alone, and so is its deletion. It narrows what SameSiteNone
// opens, and is the only way to a cookie in such a frame where the browser
// blocks those of third parties. Without SameSiteNone it is an error.
//
// So it is with Insecure, InsecureAnywhere, Domain and a Path other than "/":
// what is partitioned is Secure and keeps its "__Host-" name. Take a name that
// was not in use without Partitioned, or a browser may send both cookies, which
// is malformed.
func (p Policy) Partitioned() Policy {
	p.parted = true
	return p.settle()
}

// Domain shares the cookie with every host under d, which may then overwrite
// it; its name begins with "__Secure-" then (ASVS 5.0, 3.3.3). Without Domain
// it is for the host that set it alone.
//
// It is an error if d is not a lower-case host name of two or more labels, if
// it is an IP address or begins with a dot, and to give two domains. Browsers
// drop the cookie if the host that sets it is not under d, or if anybody may
// register names under d, as under co.uk: that is not checked.
func (p Policy) Domain(d string) Policy {
	if !isHostName(d) {
		p.fail("cookie: Domain: %.64q is not a lower-case host name with a dot in it", d)
	}
	if p.domain != "" && p.domain != d {
		p.fail("cookie: Domain: both %q and %.64q", p.domain, d)
	}
	p.domain = d
	return p.settle()
}

// Path limits the cookie to requests under path; its name begins with
// "__Secure-" then, unless path is "/". This saves bytes and protects nothing:
// a page under another path of the host can get at it.
//
// It is an error if path does not begin with "/", is longer than 1024 bytes or
// has bytes that no path of a request has: ";", "?", "#", spaces, control and
// non-ASCII characters; and to give two paths.
func (p Policy) Path(path string) Policy {
	switch {
	case !strings.HasPrefix(path, "/"), !all(path, isPathByte):
		p.fail("cookie: Path: %.64q is not the path of a request", path)
	case len(path) > maxAttribute:
		p.fail("cookie: Path: longer than %d bytes", maxAttribute)
	case p.path != "" && p.path != path:
		p.fail("cookie: Path: both %.64q and %.64q", p.path, path)
	}
	p.path = path
	return p.settle()
}

// ReadableByScripts lets scripts of the page read and write the cookie, so that
// whoever smuggles in a script has it: leave HttpOnly on for everything that
// logs in (ASVS 5.0, 3.3.4). The name begins with "__Host-" then.
func (p Policy) ReadableByScripts() Policy {
	p.readable = true
	return p.settle()
}

// MaxAge lets the cookie outlive the browser, for d from the time it is set. It
// replaces an earlier MaxAge. It is an error if d is under one second, over 400
// days, where browsers cut, or not in whole seconds. What the server relies on
// must expire on the server.
func (p Policy) MaxAge(d time.Duration) Policy {
	if d < time.Second || d > maxLifetime || d%time.Second != 0 {
		p.fail("cookie: MaxAge: %v is not a whole number of seconds up to 400 days", d)
	}
	p.maxAge = d
	return p.settle()
}

// Insecure drops Secure, and with it every prefix of the name, to develop on
// http://localhost with Safari; Chromium and Firefox take Secure cookies there,
// Safari does not (WebKit bug 281149). [Policy.Set] and [Policy.Delete] refuse
// every request but to a loopback host: localhost, *.localhost, 127.0.0.0/8 and
// [::1] (ASVS 5.0, 13.4.2). A proxy that replaces the Host of what it forwards
// by localhost defeats this check.
//
// It is an error with SameSiteNone, with InsecureAnywhere, and with a Domain
// that does not end in .localhost.
func (p Policy) Insecure() Policy {
	p.loopback = true
	return p.settle()
}

// InsecureAnywhere is Insecure for every host. Whoever sees the network then
// has the cookie, and may replace it. Use it in closed networks only. It is an
// error with SameSiteNone and with Insecure.
func (p Policy) InsecureAnywhere() Policy {
	p.anywhere = true
	return p.settle()
}

// Err returns the first error of the chain that made the policy, or nil if it
// is usable.
func (p Policy) Err() error {
	switch {
	case p.err != nil:
		return p.err
	case p.name == "":
		return errZero
	case p.wire == "":
		return errParted
	}
	return nil
}

// Name returns the name of the cookie as it is sent, with its prefix, or "" if
// the policy is not usable.
func (p Policy) Name() string { return p.wire }

// fail keeps the first error.
func (p *Policy) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// settle derives what follows from all attributes together.
func (p Policy) settle() Policy {
	switch {
	case p.name == "" && p.err == nil:
		p.err = errZero
	case p.insecure() && p.sameSite == http.SameSiteNoneMode:
		p.fail("cookie: SameSiteNone and Insecure exclude each other")
	case p.loopback && p.anywhere:
		p.fail("cookie: Insecure and InsecureAnywhere exclude each other")
	case p.loopback && p.domain != "" && !isLoopback(p.domain):
		p.fail("cookie: Insecure is for loopback hosts, Domain %q is not", p.domain)
	case p.parted && (p.insecure() || !p.hostOnly()):
		p.fail("cookie: Partitioned excludes Insecure, Domain and Path")
	}
	p.wire = p.prefix() + p.name
	// SameSiteNone may follow later in the chain, so this error is not kept.
	if p.err != nil || p.parted && p.sameSite != http.SameSiteNoneMode {
		p.wire = ""
	}
	return p
}

func (p Policy) insecure() bool { return p.loopback || p.anywhere }

func (p Policy) hostOnly() bool { return p.domain == "" && (p.path == "" || p.path == "/") }

func (p Policy) prefix() string {
	switch {
	case p.insecure():
		return ""
	case !p.hostOnly():
		return securePrefix
	case p.readable:
		return hostPrefix
	}
	return hostHTTPPrefix
}
