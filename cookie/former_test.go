package cookie_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth/cookie"
)

// code-dot-org#74198: a response that deletes an old cookie beside the new one of the
// same name must keep both headers, in either order.
func TestCookiesThatDifferInScopeDoNotReplaceEachOther(t *testing.T) {
	none := cookie.New("id").SameSiteNone()
	for what, pair := range map[string][2]cookie.Policy{
		"another Domain":     {cookie.New("id").Domain("app.example.com"), cookie.New("id").Domain("example.com")},
		"another Path":       {cookie.New("id").Path("/a"), cookie.New("id").Path("/b")},
		"Path, then Domain":  {cookie.New("id").Path("/a"), cookie.New("id").Domain("example.com")},
		"Domain, then both":  {cookie.New("id").Domain("example.com"), cookie.New("id").Domain("example.com").Path("/a")},
		"Partitioned":        {none, none.Partitioned()},
		"Domain over plain":  {cookie.New("id").InsecureAnywhere(), cookie.New("id").InsecureAnywhere().Domain("example.com")},
		"a Path over plain":  {cookie.New("id").InsecureAnywhere(), cookie.New("id").InsecureAnywhere().Path("/a")},
		"another name":       {cookie.New("id"), cookie.New("other")},
		"Insecure, then not": {cookie.New("id").InsecureAnywhere(), cookie.New("id")},
	} {
		for range 2 {
			old, new := pair[0], pair[1]
			h := http.Header{}
			if err := old.Delete(h, nil); err != nil {
				t.Fatal(err)
			}
			if err := new.Set(h, nil, "v"); err != nil {
				t.Fatal(err)
			}
			if err := old.Delete(h, nil); err != nil { // again
				t.Fatal(err)
			}
			if len(h["Set-Cookie"]) != 2 {
				t.Errorf("%s: %q", what, h["Set-Cookie"])
			}
			if value, ok := new.Pending(h); value != "v" || !ok {
				t.Errorf("%s: the new cookie is pending as %q, %t", what, value, ok)
			}
			if value, ok := old.Pending(h); value != "" || !ok {
				t.Errorf("%s: the old cookie is pending as %q, %t", what, value, ok)
			}
			pair[0], pair[1] = new, old
		}
	}
}

// A policy that differs only in what is no part of a cookie's identity writes the same
// cookie.
func TestTheSameCookieIsReplacedWhateverItsAttributes(t *testing.T) {
	p := cookie.New("id").Domain("example.com").Path("/a")
	for _, field := range []string{
		"__Secure-id=old; Domain=example.com; Path=/a",
		"__Secure-id=old; path=/a; SameSite=None; DOMAIN=.Example.COM; Secure",
		" __Secure-id = old ;Path=/b; Domain= example.com ; Path=/a",
	} {
		h := http.Header{"Set-Cookie": {field}}
		if value, ok := p.Pending(h); value != "old" || !ok {
			t.Errorf("%q: pending %q, %t", field, value, ok)
		}
		if err := p.SameSiteLax().MaxAge(1e9).Set(h, nil, "new"); err != nil || len(h["Set-Cookie"]) != 1 {
			t.Errorf("%q: %q, %v", field, h["Set-Cookie"], err)
		}
	}
	for _, field := range []string{
		"__Secure-id=old", "__Secure-id=old; Path=/a", "__Secure-id=old; Domain=example.com",
		"__Secure-id=old; Domain=a.example.com; Path=/a", "__Secure-id=old; Domain=example.com; Path=/a/",
		"__Secure-id=old; Domain=example.com; Path=/a; Partitioned",
	} {
		h := http.Header{"Set-Cookie": {field}}
		if err := p.Set(h, nil, "new"); err != nil || !slices.ContainsFunc(h["Set-Cookie"], func(f string) bool { return strings.Contains(f, "old") }) {
			t.Errorf("%q is replaced by another cookie: %q, %v", field, h["Set-Cookie"], err)
		}
	}
}
