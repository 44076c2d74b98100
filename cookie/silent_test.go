package cookie_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/cookie"
)

// The ways in which net/http and browsers silently drop or change a cookie, one
// case each. The first rows are about writing: each must be an error and write
// nothing.
func TestNothingIsDroppedSilently(t *testing.T) {
	id := cookie.New("id")
	for _, test := range []struct {
		name   string
		policy cookie.Policy
		value  string
	}{
		{"1 a name that is not a token: nothing is written", cookie.New("a b"), "v"},
		{"1 an empty name: nothing is written", cookie.New(""), "v"},
		{"2 a semicolon in the value: dropped", id, "a;b"},
		{"2 a quote in the value: dropped", id, `a"b`},
		{"2 a backslash in the value: dropped", id, `a\b`},
		{"2 a control byte in the value: dropped", id, "a\x01b"},
		{"2 a non-ASCII byte in the value: dropped", id, "aéb"},
		{"3 a space in the value: quoted", id, "a b"},
		{"3 a comma in the value: quoted", id, "a,b"},
		{"4 a bad domain: the scope becomes the host", id.Domain("exa_mple.com"), "v"},
		{"5 a semicolon in the path: another path", id.Path("/a;b"), "v"},
		{"5 a control byte in the path: another path", id.Path("/a\x00b"), "v"},
		{"6 a lifetime in the past: becomes a session cookie", id.MaxAge(-time.Hour), "v"},
		{"7 a lifetime of zero: becomes a session cookie", id.MaxAge(0), "v"},
		{"7 a lifetime of half a second: becomes zero", id.MaxAge(time.Second / 2), "v"},
		{"7 a lifetime over 400 days: cut", id.MaxAge(401 * day), "v"},
		{"8 5000 bytes: dropped by the browser", id, strings.Repeat("v", 5000)},
		{"10 SameSite=None without Secure: dropped", id.SameSiteNone().InsecureAnywhere(), "v"},
		{"11 a prefix given by hand", cookie.New("__Host-id").Domain("example.com"), "v"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			if err := test.policy.Set(h, request(), test.value); err == nil || len(h) > 0 {
				t.Errorf("error %v, header %v", err, h)
			}
		})
	}
}

// Row 9; ASVS 5.0, 3.3.2.
func TestSameSiteIsAlwaysExplicit(t *testing.T) {
	for _, p := range everyPolicy() {
		h := http.Header{}
		p.Set(h, request(), "v")
		p2 := http.Header{}
		p.Delete(p2, request())
		for _, field := range append(h["Set-Cookie"], p2["Set-Cookie"]...) {
			if !strings.Contains(field, "; SameSite=") {
				t.Errorf("%q", field)
			}
		}
	}
}

// Row 11; ASVS 5.0, 3.3.1 and 3.3.3: the attributes always satisfy the prefix
// of the name, when a cookie is set and when it is deleted.
func TestPrefixesAreKept(t *testing.T) {
	for _, p := range everyPolicy() {
		h := http.Header{}
		if err := p.Delete(h, request()); err != nil {
			t.Fatal(err)
		}
		keepsPrefix(t, h.Get("Set-Cookie"))
		if err := p.Set(h, request(), "v"); err != nil {
			t.Fatal(err)
		}
		keepsPrefix(t, h.Get("Set-Cookie"))
	}
}

// keepsPrefix is the check of browsers (RFC 6265bis, 5.4).
func keepsPrefix(t *testing.T, field string) {
	t.Helper()
	c, err := http.ParseSetCookie(field)
	if err != nil {
		t.Fatal(err)
	}
	hostOnly := c.Domain == "" && c.Path == "/"
	switch {
	case strings.HasPrefix(c.Name, "__Host-Http-") && !(c.Secure && c.HttpOnly && hostOnly),
		strings.HasPrefix(c.Name, "__Host-") && !(c.Secure && hostOnly),
		strings.HasPrefix(c.Name, "__Secure-") && !c.Secure:
		t.Errorf("browsers drop %q", field)
	}
	if c.Secure != strings.HasPrefix(c.Name, "__") {
		t.Errorf("%q lacks a prefix", field)
	}
}

// everyPolicy returns every valid combination of the loosenings.
func everyPolicy() (list []cookie.Policy) {
	all := loosenings()
	for set := range 1 << len(all) {
		p := cookie.New("id")
		for i, l := range all {
			if set&(1<<i) != 0 {
				p = l.apply(p)
			}
		}
		if p.Err() == nil {
			list = append(list, p)
		}
	}
	return list
}

func TestStagedWritesLeaveOneField(t *testing.T) {
	h := http.Header{}
	p := cookie.Session()
	for _, value := range []string{"saved", "renewed"} {
		if err := p.Set(h, nil, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Delete(h, nil); err != nil {
		t.Fatal(err)
	}
	if got := h["Set-Cookie"]; len(got) != 1 || !strings.Contains(got[0], "Max-Age=0") {
		t.Errorf("%q", got)
	}
}

// The rows on reading: a cookie that net/http skips, merges or strips is
// malformed, never absent (ASVS 5.0, 15.3.7). Row 13, a cookie that is set
// after the header was sent, cannot be tested here; the doc comments mention
// it.
func TestNothingIsReadAsAnonymous(t *testing.T) {
	p := cookie.Session()
	id := p.Name()
	bad, none := cookie.ErrMalformed, error(nil)
	for _, test := range []struct {
		name   string
		fields []string
		value  string
		err    error
	}{
		{"3 quotes: stripped", []string{id + `="v"`}, "", bad},
		{"14 more than 3000 cookies: all are lost", []string{strings.Repeat("a=b; ", 3001) + id + "=v"}, "v", none},
		{"14 more than 3000 cookies, ours bad", []string{strings.Repeat("a=b; ", 3001) + id + "="}, "", bad},
		{"15 duplicates: the first wins", []string{id + "=attacker; " + id + "=v"}, "", bad},
		{"16 an invalid byte: the pair is skipped", []string{id + `=a\b`}, "", bad},
		{"16 a quote inside: the pair is skipped", []string{id + `=a"b`}, "", bad},
		{"16 a control byte: the pair is skipped", []string{id + "=a\x01"}, "", bad},
		{"17 another case is another cookie", []string{"__hOsT-Http-session=attacker"}, "", none},
		{"17 another case does not matter", []string{"__hOsT-Http-session=attacker; " + id + "=v"}, "v", none},
		{"17 another prefix is another cookie", []string{"session=a; __Host-session=b; __Secure-session=c; __Http-session=d"}, "", none},
		{"18 nameless stays dropped", []string{"=" + id + "=attacker"}, "", none},
		{"18 nameless does not matter", []string{"=" + id + "=attacker; " + id + "=v"}, "v", none},
		{"19 a space behind the name: trimmed", []string{id + " =v"}, "", bad},
		{"19 a space before the value: kept", []string{id + "= v"}, "", bad},
		{"20 several headers (HTTP/2) are one", []string{"a=b", id + "=v", "c=d"}, "v", none},
		{"20 duplicates count across headers", []string{id + "=attacker", id + "=v"}, "", bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			value, ok, err := p.Read(carrying(test.fields...))
			if value != test.value || ok != (test.value != "") || !errors.Is(err, test.err) {
				t.Errorf("Read = %q, %v, %v", value, ok, err)
			}
		})
	}
}
